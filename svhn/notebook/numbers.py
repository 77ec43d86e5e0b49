"""Compares every number in the written answers with the measured figures and the notebook's text."""

import ast
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import nbformat
from nbconvert.filters import strip_ansi

from svhn.errors import SVHNError
from svhn.learning.paired import Comparison, load_comparison
from svhn.learning.records import Record, load_record, record_path
from svhn.notebook.cells import QUESTION, assigned, read_notebook, tagged_cells
from svhn.notebook.report import read_sections
from svhn.notebook.results import REFERENCE, RESULTS, read_results

# The questions whose measurements an answer may cite, beside its own.
CITED = {
    "1.2": ["1.1"],
    "1.3": ["1.2"],
    "2.1": ["1.3"],
    "2.2": ["2.1"],
    "3.1": ["2.2"],
    "3.2": ["2.2"],
    "3.3": ["2.2", "3.1"],
    "4.1": ["2.2"],
    "4.2": ["4.1"],
}
# Numbers that may stand in any answer without a measurement, with the reason.
CONSTANTS = {
    10: "there are ten digits",
    63_544: "real training digits of the reference hand-in: 64 % of 99,289",
    12: "how many times as many real training digits the reference hand-in had",
    100: "a share of all is 100 %",
}
_WORDS = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
_WORDS += "seventeen eighteen nineteen twenty".split()
_WORD = {word: number for number, word in enumerate(_WORDS, start=2)} | {"thirty": 30, "forty": 40, "fifty": 50}
_PARTS = {"halves": 2, "thirds": 3, "quarters": 4, "fifths": 5, "tenths": 10}
# The tolerance for a share in words, in points: it counts as rounded.
_ROUGHLY = 3.0
_NUMERAL = r"(?<![\w.,])[-+]?(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
_TOKEN = re.compile(rf"{_NUMERAL}|\b({'|'.join(_WORD)})\b(?: ({'|'.join(_PARTS)})\b)?", re.I)
# The rest of a row of numbers, between the first and their unit: "92.3 and 91.1 %", "2.0 to 3.1 points".
_ROW = r"(?:(?:,|,? and|,? or| to| instead of|,? against| from) [-+]?\d+(?:\.\d+)?)*"
_PERCENT, _POINTS = (re.compile(rf"{_ROW} ?(?:{unit})") for unit in ("%|per ?cent", "(?:percentage )?points?"))
# Signs that a numeral is a digit that is read, and no count: "the 5", "a 5 beside a 1", "7 read as 1".
_CLASS_BEFORE = re.compile(r"\b(?:digits?|the|an?|as|misread|every|each|of a|or|for) $", re.I)
_CLASS_AFTER = re.compile(r"s?(?: read as| beside|[.,;:)]| [a-z]|s?$)")
_PAIR = re.compile(rf"{_NUMERAL} (?:out )?of {_NUMERAL}")


@dataclass
class Measured:
    """The numbers that an answer may cite.

    Attributes:
        shares: Shares in per cent.
        accuracies: Those of them that are accuracies.
        numbers: All other numbers.
        pairs: Pairs of counts, "8 of 146".
    """

    shares: set[float] = field(default_factory=set)
    accuracies: set[float] = field(default_factory=set)
    numbers: set[float] = field(default_factory=set)
    pairs: set[tuple[float, float]] = field(default_factory=set)

    @property
    def points(self) -> set[float]:
        """Differences of accuracies, both exact and rounded, in percentage points."""
        rounded = [round(share, 1) for share in self.accuracies]
        both = (abs(a - b) for values in (self.accuracies, rounded) for a, b in combinations(values, 2))
        return set(both) | {abs(share) for share in self.shares}


@dataclass(frozen=True)
class Number:
    """A number of an answer.

    Attributes:
        question: "1.1".
        text: The number as it is written, with its unit.
        nearest: The nearest measured number.
        same: Whether the two agree at the written decimals.
    """

    question: str
    text: str
    nearest: float | None
    same: bool


def read_answers(path: Path) -> dict[str, str]:
    """The written answers by question, from `answers.py`, which is parsed and not run.

    Raises:
        SVHNError: The file is missing or holds something else than plain strings.
    """
    try:
        values = assigned(path.read_text(encoding="utf-8"))
        texts = {name: ast.literal_eval(value) for name, value in values.items()}
    except (OSError, SyntaxError, ValueError) as error:
        raise SVHNError(f"{path} cannot be read as plain answers ({error}); restore it from git") from error
    return {name.removeprefix("answer_q_").replace("_", "."): text for name, text in texts.items()}


def check_numbers(answers: dict[str, str], notebook: nbformat.NotebookNode, models: Path) -> list[Number]:
    """Compares every number in answers, counts and number words from two up, with the measured ones.

    Args:
        answers: The answers by question.
        notebook: The executed notebook, whose printed and written numbers count.
        models: The folder of records, comparisons and published figures.

    Raises:
        SVHNError: A record, a comparison or the published figures are missing or damaged.
    """
    numbers = []
    for question, answer in answers.items():
        measured = Measured()
        for source in ("", question, *CITED.get(question, [])):
            _add_question(measured, source, notebook, models)
        numbers += _compare(question, answer, measured)
    return numbers


def print_moved(answers: Path, notebook: Path, models: Path) -> None:
    """Prints the numbers of the written answers that the stored models and the executed notebook do not bear out.

    Without published figures, as in a student's copy, it prints nothing.
    """
    if not (models / RESULTS).exists():
        return
    try:
        numbers = check_numbers(read_answers(answers), read_notebook(notebook), models)
    except SVHNError as error:
        print(f"the numbers in {answers} were not compared: {error}")
        return
    moved = [number for number in numbers if not number.same]
    for number in moved:
        print(f"{answers}, {number.question}: {number.text} was not measured (nearest: {number.nearest})")
    print(f"{answers}: {len(moved)} of {len(numbers)} numbers are not what was measured")


def _compare(question: str, answer: str, measured: Measured) -> list[Number]:
    found: list[Number] = []
    paired: set[int] = set()
    for match in _PAIR.finditer(answer):
        pair = _value(match[1]), _value(match[2])
        of_first = [one for one in measured.pairs if one[1] == pair[1]] or list(measured.pairs)
        nearest = min((one[0] for one in of_first), key=lambda one: abs(one - pair[0]), default=None)
        found.append(Number(question, match[0], nearest, pair in measured.pairs))
        paired.update(range(*match.span()))
    for match in _TOKEN.finditer(answer):
        before, after = answer[: match.start()], answer[match.end() :]
        if match.start() in paired or _is_name(match[0], before, after):
            continue
        if match[3]:  # "two thirds"
            share = 100 * _WORD[match[2].lower()] / _PARTS[match[3].lower()]
            nearest = _nearest(share, measured.shares)
            same = nearest is not None and abs(nearest - share) <= _ROUGHLY
            found.append(Number(question, match[0], nearest, same))
            continue
        value = _value(match[1]) if match[1] else float(_WORD[match[2].lower()])
        unit, pool = "", measured.numbers | set(map(float, CONSTANTS))
        if match[1] and _PERCENT.match(after):
            unit, pool = " %", measured.shares | {100.0}
        elif match[1] and _POINTS.match(after):
            unit, pool = " points", measured.points
        decimals = len(match[1].partition(".")[2]) if match[1] else 0
        same = any(f"{one:.{decimals}f}" == f"{value:.{decimals}f}" for one in pool)
        found.append(Number(question, match[0] + unit, _nearest(value, pool), same))
    return found


def _is_name(text: str, before: str, after: str) -> bool:
    """Whether a numeral names a question, "1.2's network", or a digit that is read, "the 5"."""
    if re.fullmatch(r"1\.[1-3]|2\.[12]|3\.[1-3]|4\.[12]", text):
        units = _PERCENT, _POINTS, re.compile(" (?:times|pixels|degrees|seconds)")
        return not any(unit.match(after) for unit in units)
    counted = re.match(r" ?(?:%|out of|of|x\d|epochs?|batches|seeds|times|units|channels|points|pixels)", after)
    if not re.fullmatch(r"\d", text) or counted:
        return False
    return bool(
        after.startswith((" read as", " beside")) or (_CLASS_BEFORE.search(before) and _CLASS_AFTER.match(after))
    )


def _add_question(measured: Measured, question: str, notebook: nbformat.NotebookNode, models: Path) -> None:
    """Adds the numbers of a question's cells, record, comparison and figures; "" means those above all questions."""
    for text in _texts(question, notebook):
        text = re.sub(r"(?<=\d)_(?=\d)", "", text)
        measured.numbers |= {_value(one) for one in re.findall(_NUMERAL, text)}
        measured.numbers |= {float(one) for one in re.findall(r"\b\d+(?:\.\d+)?e-?\d+\b", text)}
        measured.numbers |= {float(one) for size in re.findall(r"\b(\d+)x(\d+)\b", text) for one in size}
        measured.shares |= {_value(one) for one in re.findall(rf"{_NUMERAL} ?%", text)}
        measured.pairs |= {(_value(a), _value(b)) for a, b in _PAIR.findall(text)}
        # The numbers of a printed network's layers of each kind.
        measured.numbers |= set(map(float, Counter(re.findall(r"^│ \w+ \((\w+)\)", text, re.M)).values()))
    place = question.replace(".", "_")
    if record_path(models, f"model_{place}").exists():
        _add_record(measured, load_record(models, f"model_{place}"))
    if (path := models / f"comparison_{place}.json").exists():
        _add_comparison(measured, load_comparison(path))
    if published := read_results(models).get(question):
        measured.accuracies |= {100 * share for share in published.figures.values()}
    names = (f"model_{place}", question, f"{question} averaged over copies")
    measured.accuracies |= {float(REFERENCE[name].split()[0]) for name in names if name in REFERENCE}
    measured.shares |= measured.accuracies


def _add_record(measured: Measured, record: Record) -> None:
    curves, recipe = record.learning_curves, record.recipe
    shares = [*record.accuracy.values(), curves["accuracy"][-1], curves["val_accuracy"][-1]]
    measured.accuracies |= {100 * share for share in [*shares, max(curves["val_accuracy"])]}
    data = vars(record.data).values() if record.data else ()
    counts = [record.parameters, len(curves["loss"]), recipe.epochs, recipe.batch_size, recipe.steps_per_epoch]
    # "24 epochs of 250 batches", and all of these.
    counts += [recipe.epochs * recipe.steps_per_epoch, *(value for value in data if type(value) is int)]
    measured.numbers |= set(map(float, counts))
    measured.pairs |= {(float(recipe.epochs), float(recipe.steps_per_epoch))}


def _add_comparison(measured: Measured, stored: Comparison) -> None:
    table, counts = stored.table(), [stored.validation, stored.epochs, stored.batch_size, stored.steps_per_epoch]
    counts += [stored.batches, stored.seeds]
    measured.accuracies |= {100 * float(share) for name in ("mean", "least", "greatest") for share in table[name]}
    measured.shares |= {100 * float(share) for share in table["difference"]}
    measured.numbers |= {float(one) for one in [*counts, *table["gained"], *table["lost"], *table["p"]]}


def _texts(question: str, notebook: nbformat.NotebookNode) -> list[str]:
    """The sources of a question's cells, without its answer, and their printed text."""
    texts, current = [], ""
    answers = {id(cell) for cell in tagged_cells(notebook, "answer")}
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (heading := QUESTION.search(cell.source)):
            current = heading[1]
        if current != question or id(cell) in answers or cell.source.startswith("**"):
            continue
        texts.append(cell.source)
    for section in read_sections(notebook):
        if section.number == question:
            texts += [strip_ansi(part.content) for part in section.parts if part.kind == "text"]
    return texts


def _value(text: str) -> float:
    return float(text.replace(",", "").lstrip("+-"))


def _nearest(value: float, pool: set[float]) -> float | None:
    return min(pool, key=lambda one: abs(one - value), default=None)
