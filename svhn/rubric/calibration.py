"""The worth of an accuracy in the rows of marks that a figure decides."""

import itertools
import math
import statistics
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from svhn.errors import SVHNError, one_line
from svhn.rubric.questions import ROWS

CALIBRATION = Path(__file__).with_name("calibration.toml")


@dataclass(frozen=True)
class CurveFigures:
    """The figures of a validation curve.

    Attributes:
        epochs: How many.
        best, best_epoch: The greatest value, and its epoch from 1.
        last: Value.
        smoothed_curve, smoothed: The running median, and its maximum.
        erratic: Whether the best epoch stands out so far that it does not count.
        counted: The value that counts.
    """

    epochs: int
    best: float
    best_epoch: int
    last: float
    smoothed: float
    smoothed_curve: list[float]
    erratic: bool
    counted: float


@dataclass(frozen=True)
class Calibration:
    """From accuracy to mark, and from a curve to the accuracy that counts.

    Attributes:
        lines: By question, pairs of accuracy in per cent and mark, rising.
        window: Epochs of the running median.
        erratic: From how many percentage points a peak does not count.
    """

    lines: dict[str, list[tuple[float, float]]]
    window: int
    erratic: float

    def mark(self, question: str, share: float) -> float:
        """The mark, 0..10 in tenths, of an accuracy 0..1."""
        line, per_cent = self.lines[question], 100 * share
        if per_cent <= line[0][0]:
            return line[0][1]
        for (low, low_mark), (high, high_mark) in itertools.pairwise(line):
            if per_cent <= high:
                return round_half_up(low_mark + (per_cent - low) / (high - low) * (high_mark - low_mark))
        return line[-1][1]

    def summarise(self, curves: Mapping[str, Sequence[float | None]]) -> CurveFigures:
        """The figures of a validation curve; see the function `summarise`."""
        return summarise(curves, self.window, self.erratic / 100)


def load_calibration(path: Path = CALIBRATION) -> Calibration:
    """Reads the calibration.

    Raises:
        SVHNError: The file is missing, no TOML, or not rising marks 0..10 for every question.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        window, erratic = content["curve"]["window"], float(content["curve"]["erratic"])
        lines = {question: [(float(a), float(b)) for a, b in pairs] for question, pairs in content["marks"].items()}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise SVHNError(f"{path} is no calibration ({one_line(error)}); restore it from git") from error
    if not isinstance(window, int) or window < 1 or window % 2 == 0 or erratic < 0:
        raise SVHNError(f"{path}: window must be an odd number of epochs and erratic not negative; correct them")
    for question in {row.question for row in ROWS if row.calibrated}:
        line = lines.get(question, [])
        rising = all(low[0] < high[0] and low[1] <= high[1] for low, high in itertools.pairwise(line))
        if len(line) < 2 or not rising or not all(0 <= mark <= 10 for _, mark in line):
            raise SVHNError(f"{path}: {question} needs two or more rising pairs of per cent and mark 0..10; correct it")
    return Calibration(lines, window, erratic)


def summarise(curves: Mapping[str, Sequence[float | None]], window: int, erratic: float) -> CurveFigures:
    """The figures of a validation curve, and which of them counts.

    The smoothed curve is a running median. A curve is erratic where its best epoch rises above all of the smoothed
    curve by more than `erratic`, and the curve does not just rise around it; then the smoothed curve's maximum counts,
    and otherwise the best epoch.

    Args:
        curves: As `check_curves` returns them.
        window: Epochs a median is taken over, odd; at the ends as many as there are.
        erratic: A share, 0..1.
    """
    curve = [share for share in curves["val_accuracy"] if share is not None]  # It has no gaps.
    smoothed_curve = running_median(curve, window)
    smoothed = max(smoothed_curve)
    best = max(curve)
    top, half = curve.index(best), window // 2
    falls = any(later < earlier for earlier, later in itertools.pairwise(curve[max(0, top - half) : top + half + 1]))
    is_erratic = falls and best - smoothed > erratic
    counted = smoothed if is_erratic else best
    return CurveFigures(len(curve), best, top + 1, curve[-1], smoothed, smoothed_curve, is_erratic, counted)


def running_median(curve: list[float], window: int) -> list[float]:
    """Medians over `window` values centred on each, fewer at the ends."""
    half = window // 2
    return [statistics.median(curve[max(0, i - half) : i + half + 1]) for i in range(len(curve))]


def round_half_up(value: float) -> float:
    """To tenths, halves up: as a person with a pencil does, and Python's `round` does not."""
    return math.floor(value * 10 + 0.5 + 1e-9) / 10
