"""What the teacher is worth: every model with and without it, all else equal, for a fraction of the recipes' length.

    python benchmarks/teacher.py --published weights.npz           a tenth: an hour or two on two cores
    python benchmarks/teacher.py --models model_1_1 model_1_2      these two only; others that are finished stay listed

Writes `benchmarks/teacher.md` after every model, or of another length or other digits a table in `output/teacher/`, and
keeps the rows of other models there that were measured under the same conditions: length, digits, teacher, backend and
cells. A killed run goes on where it was; what is finished lies in `output/teacher/`, in a folder named after the
conditions.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import keras
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from svhn.drawing import EDITION  # noqa: E402
from svhn.errors import SVHNError  # noqa: E402
from svhn.files import sha256, write_text  # noqa: E402
from svhn.notebook import load_definitions, read_notebook, tagged_cells, trainable_names  # noqa: E402
from svhn.protocol import split_digits  # noqa: E402
from svhn.results import wilson  # noqa: E402
from svhn.sources import (  # noqa: E402
    EXTENSION_DIGITS,
    EXTENSION_VARIABLE,
    LENGTH_VARIABLE,
    SOURCE_VARIABLE,
    TEACHER_VARIABLE,
    load_digits,
)
from svhn.stored import load_record, stored_names  # noqa: E402

NOTEBOOK, TABLE = ROOT / "Assignment3.ipynb", ROOT / "benchmarks" / "teacher.md"
SHARED = ROOT.parent / "shared"
WAYS = "without", "with"


def trained(name: str, folder: Path, teacher: Path | None) -> dict[str, Any]:
    """The record of a model, trained now unless `folder` already holds it."""
    with contextlib.suppress(SVHNError):
        return load_record(folder, name)
    os.environ[TEACHER_VARIABLE] = ""
    with contextlib.redirect_stdout(io.StringIO()):
        load_definitions(NOTEBOOK, "data", name, stop_training=False, base_dir=str(folder), teacher=teacher)
    plt.close("all")
    return load_record(folder, name)


def table(names: list[str], folder: Path, length: float, real: int, former: str = "") -> str:
    """All models that are finished both ways, in `folder` or in a `former` table of the same conditions."""
    conditions = f"<!-- conditions {folder.name} -->"
    head = [
        "# What the teacher is worth",
        "",
        f"Written by `benchmarks/teacher.py`: each model by its recipe, on {real:,} real digits and",
        f"{EXTENSION_DIGITS:,} drawn ones, but {length:g} times as long as the files that ship; once on plain labels,",
        "once on the published network's soft ones. Accuracy on real validation digits / test digits / both pooled",
        "(95 % interval). One seed. What ships learned with the teacher, in full: none of these files ships, and none",
        "of these figures chose anything.",
        "",
        conditions,
        "",
        "| model | images shown | without teacher | with teacher |",
        "|---|---|---|---|",
    ]
    kept = former.splitlines() if conditions in former else []
    rows = {line.split()[1]: line for line in kept if line.startswith("| model_")}
    finished = [set(stored_names(folder / way)) for way in WAYS]
    for name in [name for name in names if all(name in stored for stored in finished)]:
        without, taught = (load_record(folder / way, name) for way in WAYS)
        recipe = without["recipe"]
        shown = recipe["epochs"] * recipe["steps_per_epoch"] * recipe["batch_size"]
        rows[name] = f"| {name} | {shown:,} | {_accuracies(without)} | {_accuracies(taught)} |"
    return "\n".join(head + [rows[name] for name in names if name in rows]) + "\n"


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
        cells = tagged_cells(read_notebook(NOTEBOOK), "definitions", "data", *known)
        split = split_digits(load_digits(options.real))
        conditions = [options.length, keras.backend.backend(), split.fingerprint, EDITION, sha256(options.published)]
        conditions += [cell.source for cell in cells]
        folder = ROOT / "output" / "teacher" / hashlib.sha256(json.dumps(conditions).encode()).hexdigest()[:8]
        rehearsed = any(getattr(options, name) != parser.get_default(name) for name in ("real", "length"))
        path = folder / TABLE.name if rehearsed else TABLE
        for name in chosen:
            for way, teacher in zip(WAYS, (None, options.published), strict=True):
                trained(name, folder / way, teacher)
            former = path.read_text(encoding="utf-8") if path.exists() else ""
            write_text(path, table(known, folder, options.length, len(split.y_train), former))
        print(path.read_text(encoding="utf-8"))
    except SVHNError as error:
        print(f"teacher: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
