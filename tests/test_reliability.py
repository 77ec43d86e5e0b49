"""Whether probabilities can be believed: the diagram's numbers, and the error that sums them up."""

import numpy as np
import pytest

from svhn.learning.reliability import expected_calibration_error, reliability


def readings(*certain):
    """Predictions of the given confidences and whether each is right, as probabilities and labels."""
    probabilities, labels = np.zeros((len(certain), 10)), np.zeros(len(certain), int)
    for row, (confidence, right) in enumerate(certain):
        read = row % 10
        probabilities[row] = (1 - confidence) / 9
        probabilities[row, read] = confidence
        labels[row] = read if right else (read + 1) % 10
    return probabilities, labels


def test_confidence_and_accuracy_by_interval():
    table = reliability(*readings((0.95, True), (0.97, False), (0.62, True), (0.68, True), (0.64, False), (1.0, True)))
    assert list(table.index) == [6, 9] and list(table["count"]) == [3, 3]
    assert list(table["confidence"]) == pytest.approx([1.94 / 3, 2.92 / 3])
    assert list(table["accuracy"]) == pytest.approx([2 / 3, 2 / 3])


def test_the_error_is_the_gap_weighted_by_how_many():
    # Of four with 75 % three are right: no gap. Of six with 95 % three are right: a gap of 45 points on 6 of 10.
    probabilities, labels = readings(*[(0.75, k < 3) for k in range(4)], *[(0.95, k < 3) for k in range(6)])
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.6 * 0.45)


def test_certainty_that_is_right_has_no_error_and_one_that_is_wrong_the_greatest():
    certain = np.eye(10)[[3, 4, 5]]
    assert expected_calibration_error(certain, np.array([3, 4, 5])) == 0
    assert expected_calibration_error(certain, np.array([4, 5, 6])) == 1
    # Confidence as float32 and a single digit will do as well.
    assert expected_calibration_error(certain[:1].astype(np.float32), np.array([3])) == 0
