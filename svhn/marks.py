"""Sixteen rows and their marks: by calibration where a figure decides, by a person where judgement does."""

from dataclasses import dataclass

import numpy as np

PERFORMANCE, EXPLANATION, WHOLE = "performance", "explanation", ""


@dataclass(frozen=True)
class Row:
    """One of the sixteen: a question, its aspect (none for questions of one row), its points."""

    question: str
    aspect: str
    points: float

    @property
    def calibrated(self) -> bool:
        """Whether a figure decides the mark."""
        return self.aspect == PERFORMANCE or self.question == "4.2"


ROWS = (
    *(
        Row(question, aspect, points)
        for question, points in {"1.1": 2, "1.2": 1, "1.3": 2, "2.1": 3.5, "2.2": 1.5}.items()
        for aspect in (PERFORMANCE, EXPLANATION)
    ),
    *(Row(question, WHOLE, points) for question, points in {"3.1": 2, "3.2": 4, "3.3": 4}.items()),
    Row("4.1", PERFORMANCE, 2.5),
    Row("4.1", EXPLANATION, 2.5),
    Row("4.2", WHOLE, 5),
)

# Accuracy in per cent and mark: guessing, the course's known point, the reference hand-in.
_LINES = {
    "1.1": ((19, 0), (70.1, 6.0), (84.5, 10)),
    "1.2": ((19, 0), (75.4, 7.1), (85.7, 10)),
    "1.3": ((19, 0), (75.6, 7.1), (88.9, 10)),
    "2.1": ((19, 0), (90, 6.0), (94.5, 8.6), (95.7, 10)),
    "2.2": ((19, 0), (89.8, 5.9), (96.6, 10)),
    "4.1": ((19, 0), (80.8, 7.5), (93.2, 10)),
    "4.2": ((19, 0), (81.8, 7.0), (92.7, 10)),
}


@dataclass(frozen=True)
class Calibration:
    """From accuracy to mark: by question, pairs of accuracy in per cent and mark, rising."""

    lines: dict[str, tuple[tuple[float, float], ...]]

    def mark(self, question: str, share: float) -> float:
        """The mark, 0..10 in tenths, of an accuracy 0..1."""
        return round(float(np.interp(100 * share, *zip(*self.lines[question], strict=True))), 1)


def load_calibration() -> Calibration:
    """The calibration of the course."""
    return Calibration(_LINES)
