"""The reliability of probabilities: of the digits that are read with 90 %, nine in ten should be right."""

import numpy as np
import pandas as pd

BINS = 10


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Confidence and accuracy of predictions, by confidence.

    Args:
        probabilities: Class probabilities, float (n, 10); the most probable class is read.
        labels: The digits, (n,).

    Returns:
        One row for each tenth of confidence, 0..1, that holds a prediction: `count`, mean `confidence`, and `accuracy`.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    interval = np.minimum((confidence * BINS).astype(int), BINS - 1)
    frame = pd.DataFrame({"interval": interval, "confidence": confidence, "accuracy": right.astype(float)})
    return frame.groupby("interval").agg(
        count=("accuracy", "size"), confidence=("confidence", "mean"), accuracy=("accuracy", "mean")
    )


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The mean difference between confidence and accuracy over tenths of confidence, 0..1 (Guo et al., 2017).

    Args:
        probabilities: Class probabilities, float (n, 10).
        labels: The digits, (n,).
    """
    table = reliability(probabilities, labels)
    gaps = (table["confidence"] - table["accuracy"]).abs()
    return float((gaps * table["count"]).sum() / table["count"].sum())


def shares_by_digit(read: np.ndarray, labels: np.ndarray) -> list[float | None]:
    """The share of each digit, 0 to 9, that is read as labelled, 0..1; None where no label has that digit."""
    return [float(np.mean(read[labels == d] == d)) if np.any(labels == d) else None for d in range(10)]
