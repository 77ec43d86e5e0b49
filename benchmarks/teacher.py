"""What the teacher is worth: every model with and without it, all else equal, for a tenth of the recipes' length.

    python benchmarks/teacher.py --published weights.npz           a tenth: an hour or two on two cores
    python benchmarks/teacher.py --length 1 --models model_1_2     in full: trained without, beside the file that ships

Writes `benchmarks/teacher.md` after every model, or of other lengths and digits a table in `output/teacher/`, and keeps
the rows there that were measured under conditions which still hold: length, digits, teacher, backend and cells. A
killed run goes on where it was; what is finished lies in `output/teacher/`, in a folder named after the conditions.
"""

import argparse
import contextlib
import hashlib
import io
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import keras
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from svhn.data.protocol import split_digits  # noqa: E402
from svhn.data.sources import EXTENSION_DIGITS, load_digits  # noqa: E402
from svhn.drawn.drawing import EDITION  # noqa: E402
from svhn.errors import SVHNError  # noqa: E402
from svhn.files import sha256, write_text  # noqa: E402
from svhn.learning.records import load_record  # noqa: E402
from svhn.notebook.cells import load_definitions, read_notebook, tagged_cells, trainable_names  # noqa: E402
from svhn.notebook.results import wilson  # noqa: E402
from svhn.settings import EXTENSION_VARIABLE, LENGTH_VARIABLE, SOURCE_VARIABLE, TEACHER_VARIABLE  # noqa: E402

NOTEBOOK, TABLE, SHIPPED = ROOT / "Assignment3.ipynb", ROOT / "benchmarks" / "teacher.md", ROOT / "models"
SHARED = ROOT.parent / "shared"
OUTPUT = ROOT / "output" / "teacher"
LENGTHS = 0.1, 1.0


def trained(name: str, folder: Path, teacher: Path | None) -> dict[str, Any]:
    """The record of a model, trained now unless `folder` already holds it."""
    with contextlib.suppress(SVHNError):
        return load_record(folder, name)
    os.environ[TEACHER_VARIABLE] = ""
    with contextlib.redirect_stdout(io.StringIO()):
        load_definitions(NOTEBOOK, "data", name, stop_training=False, base_dir=str(folder), teacher=teacher)
    plt.close("all")
    return load_record(folder, name)


def shipped(name: str, teacher: str) -> dict[str, Any]:
    """The record of the file that ships, which must have learned from the teacher whose file has that SHA-256."""
    record = load_record(SHIPPED, name)
    if (record["data"].get("teacher") or {}).get("sha256") != teacher:
        raise SVHNError(f"models/{name}.keras did not learn from that teacher; name the right one with --published")
    return record


def conditions(name: str, given: list[Any]) -> str:
    """A hash of what was `given` and of the cells up to a model's own, less those that train what it does not need."""
    cells = []
    for cell in tagged_cells(read_notebook(NOTEBOOK), "definitions", "data", "run"):
        tags = cell.metadata.tags
        if "run" not in tags or name in tags or ("model_2_1" in tags and name == "model_2_2"):
            cells.append(cell.source)
        if name in tags:
            break
    return hashlib.sha256(json.dumps([*given, *cells]).encode()).hexdigest()[:8]


def table(rows: list[str], real: int) -> str:
    """The page around the rows."""
    return "\n".join([
        "# What the teacher is worth",
        "",
        f"Written by `benchmarks/teacher.py`: each model by its recipe, on {real:,} real digits and",
        f"{EXTENSION_DIGITS:,} drawn ones, in full (length 1) or for a tenth of its batches; once on plain labels,",
        "once on the published network's soft ones. Accuracy on real validation digits / test digits / both pooled",
        "(95 % interval). One seed. What ships are the files with the teacher in full, some of them trained on another",
        "backend (their records say which); no other file ships, and none of these figures chose anything.",
        "",
        "| model | length | images shown | without teacher | with teacher |",
        "|---|---|---|---|---|",
        *rows,
    ]) + "\n"  # fmt: skip


def row(name: str, length: float, without: dict[str, Any], taught: dict[str, Any], label: str) -> str:
    """A line of the table, which carries its conditions unseen."""
    recipe = without["recipe"]
    shown = recipe["epochs"] * recipe["steps_per_epoch"] * recipe["batch_size"]
    if shown != math.prod(taught["recipe"][key] for key in ("epochs", "steps_per_epoch", "batch_size")):
        raise SVHNError(f"the stored {name} was trained by another recipe than the notebook's: make train MODEL={name}")
    cells = name, f"{length:g}", f"{shown:,}", _accuracies(without), f"{_accuracies(taught)} <!-- {label} -->"
    return f"| {' | '.join(cells)} |"


def _accuracies(record: dict[str, Any]) -> str:
    measured, parts = record["accuracy"], record["data"]
    of = parts["validation"] + parts["test"]
    both = sum(measured[part] * parts[part] for part in ("validation", "test")) / of
    low, high = wilson(both, of)
    return f"{measured['validation']:.1%} / {measured['test']:.1%} / {both:.1%} ({100 * low:.1f} to {100 * high:.1f})"


def main() -> int:
    """Measures, writes and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--real", type=Path, default=SHARED / "svhn" / "svhn-8k.npz", help="real digits")
    parser.add_argument("--published", type=Path, default=SHARED / "pretrained" / "simplenet-310k-svhn.npz")
    parser.add_argument("--length", type=float, default=0.1, help="of the recipes' batches (default: 0.1)")
    parser.add_argument("--models", nargs="+", default=[], metavar="NAME", help="only these (default: all)")
    options = parser.parse_args()
    options.real, options.published = options.real.absolute(), options.published.absolute()
    os.chdir(ROOT)
    os.environ |= {
        SOURCE_VARIABLE: str(options.real),
        EXTENSION_VARIABLE: str(EXTENSION_DIGITS),
        LENGTH_VARIABLE: str(options.length),
        "MPLBACKEND": "agg",
    }
    try:
        known = [name for name in trainable_names(NOTEBOOK) if name.startswith("model_")]
        chosen = [name for name in trainable_names(NOTEBOOK, options.models) if name in known]
        if not options.published.is_file():
            raise SVHNError(f"{options.published} is missing; name the published network's weights with --published")
        if "model_2_2" in chosen and "model_2_1" not in chosen:
            raise SVHNError("model_2_2 goes on from model_2_1; name both")
        split, teacher = split_digits(load_digits(options.real)), sha256(options.published)
        given = [keras.backend.backend(), split.fingerprint, EDITION, teacher]
        labels = {(name, length): conditions(name, [length, *given]) for name in known for length in LENGTHS}
        folder = OUTPUT / hashlib.sha256(json.dumps([options.length, *labels.values()]).encode()).hexdigest()[:8]
        rehearsed = options.real != parser.get_default("real") or options.length not in LENGTHS
        path = folder / TABLE.name if rehearsed else TABLE
        for name in chosen:
            without = trained(name, folder / "without", None)
            taught = (
                shipped(name, teacher) if options.length == 1 else trained(name, folder / "with", options.published)
            )
            label = labels.setdefault((name, options.length), conditions(name, [options.length, *given]))
            new = row(name, options.length, without, taught, label)
            former = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            kept = {
                key: line for key, label in labels.items() for line in [*former, new] if f"<!-- {label} -->" in line
            }
            write_text(path, table([kept[key] for key in sorted(kept)], len(split.y_train)))
        print(path.read_text(encoding="utf-8"))
    except SVHNError as error:
        print(f"teacher: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
