"""Every published figure measured anew: those of stored models, of the results table and of the written answers."""

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
from svhn.notebook.cells import NOTEBOOK, RESULTS, load_definitions, parameters, read_figures
from svhn.notebook.execution import execute_notebook
from svhn.notebook.measurement import measure
from svhn.notebook.numbers import check_numbers, read_answers
from svhn.notebook.results import TABLE, read_results, results_table
from svhn.settings import Settings

# The official training digits, which stand before the test digits in OpenML's data set.
OFFICIAL_TRAINING = 73_257


@dataclass(frozen=True)
class Check:
    """A published figure beside the same figure measured anew, both as they are shown."""

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
    """The digits that the published figures were measured on, out of whatever a person has that holds them.

    Args:
        source: As `load_digits` takes it; or the path of the official `test_32x32.mat`, which does without the training
            file, as does a folder that holds it.
        models: The folder of the records, which say how many digits these are, and their fingerprint.
        folder: The data folder.

    Returns:
        So many digits from the first on, or from the first official test digit on.

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
        digits: As `published_digits` gives them.
        models: The folder of the stored models, their records and the published figures.
        readme: Holds the table of results.
        notebook: Defines how models see digits; it is executed once. `answers.py` lies beside it.

    Yields:
        One check a figure.

    Raises:
        SVHNError: A file that is needed to measure anything is missing or damaged.
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
    except SVHNError as error:  # As where a model is damaged, of which a line above speaks: the rest is still compared.
        executed, missing = nbformat.v4.new_notebook(), f"nothing ({error})"
    figures = read_figures(executed)
    for question, content in published.items():
        for name, recorded in content["figures"].items():
            count = _count(split, "validation" if name.startswith("validation") else "test")
            share = figures.get(question, {}).get("figures", {}).get(name)
            anew = missing if share is None else _share(share, count)
            yield Check(f"{RESULTS}, {question} {name.replace('_', ' ')}", _share(recorded, count), anew)
    yield from _check_table(readme, results_table(records, figures))
    if not executed.cells:
        yield Check("answers.py, all numbers", "as published", missing)
        return
    for number in check_numbers(read_answers(notebook.parent / "answers.py"), executed, models):
        nearest = number.text if number.same else f"nothing like it (nearest: {number.nearest})"
        yield Check(f"answers.py, {number.question}", number.text, nearest)


def print_checks(source: str | Path | None) -> int:
    """Verifies the project in this folder on the digits of a source, a line a figure; gives how many figures differ.

    Raises:
        SVHNError: As `published_digits` and `verify` do.
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
    """Number, fingerprint and name of the digits that the stored models' records speak of."""
    named = {name: load_record(models, name).data for name in stored_names(models)}
    spoken_of = {data and (data.digits, data.fingerprint, data.name) for data in named.values()}
    if len(spoken_of) == 1 and (published := spoken_of.pop()):
        return published
    listed = ", ".join(named) or "there are none"
    raise SVHNError(f"the records in {models} do not speak of the same digits ({listed}); restore them from git")


def _load(source: str | Path | None, folder: Path) -> Digits:
    """All digits of a source; the official test file alone will do."""
    place = folder if source in (None, "mat") else Path(os.path.expanduser(source))  # noqa: PTH111 (never raises)
    path = place / MAT_FILES[1] if place.is_dir() else place
    if path.suffix == ".mat" and (path.is_file() or path == place):
        images, labels = read_mat(path)
        return Digits(images, labels, path.name, real=True)
    return load_digits(source, folder)


def _count(split: Split, part: str) -> int:
    return len(split.y_val if part == "validation" else split.y_test)


def _share(share: float, count: int) -> str:
    """A share of so many digits as it is shown: kinds of processor differ in what lies below a digit."""
    return f"{share:.2%} ({round(share * count):,} of {count:,})"


def _check_model(record: Record, measured: Record, why: str, split: Split) -> Iterator[Check]:
    """A record's accuracies beside those measured, or beside the reason why there are none."""
    name = record.name
    for part, recorded in record.accuracy.items():
        count = _count(split, part)
        yield Check(f"{name}, {part}", _share(recorded, count), why or _share(measured.accuracy[part], count))
    if record.test_by_digit:
        yield Check(f"{name}, test, by digit", by_digit(record), why or by_digit(measured))


def _execute(notebook: Path, digits: Digits, definitions: dict[str, Any]) -> nbformat.NotebookNode:
    """The notebook executed on these digits, with no embedding kept from before."""
    kept = definitions.get("EMBEDDINGS")
    for path in (notebook.parent / kept).glob(f"*-{digits.fingerprint}-*.npy") if kept else []:
        path.unlink()
    with tempfile.TemporaryDirectory() as folder:
        # In a file of the published name, so that titles and texts are those of the published run.
        path = Path(folder) / (digits.name if digits.name.endswith(".npz") else "digits.npz")
        np.savez(path, X=digits.images, y=digits.labels, real=digits.real)
        return execute_notebook(notebook, replace(Settings(), data=str(path)))


def _check_table(readme: Path, table: str) -> Iterator[Check]:
    """The README's table, row by row, beside the same table of what was measured."""
    try:
        found = TABLE.search(readme.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SVHNError(f"{readme} cannot be read ({one_line(error)}); restore it from git") from error
    shown, measured = (_rows(text) for text in (found[0] if found else "", table))
    for label in [*measured, *(label for label in shown if label not in measured)]:
        rows = [_plain(rows.get(label, "nothing")) for rows in (shown, measured)]
        yield Check(f"{readme.name}, {label}", *rows)


def _rows(text: str) -> dict[str, str]:
    """The rows of a table, by what stands in their first column; the head is left out."""
    return {_label(row): row for row in [row for row in text.splitlines() if row.startswith("|")][2:]}


def _label(row: str) -> str:
    return row.strip("| ").partition("|")[0].strip()


def _plain(row: str) -> str:
    return re.sub(r"(?:\s*\|\s*)+", "; ", row.partition("|")[2].partition("|")[2].strip(" |")) or row
