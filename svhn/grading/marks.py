"""The marks of a hand-in: by calibration where a figure decides, by a person where judgement does."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from svhn.grading.claims import FALL, bound, falls_short
from svhn.grading.facts import NO_MODEL, Evidence, Model
from svhn.rubric.calibration import Calibration, CurveFigures, round_half_up
from svhn.rubric.questions import BY_NUMBER, POINTS, ROWS, TEST, Question, Row


@dataclass(frozen=True)
class Mark:
    """The mark of a row.

    Attributes:
        row: Which.
        value: 0..10 in tenths, or None where it is not marked (which is not zero).
        by: "calibration", "person", or "" where it is not marked.
        reason: For the mark, or for its absence.
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
    def mark(self) -> float | None:
        """0..10 in tenths, None where no row is marked."""
        return round_half_up(10 * self.earned / self.possible) if self.marked else None

    @property
    def text(self) -> str:
        """As `8.3/10 (33.2/40)`; over fewer points, and saying so, where rows are not yet marked."""
        if self.mark is None:
            return "no row is marked yet"
        mark = f"{self.mark:.1f}/10"
        if self.complete:
            return f"{mark} ({round_half_up(self.earned):.1f}/{POINTS})"
        return (
            f"{mark} ({round_half_up(self.earned):.1f}/{self.possible:g}) over the {self.marked} of {len(ROWS)} rows "
            f"marked so far; {POINTS - self.possible:g} of {POINTS} points are still open"
        )


def mark_rows(
    evidence: Evidence, calibration: Calibration, by_person: dict[str, tuple[float | None, str]]
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


def _by_calibration(row: Row, evidence: Evidence, calibration: Calibration) -> tuple[float | None, str]:
    question = BY_NUMBER[row.question]
    if question.figure == TEST:
        return _by_the_pipeline(question, evidence, calibration)
    model = evidence.models[question.model]
    if model.curves is None:
        also = f"; {model.refused}" if model.refused not in ("", NO_MODEL) else ""
        return None, f"withheld: {model.curves_refused}{also}"
    if model.refused:
        return None, f"withheld: {model.refused}"
    figures = calibration.summarise(model.curves)
    reason = _counted(figures)
    if not any(claim.comparable for claim in model.claims):
        data = model.record.data if model.record else None
        if data and not data.real:
            return None, f"withheld: the curve is of other digits, which are not SVHN ({data.name})"
        return None, "withheld: the grader's digits are not SVHN, so the curve could not be checked"
    if waiting := _to_look_at(model, figures.counted):
        return None, f"{waiting}; {reason}"
    counted = bound(model, figures.counted)
    if counted < figures.counted:
        reason += f"; {counted:.1%} counts, the most that the stored file's own score allows"
    return calibration.mark(row.question, counted), reason


def _by_the_pipeline(question: Question, evidence: Evidence, calibration: Calibration) -> tuple[float | None, str]:
    stated = evidence.evaluation_4_2
    if stated is None and evidence.no_notebook:
        return None, f"for a person to mark: no notebook was read: {evidence.no_notebook}"
    if stated is None:
        shown = f"; the cells of 4.2 printed: {evidence.printed_4_2}" if evidence.printed_4_2 else ""
        return None, f"for a person to mark: no accuracy was found in the notebook's stored output{shown}"
    reason = f"test accuracy {stated:.1%}, as the notebook's stored output states it; not measured here"
    if doubt := _unlikely(stated, question.base, evidence.models[question.base]):
        return None, f"withheld until a person has looked: {reason}; {doubt}"
    return calibration.mark(question.number, stated), reason


def _to_look_at(model: Model, counted: float) -> str:
    """Why a person has to look before a figure counts; empty where none has to."""
    if model.doubts:
        return f"withheld until a person has looked: the model {'; '.join(model.doubts)}"
    if unsure := [claim for claim in model.claims if claim.at_least]:
        return (
            "for a person to mark: the preprocessing is not stored with the model, and with the nearest that was tried "
            f"it reads at least {max(claim.measured for claim in unsure):.1%} of the digits"
        )
    if any(claim.contradicted for claim in model.claims):
        return "withheld until a person has looked: the stored model does not do what is claimed"
    if falls_short(model, counted):
        return "withheld until a person has looked: the stored file scores far less than its curve"
    return ""


def _unlikely(stated: float, name: str, base: Model) -> str | None:
    """Why neighbours of a network's embeddings are not simply believed to read so many test digits; None if they are.

    They read about as many as the network itself.
    """
    if base.measured is None:
        return f"there is no {name} to compare that with"
    if base.doubts:
        return f"{name} {'; '.join(base.doubts)}"
    if base.claims and not any(claim.comparable for claim in base.claims):
        return f"{name}'s own figures are of other digits than those measured on"
    found, count = base.measured.accuracy["test"], base.measured.digits["test"]
    if stated - found > max(FALL, 3 * math.sqrt(found * (1 - found) / count)):
        least = "at least " if any(claim.at_least for claim in base.claims) else ""
        return f"{name} itself reads {least}{found:.1%} of the test digits"
    return None


def _counted(figures: CurveFigures) -> str:
    if figures.erratic:
        return (
            f"validation accuracy {figures.counted:.1%}, the smoothed curve's best: the curve is erratic, and its "
            f"peak of {figures.best:.1%} does not count"
        )
    return f"validation accuracy {figures.counted:.1%}, epoch {figures.best_epoch} of {figures.epochs}"


def _to_judge(row: Row, evidence: Evidence) -> str:
    answer = evidence.answers.get(row.question)
    if answer is None:
        why = evidence.no_answer.get(row.question)
        return f"for a person to mark; no written answer was read{f': {why}' if why else ''}"
    over = f", {answer.characters - answer.limit:,} over the limit" if answer.characters > answer.limit else ""
    return f"for a person to mark; the written answer has {answer.characters:,} characters{over}"
