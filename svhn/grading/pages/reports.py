"""The pages for the person who marks: a report for each hand-in, a table and an index for the course."""

import csv
import io
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from svhn.files import write_text
from svhn.grading.claims import TOLERANCE, bound, exceeds
from svhn.grading.facts import Claim, Evidence
from svhn.grading.marks import Mark, Total, total_of
from svhn.rubric.calibration import CurveFigures
from svhn.rubric.questions import BY_NUMBER, POINTS, ROWS

PLOTS = "plots"
_WIDTH, _HEIGHT = 560, 170


@dataclass(frozen=True)
class Graded:
    """A graded hand-in.

    Attributes:
        name: Of the hand-in and of its folder of results.
        evidence: As stored.
        marks: The sixteen.
        figures: Of each model's validation curve; see `svhn.rubric.calibration.summarise`.
        shared: What it has in common with other hand-ins, a line for each circle of them.
    """

    name: str
    evidence: Evidence
    marks: list[Mark]
    figures: dict[str, CurveFigures] = field(default_factory=dict)
    shared: list[str] = field(default_factory=list)

    @property
    def total(self) -> Total:
        """Over the rows that are marked."""
        return total_of(self.marks)

    @property
    def student(self) -> str:
        """As `NAME (ID)`, or where nothing says either, the hand-in's name."""
        student = self.evidence.student
        if not student.name and not student.id:
            return f"unknown, of the hand-in {self.name}"
        return f"{plain(student.name or 'name unknown')} ({plain(student.id or 'number unknown')})"

    @property
    def flags(self) -> list[str]:
        """Lines about things that a person should look at.

        These are doubtful models, claims that the files do not bear out, and work shared with other hand-ins.
        """
        return [*self._of_models(), *self._of_the_pipeline(), *self.shared]

    def _of_models(self) -> Iterator[str]:
        for name, model in self.evidence.models.items():
            yield from (f"{name} {doubt}" for doubt in model.doubts)
            flagged = [claim for claim in model.claims if claim.flagged]
            yield from (f"{name}: {claim_text(claim)}" for claim in flagged)
            counted = self.figures[name].counted if name in self.figures else 0
            if model.measured and exceeds(model, counted) and counted not in [claim.claimed for claim in flagged]:
                scored = f"the stored file scores {model.measured.accuracy['validation']:.1%}"
                chance = "" if bound(model, counted) < counted else ", which may be chance"
                yield f"{name}: its curve would count with {counted:.1%}, and {scored}{chance}"

    def _of_the_pipeline(self) -> Iterator[str]:
        for mark in self.marks:
            question, stated = BY_NUMBER[mark.row.question], self.evidence.evaluation_4_2
            if stated and question.base and mark.by == "calibration":
                base = self.evidence.models[question.base].measured
                if base and stated - base.accuracy["test"] > TOLERANCE:
                    found = f"{question.base} itself reads {base.accuracy['test']:.1%}"
                    yield f"{question.number}: its notebook states a test accuracy of {stated:.1%}, and {found}"


def plain(text: Any) -> str:
    """One line without control characters: a hand-in's text may hold codes that steer a terminal."""
    return " ".join(
        re.sub(r"[^\S\n]|[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", " ", str(text)).split()
    )


def claim_text(claim: Claim) -> str:
    """One line: the claimed figure, the measured one, their difference, and the digits."""
    least = "at least " if claim.at_least else ""
    sign = "+" if claim.difference >= 0 else "-"
    line = (
        f"{claim.part} accuracy by {claim.source}: {claim.claimed:.1%} claimed, {least}"
        f"{claim.measured:.1%} measured, {sign}{abs(claim.difference) * 100:.1f} points (standard error "
        f"{claim.standard_error * 100:.1f})"
    )
    if claim.at_least:
        line += "; its preprocessing is not known, and the nearest of those tried here was used"
    elif claim.above:
        line += "; so much more than claimed is measured that it may have been trained on the digits measured on"
    elif claim.flagged and abs(claim.difference) < 2 * claim.standard_error:
        line += ", which may be chance"
    if claim.same:
        return line
    if claim.digits is None:
        return f"{line}; the hand-in does not say on which digits"
    return f"{line}; claimed on other digits, {plain(claim.digits)}" + (
        "" if claim.comparable else ", so the two cannot be compared"
    )


def write_handin(graded: Graded, folder: Path) -> None:
    """Writes `report.html`, the page for the person who marks."""
    questions = [
        _question(graded, question, list(marks), folder)
        for question, marks in groupby(graded.marks, key=lambda mark: mark.row.question)
    ]
    claims = [claim for model in graded.evidence.models.values() for claim in model.claims]
    others = [claim.digits for claim in claims if claim.digits and not claim.same]
    page = _template("report.html").render(
        graded=graded,
        questions=questions,
        flags=graded.flags,
        rows=len(ROWS),
        evidence=graded.evidence,
        other_digits=others[0] if others else None,
    )
    write_text(folder / "report.html", page)


def write_course(graded: Sequence[Graded], out: Path, digits: str) -> None:
    """Writes `grades.csv` and `index.html`."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    columns = ["handin", "name", "student_id", "mark", "points", "points_marked", "rows_marked"]
    writer.writerow([*columns, *(row.name for row in ROWS), "flags", "findings"])
    for one in graded:
        total, student = one.total, one.evidence.student
        mark = "" if total.mark is None else f"{total.mark:.1f}"
        values = ["" if m.value is None else f"{m.value:.1f}" for m in one.marks]
        who = [cell(one.name), cell(student.name or ""), cell(student.id or "")]
        sums = [mark, f"{total.earned:.2f}", f"{total.possible:g}", total.marked]
        writer.writerow([*who, *sums, *values, len(one.flags), len(one.evidence.findings)])
    write_text(out / "grades.csv", table.getvalue())
    marks = [one.total.mark for one in graded if one.total.mark is not None]
    page = _template("index.html").render(
        graded=graded,
        digits=digits,
        mean=statistics.mean(marks) if marks else None,
        complete=sum(one.total.complete for one in graded),
        rows=len(ROWS),
        points=POINTS,
    )
    write_text(out / "index.html", page)


def _question(graded: Graded, question: str, marks: list[Mark], folder: Path) -> dict[str, Any]:
    evidence, name = graded.evidence, BY_NUMBER[question].model
    model = evidence.models.get(name)
    curves = model.curves if model else None
    plots = sorted((folder / PLOTS).glob(f"{question}-*.png"), key=lambda path: int(path.stem.rpartition("-")[2]))
    return {
        "number": question,
        "points": f"{sum(mark.row.points for mark in marks):g}",
        "marks": marks,
        "name": name,
        "model": model,
        "claims": [(claim, claim_text(claim)) for claim in model.claims] if model else [],
        "figures": graded.figures.get(name),
        "chart": _chart(curves, graded.figures[name].smoothed_curve) if curves else None,
        "answer": evidence.answers.get(question),
        "plots": [f"{PLOTS}/{path.name}" for path in plots],
    }


def _chart(curves: Mapping[str, Sequence[float | None]], smoothed: Sequence[float]) -> dict[str, Any]:
    """Lines of a chart of accuracies over the epochs, as an SVG's points."""
    lines = {"training": curves["accuracy"], "validation": curves["val_accuracy"], "smoothed": smoothed}
    low = min(0.9, min(value for line in lines.values() for value in line if value is not None) // 0.1 * 0.1)
    scale = _HEIGHT / (1 - low)

    def points(values: Sequence[float | None]) -> str:
        step = _WIDTH / max(1, len(values) - 1)
        return " ".join(
            f"{i * step:.1f},{(1 - value) * scale:.1f}" for i, value in enumerate(values) if value is not None
        )

    ticks = [(share / 10, (1 - share / 10) * scale) for share in range(round(low * 10), 11, 1 if low > 0.5 else 2)]
    return {
        "lines": {name: points(values) for name, values in lines.items()},
        "ticks": ticks,
        "epochs": len(smoothed),
        "width": _WIDTH,
        "height": _HEIGHT,
    }


# Where a spreadsheet sees the start of a formula, be it one that splits lines at semicolons or tabs. Signs may be wide
# or small, and behind letters that nobody sees.
_FORMULA = re.compile(
    r"(^|[;,\t|])([\s\"'\u00ad\u061c\u180e\u200b-\u200f\u2060-\u206f\ufe0f\ufeff]*)"
    r"(?=[=+\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20])"
)


def cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return _FORMULA.sub(r"\1\2'", plain(text))


@lru_cache
def _template(name: str) -> Any:
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "plain": plain,
        "percent": lambda share: f"{share:.1%}",
        "href": lambda name: quote(name),
        "megabytes": lambda size: f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB",
    }
    return environment.get_template(name)
