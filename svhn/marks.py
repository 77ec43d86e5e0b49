"""Sixteen rows and their marks: by calibration where a figure decides, by a person where judgement does."""

import itertools
import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svhn.curves import summarise
from svhn.errors import SVHNError, one_line
from svhn.examination import falls_short

CALIBRATION = Path(__file__).with_name("calibration.toml")
PERFORMANCE, EXPLANATION, WHOLE = "performance", "explanation", ""
POINTS = 40


@dataclass(frozen=True)
class Row:
    """One of the sixteen: a question, its aspect (none for questions of one row), its points."""

    question: str
    aspect: str
    points: float

    @property
    def name(self) -> str:
        """As in tables: "1.1 performance", "3.1"."""
        return f"{self.question} {self.aspect}".strip()

    @property
    def calibrated(self) -> bool:
        """Whether a figure decides the mark."""
        return self.aspect == PERFORMANCE or self.question == "4.2"


def _rows() -> Iterable[Row]:
    for question, points in {"1.1": 4, "1.2": 2, "1.3": 4, "2.1": 7, "2.2": 3, "3.1": 2, "3.2": 4, "3.3": 4, "4.1": 5,
                             "4.2": 5}.items():  # fmt: skip
        if question in ("3.1", "3.2", "3.3", "4.2"):
            yield Row(question, WHOLE, points)
        else:
            yield Row(question, PERFORMANCE, points / 2)
            yield Row(question, EXPLANATION, points / 2)


ROWS = tuple(_rows())


@dataclass(frozen=True)
class Mark:
    """The mark of a row.

    Attributes:
        row: Which.
        value: 0..10 in tenths, or None where it is not marked (which is not zero).
        by: "calibration", "person", or "" where it is not marked.
        reason: What it rests on, or why there is none.
        comment: Of the person who marked, may be empty.
    """

    row: Row
    value: float | None
    by: str
    reason: str
    comment: str = ""

    @property
    def points(self) -> float:
        """Earned, 0 where it is not marked."""
        return (self.value or 0) / 10 * self.row.points


@dataclass(frozen=True)
class Total:
    """The sum over the rows that are marked: points earned, points these rows are worth, and how many they are."""

    earned: float
    possible: float
    marked: int

    @property
    def complete(self) -> bool:
        """Whether every row is marked."""
        return self.marked == len(ROWS)

    @property
    def text(self) -> str:
        """As `8.3/10 (33.2/40)`; over fewer points, and saying so, where rows are not yet marked."""
        if not self.marked:
            return "no row is marked yet"
        mark = f"{_round(10 * self.earned / self.possible):.1f}/10"
        if self.complete:
            return f"{mark} ({_round(self.earned):.1f}/{POINTS})"
        return (
            f"{mark} ({_round(self.earned):.1f}/{self.possible:g}) over the {self.marked} of {len(ROWS)} rows marked "
            f"so far; {POINTS - self.possible:g} of {POINTS} points are still open"
        )


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
                return _round(low_mark + (per_cent - low) / (high - low) * (high_mark - low_mark))
        return line[-1][1]

    def summarise(self, curves: dict[str, list[float]]) -> dict[str, Any]:
        """The figures of a validation curve; see `svhn.curves.summarise`."""
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


def mark_rows(
    evidence: dict[str, Any], calibration: Calibration, by_person: dict[str, tuple[float | None, str]]
) -> list[Mark]:
    """Marks the sixteen rows.

    Args:
        evidence: As `examine` returns it.
        calibration: For the rows that a figure decides.
        by_person: Marks and comments that a person entered, by row name; they come before the calibration's.
    """
    marks = []
    for row in ROWS:
        value, comment = by_person.get(row.name, (None, ""))
        if row.calibrated:
            automatic, reason = _by_calibration(row, evidence, calibration)
        else:
            automatic, reason = None, _to_judge(row, evidence)
        if value is not None:
            marks.append(Mark(row, value, "person", reason, comment))
        else:
            marks.append(Mark(row, automatic, "calibration" if automatic is not None else "", reason, comment))
    return marks


def total_of(marks: Iterable[Mark]) -> Total:
    """The total over the rows that are marked."""
    marked = [mark for mark in marks if mark.value is not None]
    return Total(sum(mark.points for mark in marked), sum(mark.row.points for mark in marked), len(marked))


def _by_calibration(row: Row, evidence: dict[str, Any], calibration: Calibration) -> tuple[float | None, str]:
    if row.question == "4.2":
        stated = evidence["evaluation_4_2"]
        if stated is None:
            return None, "withheld: the notebook's stored output has no line 'Evaluation: <accuracy>'"
        reason = f"test accuracy {stated:.1%}, as the notebook's stored output states it; not measured here"
        return calibration.mark(row.question, stated), reason
    model = evidence["models"][f"model_{row.question.replace('.', '_')}"]
    if "curves_refused" in model:
        return None, f"withheld: {model['curves_refused']}"
    if "refused" in model:
        return None, f"withheld: {model['refused']}"
    figures = calibration.summarise(model["curves"])
    reason = _counted(figures)
    data = (model["record"] or {}).get("data")
    if data and not data["real"] and not any(claim["comparable"] for claim in model["claims"]):
        return None, f"withheld: the curve is of other digits, which are not SVHN ({data['name']})"
    if any(claim["contradicted"] for claim in model["claims"]):
        return None, f"withheld until a person has looked: the stored model does not do what is claimed; {reason}"
    if falls_short(model, figures["counted"]):
        reason += "; the stored file scores far less, please look at the curve"
    return calibration.mark(row.question, figures["counted"]), reason


def _counted(figures: dict[str, Any]) -> str:
    if figures["erratic"]:
        return (
            f"validation accuracy {figures['counted']:.1%}, the smoothed curve's best: the curve is erratic, and its "
            f"peak of {figures['best']:.1%} does not count"
        )
    return f"validation accuracy {figures['counted']:.1%}, epoch {figures['best_epoch']} of {figures['epochs']}"


def _to_judge(row: Row, evidence: dict[str, Any]) -> str:
    answer = evidence["answers"].get(row.question)
    if not answer:
        return "for a person to mark; the written answer is missing"
    over = (
        f", {answer['characters'] - answer['limit']} over the limit" if answer["characters"] > answer["limit"] else ""
    )
    return f"for a person to mark; the written answer has {answer['characters']} characters{over}"


def _round(value: float) -> float:
    """To tenths, halves up: what a person with a pencil does, and Python's `round` does not."""
    return math.floor(value * 10 + 0.5 + 1e-9) / 10
