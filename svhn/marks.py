"""The sixteen rows of marks, and the points that an accuracy is worth."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """One row of the table of marks.

    Attributes:
        question: "2.1".
        kind: "performance", which a measurement marks, or "explanation" or "plots", which a person marks.
        points: What the row is worth of the assignment's 40.
    """

    question: str
    kind: str
    points: float


ROWS = (
    Row("1.1", "performance", 2), Row("1.1", "explanation", 2),
    Row("1.2", "performance", 1), Row("1.2", "explanation", 1),
    Row("1.3", "performance", 2), Row("1.3", "explanation", 2),
    Row("2.1", "performance", 3.5), Row("2.1", "explanation", 3.5),
    Row("2.2", "performance", 1.5), Row("2.2", "explanation", 1.5),
    Row("3.1", "plots", 2),
    Row("3.2", "plots", 4),
    Row("3.3", "plots", 4),
    Row("4.1", "performance", 2.5), Row("4.1", "explanation", 2.5),
    Row("4.2", "performance", 5),
)  # fmt: skip

# Accuracy in per cent -> mark out of 10: guessing, the course's known point, the reference hand-in.
CALIBRATION = {
    "1.1": ((10, 0), (70.1, 6.0), (84.5, 10)),
    "1.2": ((10, 0), (75.4, 7.1), (85.7, 10)),
    "1.3": ((10, 0), (75.6, 7.1), (88.9, 10)),
    "2.1": ((10, 0), (94.5, 8.6), (95.7, 10)),
    "2.2": ((10, 0), (89.8, 5.9), (96.6, 10)),
    "4.1": ((10, 0), (80.8, 7.5), (93.2, 10)),
    "4.2": ((10, 0), (81.8, 7.0), (92.7, 10)),
}


def performance_points(question: str, accuracy: float) -> float:
    """The points of a performance row for an accuracy.

    Args:
        question: "2.1".
        accuracy: On the validation digits, on the test digits for 4.2; a share, 0..1.

    Returns:
        0 to the row's points.
    """
    shares, marks = zip(*CALIBRATION[question], strict=True)
    (points,) = (row.points for row in ROWS if (row.question, row.kind) == (question, "performance"))
    return float(np.interp(100 * accuracy, shares, marks)) / 10 * points
