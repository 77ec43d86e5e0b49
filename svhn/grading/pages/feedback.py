"""The text that a student gets: the marks, and the reasons for them that lie in the hand-in itself.

Reasons that lie in the grader's digits, limits or faults stand in the report only.
"""

import textwrap
from itertools import groupby

from svhn.grading.claims import bound
from svhn.grading.facts import NO_CURVES, NO_MODEL, Evidence, Model
from svhn.grading.marks import Mark
from svhn.grading.pages.reports import Graded, plain
from svhn.rubric.calibration import CurveFigures
from svhn.rubric.questions import BY_NUMBER, TEST

_WAITS = "A person will mark this."


def feedback_text(graded: Graded) -> str:
    """The rows with their marks, the total, and a comment for each question."""
    lines = ["Feedback on Assignment 3", f"Student: {graded.student}", ""]
    for mark in graded.marks:
        value = "not yet marked" if mark.value is None else f"{mark.value:4.1f}"
        earned = "" if mark.value is None else f"   {mark.points:.2f} of {mark.row.points:g} points"
        lines.append(f"{mark.row.name:16} {value}{earned}".rstrip())
    lines += ["", f"Total: {graded.total.text}", ""]
    if reason := graded.evidence.unopened:
        lines += [*_wrapped(f"Your hand-in could not be opened: {plain(reason)}."), ""]
    for question, marks in groupby(graded.marks, key=lambda mark: mark.row.question):
        lines.append(f"Question {question}")
        for mark in marks:
            said = " ".join([*_said(mark, graded), plain(mark.comment)]).strip()
            aspect = f"{mark.row.aspect.capitalize()}: " if mark.row.aspect else ""
            lines += _wrapped(aspect + said, "  ") if said else []
        lines.append("")
    return "\n".join(lines)


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, 88, initial_indent=indent, subsequent_indent=indent)


def _said(mark: Mark, graded: Graded) -> list[str]:
    """The sentences about a row, beside a person's comment."""
    if mark.by == "person":
        return []
    question = BY_NUMBER[mark.row.question]
    if not mark.row.calibrated:
        said = _of_the_answer(question.number, graded.evidence)
    elif question.figure == TEST:
        said = _of_the_pipeline(mark, graded.evidence)
    elif mark.value is not None:
        said = _of_the_curve(graded.evidence.models[question.model], graded.figures[question.model])
    else:
        said = _of_the_model(question.model, graded.evidence.models[question.model])
    return [*said, _WAITS] if mark.value is None else said


def _of_the_answer(question: str, evidence: Evidence) -> list[str]:
    answer = evidence.answers.get(question)
    if answer and answer.characters:
        over = answer.characters - answer.limit
        return [f"Your answer has {answer.characters:,} characters, {over:,} over the limit."] if over > 0 else []
    if BY_NUMBER[question].answer_optional or evidence.texts_here:
        return []
    if answer:
        return ["Your written answer is empty."]
    why = evidence.no_answer.get(question)
    return [f"No written answer of yours was read{f': {plain(why)}' if why and why != 'it is missing' else ''}."]


def _of_the_pipeline(mark: Mark, evidence: Evidence) -> list[str]:
    stated = evidence.evaluation_4_2
    if stated is None:
        unread = evidence.texts_here or evidence.unopened or evidence.no_notebook
        return [] if unread else ["No stored output of a notebook states a test accuracy that could be read."]
    return [] if mark.value is None else [f"Your notebook states a test accuracy of {stated:.1%}."]


def _of_the_curve(model: Model, figures: CurveFigures) -> list[str]:
    epochs, counted = figures.epochs, figures.counted
    if figures.erratic:
        said = [
            f"Your validation accuracy counts with {counted:.1%}, the best of its smoothed curve: the curve jumps from "
            f"epoch to epoch, and its single peak of {figures.best:.1%} does not count."
        ]
    else:
        said = [f"Your best validation accuracy is {counted:.1%}, in epoch {figures.best_epoch} of {epochs}."]
    if (most := bound(model, counted)) < counted:
        said.append(f"Of that {most:.1%} counts, because the model file that you handed in reads no more.")
    return said


def _of_the_model(name: str, model: Model) -> list[str]:
    """The reasons in the hand-in itself that keep a model from a mark."""
    if (model.curves_refused, model.refused) == (NO_CURVES, NO_MODEL):
        return [f"You handed in neither {name} nor its learning curves."]
    said = []
    if (reason := model.curves_refused) and not model.curves_here:
        unread = f"Your learning curves could not be read: {plain(reason)}."
        said.append("You handed in no file of learning curves." if reason == NO_CURVES else unread)
    if (reason := model.refused) and not model.here:
        unread = f"Your {name} could not be measured: {plain(reason)}."
        said.append(f"You handed in no {name}." if reason == NO_MODEL else unread)
    return said + [f"Your {name} {plain(doubt)}." for doubt in model.doubts]
