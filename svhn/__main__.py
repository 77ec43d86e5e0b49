"""The command line, `svhn COMMAND` or `python -m svhn COMMAND`: each command is one public function of the package."""

import argparse
import contextlib
import os
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from svhn.backend import load_keras
from svhn.digits import Digits
from svhn.errors import SVHNError
from svhn.settings import DOWNLOAD, EXTENSION_DIGITS, EXTENSION_SEED, SOURCES, Settings

_EXAMPLES = """examples:
  python -m svhn run                                      notebook and report on the digits that data/ holds
  python -m svhn run --data path/to/digits.npz            the same on digits of your own
  python -m svhn train --model model_2_1 --data openml    train one model on all 99,289 digits
  python -m svhn train --extend 0                         every model, on the real digits alone
  python -m svhn train --model model_4_1 --imagenet vgg16.weights.h5    with VGG16's weights from a file
  python -m svhn digits --count 58424 --seed 2            draw digits into data/
  python -m svhn course                                   an nbgrader course in course/
  python -m svhn predict --model model_2_2 a.png b.jpg    what do these photos show?
  python -m svhn predict --model model_2_2 digits.npz --out digits.csv
  python -m svhn grade hand-ins/ --data openml            reports, marks and feedback for every hand-in in hand-ins/
"""
_GRADE_EXAMPLES = """examples:
  python -m svhn grade .                                  this very project
  python -m svhn grade hand-ins/ --data openml            every folder and .zip in it, on all 99,289 digits
  python -m svhn grade hand-ins/ --execute                also run each notebook, confined, and say what it tried
  python -m svhn grade ann/ bob.zip --limit 2000 --workers 2 --out marks/

A folder is one hand-in where it holds a notebook, answers.py, solution.py or model_X_Y files; otherwise each folder
and .zip in it is one. Fill in OUT/manual.csv and grade again: marks are taken in, nothing is measured twice.
"""
_DATA = "openml, mat, drawn, or the path of an .npz or a folder (default: SVHN_DATA, else what data/ holds, else drawn)"
_EXTEND = f"train on N drawn digits beside few real ones, 0 for none (default: SVHN_EXTEND, else {EXTENSION_DIGITS:,})"
_LENGTH = "train for X times as many batches as the recipes say (default: SVHN_LENGTH, else 1)"
_IMAGENET = "a file of VGG16's ImageNet weights (default: SVHN_IMAGENET, else they are downloaded)"
_FORCE = "replace a stored model even where it reads more validation digits than the new one"


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns its exit status: 0, or 2 where the person has something to mend."""
    options = _parser().parse_args(arguments)
    try:
        with contextlib.chdir(_project()):
            options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:  # Whoever read the output has seen enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except SVHNError as error:
        print(f"svhn: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("svhn."):
            raise
        print(f"svhn: this copy is a student's and has no {error.name}; use the teacher's", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("svhn: stopped; whatever was finished is kept", file=sys.stderr)
        return 130
    return 0


def _project() -> Path:
    """The checkout that the working directory lies in, from which commands run; elsewhere that directory itself."""
    here = Path.cwd()
    whole = (folder for folder in (here, *here.parents) if (folder / "Assignment3.ipynb").is_file())
    return next((folder for folder in whole if (folder / "svhn" / "__main__.py").is_file()), here)


def _run(options: argparse.Namespace) -> None:
    from svhn.files import check_writable
    from svhn.notebook.cells import chosen_settings
    from svhn.notebook.execution import NOTEBOOK, execute_notebook, write_figures, write_notebook

    if options.out.resolve() == Path.cwd():
        raise SVHNError("--out would overwrite the notebook itself; choose another folder")
    settings = chosen_settings(**_given(options))
    _check_data(settings)
    check_writable(options.out)
    notebook = execute_notebook(settings=settings)
    write_notebook(notebook, options.out / NOTEBOOK.name)
    write_figures(notebook, options.out / "figures")
    _report(options)


def _report(options: argparse.Namespace) -> None:
    from svhn.notebook.cells import read_notebook
    from svhn.notebook.execution import NOTEBOOK, last_modified
    from svhn.notebook.report import note_on_answers, write_report

    executed = options.out / NOTEBOOK.name
    if not executed.exists():
        raise SVHNError(f"{executed} is missing; make it first: make run")
    notebook = read_notebook(executed)
    paths = write_report(
        notebook, options.out, "Assignment 3: reading house numbers", last_modified(NOTEBOOK, Path("answers.py")),
        note_on_answers(notebook, Path("models")),
    )  # fmt: skip
    print(f"executed notebook  {executed}", f"figures            {options.out / 'figures'}/", sep="\n")
    for path in paths:
        print(f"report             {path}")


def _train(options: argparse.Namespace) -> None:
    os.environ.setdefault("MPLBACKEND", "agg")  # The curves are stored; no window is to open for each model.
    from svhn.notebook.cells import chosen_settings, trainable_names
    from svhn.notebook.execution import train_models

    names = trainable_names(chosen=options.model)
    settings = chosen_settings(**_given(options))
    digits = _check_data(settings)
    stored = list(Path("models").glob("model_*.json"))
    if stored and not digits.real and settings.data is None:
        raise SVHNError(
            "there are no real digits in data/, and the stored models were trained on some; "
            "to replace them by models of drawn digits, say so: --data drawn"
        )
    load_keras()
    train_models(names, digits, settings)


def _publish(options: argparse.Namespace) -> None:
    from svhn.notebook.cells import chosen_settings

    settings = chosen_settings(**_given(options))
    digits = _check_data(settings)
    if not digits.real:
        raise SVHNError("only figures of real digits are published; set SVHN_DATA to real digits")
    load_keras()
    from svhn.course.build import mark_cells
    from svhn.learning.records import load_record, stored_names
    from svhn.notebook.execution import NOTEBOOK, execute_notebook, write_figures, write_notebook
    from svhn.notebook.results import write_results

    for name in stored_names("models"):
        if (load_record("models", name).get("data") or {}).get("fingerprint") != digits.fingerprint:
            raise SVHNError(
                f"{name} was trained on a split of other digits, and may know some of these; train it on "
                f"them before publishing: make train MODEL={name}"
            )
    notebook = mark_cells(execute_notebook(settings=settings))
    write_results(notebook, Path("models"), Path("README.md"))
    write_notebook(notebook, NOTEBOOK)
    written = write_figures(notebook, Path("figures"))
    print(f"published: {NOTEBOOK}, {len(written)} files in figures/, models/results.json, the table in README.md")


def _course(options: argparse.Namespace) -> None:
    from svhn.course.build import build_course

    print("nbgrader makes the student release; some seconds", file=sys.stderr)
    release = build_course(options.out)
    print(f"student release    {release}/")
    print(f"hand-ins belong in {options.out}/submitted/STUDENT/{release.name}/")
    print(f"then               cd {options.out} && nbgrader autograde {release.name}")


def _predict(options: argparse.Namespace) -> None:
    from svhn.notebook.prediction import predict_images, write_predictions

    # The name of a model, even where its file was named.
    names, probabilities = predict_images(Path(options.model).name.removesuffix(".keras"), options.images)
    if options.out:  # First: whoever reads the lines below may stop halfway.
        write_predictions(options.out, names, probabilities)
    width = max(map(len, names))
    for name, row in zip(names, probabilities, strict=True):
        print(f"{name:{width}}  {row.argmax()}  {row.max():7.2%}")
    if options.out:
        print(f"written to {options.out}")


def _grade(options: argparse.Namespace) -> None:
    from svhn.grading.handins import find_handins

    find_handins(options.handins, leave_out=options.out)  # A wrong path is told before anything is loaded.
    execute = None
    if options.execute:
        from svhn.grading.rerun import execute_hand_in
        from svhn.sandbox.bubblewrap import sandbox_problem

        if problem := sandbox_problem():
            raise SVHNError(problem)
        execute = execute_hand_in
    from svhn.notebook.cells import chosen_settings

    digits = _check_data(chosen_settings(**_given(options)))
    if not digits.real:
        print("these digits are not SVHN: what models score on them says nothing about claims on real ones")
    load_keras()
    from svhn.data.protocol import split_digits
    from svhn.grading.grade import MANUAL, grade

    graded = grade(options.handins, split_digits(digits), options.out, options.limit, options.workers, execute)
    width = max(len(one.name) for one in graded)
    for one in graded:
        flags = f"; {len(one.flags)} flagged" if one.flags else ""
        print(f"{one.name:{width}}  {one.total.text}{flags}")
    print(f"reports     {options.out / 'index.html'}", f"table       {options.out / 'grades.csv'}", sep="\n")
    print(f"your marks  {options.out / MANUAL}: fill it in and grade again")


def _digits(options: argparse.Namespace) -> None:
    from svhn.data.sources import drawn_digits, drawn_path

    started = time.monotonic()
    digits = drawn_digits(options.count, options.seed)
    path = drawn_path(options.count, options.seed)
    print(f"{path}: {digits.description}, {time.monotonic() - started:.1f} s")


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """What the command line says of the settings."""
    return {entry.name: getattr(options, entry.name, None) for entry in fields(Settings)}


def _check_data(settings: Settings) -> Digits:
    """Loads the digits before a kernel starts, so that a wrong setting shows in a second and a download has its bar."""
    from svhn.data.sources import load_digits

    started = time.monotonic()
    digits = load_digits(settings.data)
    print(f"digits: {digits.description}, loaded in {time.monotonic() - started:.1f} s")
    return digits


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m svhn",
        description="Reading house numbers: run, train, report and use the models of the assignment.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(command=function)
        return command

    run = add("run", _run, "execute the notebook with the stored models; write it, its figures and the report")
    report = add("report", _report, "write the report again from the notebook as last executed")
    train = add("train", _train, "train models and store them; a killed training goes on from its last epoch")
    publish = add("publish", _publish, "execute the notebook on real digits; refresh the committed copy and figures")
    predict = add("predict", _predict, "read the digits in image files with a stored model")
    digits = add("digits", _digits, "draw house-number digits and keep them in data/, as an .npz file")
    grade = add("grade", _grade, "grade hand-ins, without running them unless asked: reports, marks, feedback")
    course = add("course", _course, "build an nbgrader course with a student release, solutions taken out")
    course.add_argument("--out", type=_path, default=Path("course"), help="folder of the course (default: course)")
    for command in (run, train, publish, grade):
        command.add_argument("--data", type=_source, metavar="SOURCE", help=_DATA)
    for command in (run, report):
        command.add_argument("--out", type=_path, default=Path("output"), help="folder to write to (default: output)")
    train.add_argument("--model", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    train.add_argument("--extend", metavar="N", help=_EXTEND)
    train.add_argument("--imagenet", type=_source, metavar="FILE", help=_IMAGENET)
    train.add_argument("--length", metavar="X", help=_LENGTH)
    train.add_argument("--force", action="store_true", default=None, help=_FORCE)
    chosen = "which ones (default: %(default)s, as --extend trains on)"
    digits.add_argument("--count", type=int, default=EXTENSION_DIGITS, metavar="N", help="how many (%(default)s)")
    digits.add_argument("--seed", type=int, default=EXTENSION_SEED, help=chosen)
    predict.add_argument("--model", required=True, metavar="NAME", help="a stored model, as model_2_2")
    predict.add_argument("--out", type=_path, metavar="CSV", help="also write columns image,digit,probability")
    predict.add_argument("images", nargs="+", type=_path, metavar="IMAGE", help="PNG, JPEG, or .npz with X")
    grade.epilog, grade.formatter_class = _GRADE_EXAMPLES, argparse.RawDescriptionHelpFormatter
    grade.add_argument("--out", type=_path, default=Path("graded"), help="folder to write to (default: graded)")
    grade.add_argument("--limit", type=_count, metavar="N", help="measure on N digits of each part (default: all)")
    grade.add_argument("--workers", type=_count, metavar="N", help="hand-ins at a time (default: one a core)")
    grade.add_argument("--execute", action="store_true", help="also run each notebook, in a sandbox of bubblewrap")
    grade.add_argument(
        "handins", nargs="+", type=_path, metavar="HAND-IN", help="a folder, a .zip, or a folder of such, a course"
    )
    return parser


def _path(text: str) -> Path:
    """A path as seen from where the command was given."""
    here = Path.cwd()
    return Path(text) if here == _project() else here / text


def _source(text: str) -> str:
    """The name of a source as it is, a path as seen from where the command was given."""
    named = text in ("", *SOURCES, DOWNLOAD) or text.startswith("~")
    return text if named or Path.cwd() == _project() else str(_path(text))


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
