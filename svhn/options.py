"""The commands and options of the command line."""

import argparse
import importlib.metadata
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from svhn.settings import DOWNLOAD, EXTENSION_DIGITS, EXTENSION_SEED, PRECISIONS, SOURCES

_PACKAGE = "svhn-house-numbers"
_COMMANDS = {
    "run": "execute the notebook with the stored models; write it, its figures and the report",
    "report": "write the report again from the notebook as last executed",
    "train": "train models and store them; a killed training goes on from its last epoch",
    "publish": "execute the notebook on real digits; refresh the committed copy, figures, table",
    "verify": "measure every published figure anew; exit status 1 where one differs",
    "predict": "read the digits in image files with a stored model",
    "digits": "draw house-number digits and keep them in data/, as an .npz file",
    "grade": "grade hand-ins, without running them unless asked: reports, marks, feedback",
    "course": "build an nbgrader course with a student release, solutions taken out",
    "completion": "print what makes a shell complete these commands, as bash: eval it",
}
_OUT = {"run": "output", "report": "output", "grade": "graded", "course": "course"}
_EXAMPLES = """examples:
  python -m svhn run                                      notebook and report on the digits that data/ holds
  python -m svhn run --data path/to/digits.npz            the same on digits of your own
  python -m svhn train --model model_2_1 --data openml    train one model on all 99,289 digits
  python -m svhn train --extend 0                         every model, on the real digits alone
  python -m svhn train --model model_4_1 --imagenet vgg16.weights.h5    with VGG16's weights from a file
  python -m svhn digits --count 250000 --seed 2           draw digits into data/
  python -m svhn verify --data test_32x32.mat             are the published figures those of the stored models?
  python -m svhn course                                   an nbgrader course in course/
  python -m svhn predict --model model_2_2 a.png b.jpg    what do these photos show?
  python -m svhn predict --model model_2_2 digits.npz --out digits.csv
  python -m svhn grade hand-ins/ --data openml            reports, marks and feedback for every hand-in in hand-ins/
"""
_STATUSES = """
exit status:
  0  done                                  2    something to mend: one line says what, and how
  1  a figure differs (verify), or a fault  130  stopped by Ctrl-C; whatever was finished is kept
  141  the reader of the output stopped reading
  143  stopped by SIGTERM, as a scheduler or a shutdown sends it; otherwise as by Ctrl-C
"""
# The values by which shtab, which makes a shell's completion, knows an argument that names a file.
_FILES = {"bash": "_shtab_compgen_files", "zsh": "_files", "tcsh": "f"}
_GRADE_EXAMPLES = """examples:
  python -m svhn grade .                                  this very project
  python -m svhn grade hand-ins/ --data openml            every folder and .zip in it, on all 99,289 digits
  python -m svhn grade hand-ins/ --execute                also run each notebook, confined, and say what it tried
  python -m svhn grade hand-ins/ --scheduler tcp://10.0.0.1:8786    on a Dask cluster: docs/grading.md
  python -m svhn grade ann/ bob.zip --limit 2000 --workers 2 --out marks/

A folder is one hand-in where it holds a notebook, answers.py, solution.py or model_X_Y files; otherwise each folder
and .zip in it is one. Fill in OUT/manual.csv and grade again: marks are taken in, nothing is measured twice.
"""
_DATA = (
    "openml, mat, extra, parquet, folders, drawn, or the path of an .npz or .parquet file or of a folder "
    "(default: SVHN_DATA, else what data/ holds, else drawn)"
)

_EXTEND = f"train on N drawn digits beside few real ones, 0 for none (default: SVHN_EXTEND, else {EXTENSION_DIGITS:,})"
_LENGTH = "train for X times as many batches as the recipes say (default: SVHN_LENGTH, else 1)"
_IMAGENET = "a file of VGG16's ImageNet weights (default: SVHN_IMAGENET, else they are downloaded)"
_PRECISION = f"precision of the networks: {', '.join(PRECISIONS)} (default: SVHN_PRECISION, else float32)"
_DEVICES = "spread each batch over N devices, with KERAS_BACKEND=jax (default: SVHN_DEVICES, else 1)"
_HOSTS = "train one model on these hosts together, with KERAS_BACKEND=jax; give the command on each: docs/scaling.md"
_IMAGES = "a photo of one digit (PNG, JPEG, WebP, GIF, TIFF, HEIC, AVIF), or .npz with X"
_SEED = "which ones (default: %(default)s, as --extend trains on)"
_FORCE = "replace a stored model even where it reads more validation digits than the new one"


def make_parser(functions: Mapping[str, Callable[[argparse.Namespace], int | None]]) -> argparse.ArgumentParser:
    """The parser of the command line, which sets `command` to the function of the command that was given.

    Args:
        functions: By the name of their command.
    """
    parser = argparse.ArgumentParser(
        prog="svhn" if Path(sys.argv[0]).stem == "svhn" else "python -m svhn",
        description="Reading house numbers: run, train, report and use the models of the assignment.",
        epilog=_EXAMPLES + _STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=_version())
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    commands = {name: subparsers.add_parser(name, help=text, description=text) for name, text in _COMMANDS.items()}
    for name, command in commands.items():
        command.set_defaults(command=functions[name])
    _add_settings(commands)
    _add_images(commands["predict"])
    _add_handins(commands["grade"])
    for name, kind in _OUT.items():
        commands[name].add_argument(
            "--out", type=_path, default=Path(kind), help=f"folder to write to (default: {kind})"
        )
    digits = commands["digits"]
    digits.add_argument(
        "--count", type=int, default=EXTENSION_DIGITS, metavar="N", help="how many (default: %(default)s)"
    )
    digits.add_argument("--seed", type=int, default=EXTENSION_SEED, help=_SEED)
    commands["completion"].add_argument("shell", choices=("bash", "zsh", "tcsh"))
    return parser


def _add_settings(commands: Mapping[str, argparse.ArgumentParser]) -> None:
    """Adds what can also be set by an environment variable or in the notebook."""
    for name in ("run", "train", "publish", "grade", "verify"):
        official = "; here the official test_32x32.mat alone will do" if name == "verify" else ""
        commands[name].add_argument("--data", type=_source, metavar="SOURCE", help=_DATA + official)
    for name in ("run", "train"):
        commands[name].add_argument("--precision", metavar="P", help=_PRECISION)
    train = commands["train"]
    train.add_argument("--model", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    train.add_argument("--extend", metavar="N", help=_EXTEND)
    train.add_argument("--imagenet", type=_source, metavar="FILE", help=_IMAGENET)
    train.add_argument("--length", metavar="X", help=_LENGTH)
    train.add_argument("--devices", metavar="N", help=_DEVICES)
    train.add_argument("--hosts", metavar="A:PORT,B", help=_HOSTS)
    train.add_argument("--host", type=int, default=0, metavar="K", help="which of --hosts this one is, counted from 0")
    train.add_argument("--force", action="store_true", default=None, help=_FORCE)


def _add_images(predict: argparse.ArgumentParser) -> None:
    predict.add_argument("--model", required=True, metavar="NAME", help="a stored model, as model_2_2")
    predict.add_argument("--out", type=_path, metavar="CSV", help="also write columns image,digit,probability")
    images = predict.add_argument("images", nargs="+", type=_path, metavar="IMAGE", help=_IMAGES)
    images.complete = _FILES  # type: ignore[attr-defined]  # It is shtab's, and argparse has none.


def _add_handins(grade: argparse.ArgumentParser) -> None:
    grade.epilog, grade.formatter_class = _GRADE_EXAMPLES, argparse.RawDescriptionHelpFormatter
    grade.add_argument("--limit", type=_count, metavar="N", help="measure on N digits of each part (default: all)")
    grade.add_argument("--workers", type=_count, metavar="N", help="hand-ins at a time (default: one a core)")
    grade.add_argument("--scheduler", metavar="ADDRESS", help="examine them on the workers of a Dask scheduler")
    grade.add_argument("--execute", action="store_true", help="also run each notebook, in a sandbox of bubblewrap")
    handins = grade.add_argument(
        "handins", nargs="+", type=_path, metavar="HAND-IN", help="a folder, a .zip, or a folder of such, a course"
    )
    handins.complete = _FILES  # type: ignore[attr-defined]


def checkout() -> Path:
    """The checkout that the working directory lies in, from which commands run; elsewhere that directory itself."""
    here = Path.cwd()
    whole = (folder for folder in (here, *here.parents) if (folder / "Assignment3.ipynb").is_file())
    return next((folder for folder in whole if (folder / "svhn" / "__main__.py").is_file()), here)


def _path(text: str) -> Path:
    """A path as seen from where the command was given."""
    here = Path.cwd()
    return Path(text) if here == checkout() else here / text


def _source(text: str) -> str:
    """The name of a source as it is, a path as seen from where the command was given."""
    named = text in ("", *SOURCES, DOWNLOAD) or text.startswith("~")
    return text if named or Path.cwd() == checkout() else str(_path(text))


def _version() -> str:
    try:
        return f"svhn {importlib.metadata.version(_PACKAGE)}"
    except importlib.metadata.PackageNotFoundError:
        return "svhn, used where it lies and not installed"


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
