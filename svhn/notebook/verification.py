"""Measures every published figure anew: those of stored models, of the results table and of the written answers."""

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
import numpy as np

from svhn.backend import load_keras
from svhn.data.protocol import Split, split_digits
from svhn.data.sources import MAT_FILES, load_digits, read_mat
from svhn.digits import Digits
from svhn.errors import SVHNError, one_line
from svhn.learning.records import Record, load_record, stored_names
from svhn.notebook.cards import by_digit
from svhn.notebook.cells import NOTEBOOK, load_definitions, parameters
from svhn.notebook.execution import execute_notebook
from svhn.notebook.measurement import measure
from svhn.notebook.numbers import check_numbers, read_answers
from svhn.notebook.results import RESULTS, TABLE, read_figures, read_results, results_table
from svhn.settings import Settings

# The number of official training digits, which precede the test digits in OpenML's data set.
OFFICIAL_TRAINING = 73_257


@dataclass(frozen=True)
class Check:
    """A published figure and the same figure measured anew, both as they are shown."""

    figure: str
    recorded: str
    measured: str

    @property
    def same(self) -> bool:
        """Whether the two agree."""
        return self.recorded == self.measured

    def __str__(self) -> str:
        """One line."""
        return f"{self.figure}: recorded {self.recorded}, measured {self.measured}: {'ok' if self.same else 'differs'}"


def published_digits(
    source: str | Path | None = None, models: Path = Path("models"), folder: Path = Path("data")
) -> Digits:
    """Finds the digits that the published figures were measured on, in any source that holds them.

    Args:
        source: A source, as `load_digits` takes it, or the path of the official `test_32x32.mat` or of a folder with
            it, for which the training file is not needed.
        models: The folder of the records, which name the digits' number and fingerprint.
        folder: The data folder.

    Returns:
        The digits: the first ones of the source, or the first official test digits.

    Raises:
        SVHNError: The source cannot be read, or does not hold these digits.
    """
    count, fingerprint, name = _published(models)
    everything = _load(source, Path(folder))
    for start in (0, OFFICIAL_TRAINING):
        part = slice(start, start + count)
        if len(everything.labels[part]) < count:
            continue
        images, labels = np.ascontiguousarray(everything.images[part]), everything.labels[part]
        digits = Digits(
            images, labels, name, everything.real, everything.identity if len(everything) == count else None
        )
        if digits.fingerprint == fingerprint:
            return digits
    raise SVHNError(
        f"{everything.description} do not hold the {count:,} digits that the figures were published on (fingerprint "
        f"{fingerprint}); name the official test_32x32.mat, openml, or {name}"
    )


def verify(
    digits: Digits, models: Path = Path("models"), readme: Path = Path("README.md"), notebook: Path = NOTEBOOK
) -> Iterator[Check]:
    """Measures the published figures anew, in the order in which they depend on each other.

    Args:
        digits: The published digits.
        models: The folder of the stored models, their records and the published figures.
        readme: The page with the table of results.
        notebook: The notebook, which is executed once. `answers.py` lies beside it.

    Yields:
        One check a figure.

    Raises:
        SVHNError: A file without which nothing can be measured is missing or damaged.
    """
    if not parameters(notebook).get("stop_training", True):
        raise SVHNError(f"{notebook} is set to train; set stop_training = True, so that the stored models are measured")
    published = read_results(models)
    load_keras()
    definitions = load_definitions(notebook)
    split, records = split_digits(digits), {}
    for name in stored_names(models):
        records[name] = load_record(models, name)
        if set(records[name].accuracy) != {"validation", "test"}:
            raise SVHNError(f"the record of {name} has no accuracy on validation and test digits; restore it from git")
        try:
            measured, why = measure(name, models, split, definitions), ""
        except SVHNError as error:
            measured, why = records[name], f"nothing ({error})"
        yield from _check_model(records[name], measured, why, split)
        records[name] = measured
    try:
        executed, missing = _execute(notebook, digits, definitions), "nothing"
    except SVHNError as error:  # A line above names a damaged model, say. The rest is still compared.
        executed, missing = nbformat.v4.new_notebook(), f"nothing ({error})"
    figures = read_figures(executed)
    for question, shown in published.items():
        shares = figures[question].figures if question in figures else {}
        for name, recorded in shown.figures.items():
            count = split.provenance.of("validation" if name.startswith("validation") else "test")
            anew = _share(shares[name], count) if name in shares else missing
            yield Check(f"{RESULTS}, {question} {name.replace('_', ' ')}", _share(recorded, count), anew)
    yield from _check_table(readme, results_table(records, figures))
    if not executed.cells:
        yield Check("answers.py, all numbers", "as published", missing)
        return
    for number in check_numbers(read_answers(notebook.parent / "answers.py"), executed, models):
        nearest = number.text if number.same else f"nothing like it (nearest: {number.nearest})"
        yield Check(f"answers.py, {number.question}", number.text, nearest)


def print_checks(source: str | Path | None) -> int:
    """Verifies the project in this folder on the digits of a source, prints a line a figure, and counts differences.

    Raises:
        SVHNError: `published_digits` or `verify` raises it.
    """
    digits = published_digits(source)
    print(f"digits: {digits.description}, fingerprint {digits.fingerprint}", flush=True)
    differing = 0
    for check in verify(digits):
        differing += not check.same
        print(check, flush=True)
    print("trainings are not repeated: learning curves and the tables of comparisons are taken as recorded")
    print(f"{differing} differ" if differing else "all figures are as published")
    return differing


def _published(models: Path) -> tuple[int, str, str]:
    """The number, fingerprint and name of the digits in the stored models' records."""
    data = {name: load_record(models, name).data for name in stored_names(models)}
    known = {one and (one.digits, one.fingerprint, one.name) for one in data.values()}
    if len(known) == 1 and (published := known.pop()):
        return published
    listed = ", ".join(data) or "there are none"
    raise SVHNError(f"the records in {models} name different digits ({listed}); restore them from git")


def _load(source: str | Path | None, folder: Path) -> Digits:
    """Loads all digits of a source, for which the official test file alone will do."""
    place = folder if source in (None, "mat") else Path(os.path.expanduser(source))  # noqa: PTH111 (never raises)
    path = place / MAT_FILES[1] if place.is_dir() else place
    if path.suffix == ".mat" and (path.is_file() or path == place):
        images, labels = read_mat(path)
        return Digits(images, labels, path.name, real=True)
    return load_digits(source, folder)


def _share(share: float, count: int) -> str:
    """A share of a number of digits as it is shown; kinds of processor differ in less than a digit."""
    return f"{share:.2%} ({round(share * count):,} of {count:,})"


def _check_model(record: Record, measured: Record, why: str, split: Split) -> Iterator[Check]:
    """Compares a record's accuracies with those measured, or with the reason for their lack."""
    name = record.name
    for part, recorded in record.accuracy.items():
        count = split.provenance.of(part)
        yield Check(f"{name}, {part}", _share(recorded, count), why or _share(measured.accuracy[part], count))
    if record.test_by_digit:
        yield Check(f"{name}, test, by digit", by_digit(record), why or by_digit(measured))


def _execute(notebook: Path, digits: Digits, definitions: dict[str, Any]) -> nbformat.NotebookNode:
    """Executes the notebook on these digits, without the embeddings of earlier runs."""
    kept = definitions.get("EMBEDDINGS")
    for path in (notebook.parent / kept).glob(f"*-{digits.fingerprint}-*.npy") if kept else []:
        path.unlink()
    with tempfile.TemporaryDirectory() as folder:
        # A file of the published name gives the titles and texts of the published run.
        path = Path(folder) / (digits.name if digits.name.endswith(".npz") else "digits.npz")
        np.savez(path, X=digits.images, y=digits.labels, real=digits.real)
        return execute_notebook(notebook, replace(Settings(), data=str(path)))


def _check_table(readme: Path, table: str) -> Iterator[Check]:
    """Compares the README's table with the measured one, row by row."""
    try:
        found = TABLE.search(readme.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SVHNError(f"{readme} cannot be read ({one_line(error)}); restore it from git") from error
    shown, measured = (_rows(text) for text in (found[0] if found else "", table))
    for label in [*measured, *(label for label in shown if label not in measured)]:
        rows = [_plain(rows.get(label, "nothing")) for rows in (shown, measured)]
        yield Check(f"{readme.name}, {label}", *rows)


def _rows(text: str) -> dict[str, str]:
    """The rows of a table without its head, by the text of their first column."""
    rows = [row for row in text.splitlines() if row.startswith("|")][2:]
    return {row.strip("| ").partition("|")[0].strip(): row for row in rows}


def _plain(row: str) -> str:
    """A row without its first column and without bars."""
    return re.sub(r"(?:\s*\|\s*)+", "; ", row.partition("|")[2].partition("|")[2].strip(" |")) or row
