"""The command line, `svhn COMMAND` or `python -m svhn COMMAND`. Each command calls one public function."""

import argparse
import contextlib
import functools
import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from svhn.backend import load_keras
from svhn.digits import Digits
from svhn.errors import SVHNError
from svhn.options import checkout, make_parser
from svhn.settings import FLOAT32, Settings

_NO_MEMORY = "the memory that this process may use is not enough; free some, or raise its limit: ulimit -v unlimited"


def main(arguments: list[str] | None = None) -> int:
    """Runs a command and returns its exit status, as `--help` lists them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # A terminal that lacks a character shows a mark for it.
            stream.reconfigure(errors="replace")
    options = make_parser(_COMMANDS).parse_args(arguments)
    os.environ["MPLBACKEND"] = "agg"  # No command opens a window, whatever a person draws with elsewhere.
    try:
        with contextlib.chdir(checkout()), _terminable():
            status = options.command(options) or 0
        sys.stdout.flush()
    except BrokenPipeError:  # The reader of the output has seen enough. Python would complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except SVHNError as error:
        print(f"svhn: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print(f"svhn: {_NO_MEMORY}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("svhn."):
            raise
        print(f"svhn: this copy is a student's and has no {error.name}; use the teacher's", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print(f"svhn: {error}" if str(error) else "svhn: stopped; whatever was finished is kept", file=sys.stderr)
        return 143 if isinstance(error, _Terminated) else 130
    return status


class _Terminated(KeyboardInterrupt):
    """An interruption by SIGTERM, as a cluster's scheduler or a shutdown sends it."""


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does: its temporary files go, and so do its processes."""

    def end(number: int, frame: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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
    write_figures(notebook, options.out / "figures")
    write_notebook(notebook, options.out / NOTEBOOK.name)
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
        notebook,
        options.out,
        "Assignment 3: reading house numbers",
        last_modified(NOTEBOOK, Path("answers.py")),
        note_on_answers(notebook, Path("models")),
    )
    print(f"executed notebook  {executed}", f"figures            {options.out / 'figures'}/", sep="\n")
    for path in paths:
        print(f"report             {path}")


def _train(options: argparse.Namespace) -> None:
    from svhn.notebook.cells import NOTEBOOK, chosen_settings, trainable_names
    from svhn.notebook.execution import train_models
    from svhn.notebook.numbers import print_moved

    names = trainable_names(chosen=options.model)
    settings = chosen_settings(**_given(options))
    digits = _check_data(settings)
    stored = list(Path("models").glob("model_*.json"))
    if stored and not digits.real and settings.data is None:
        raise SVHNError(
            "there are no real digits in data/, and the stored models were trained on some; "
            "give --data drawn to replace them by models of drawn digits"
        )
    if options.hosts:
        from svhn.hosts import train_together

        if len(names) > 1:
            raise SVHNError(f"several hosts train one model at a time; name it, as --model {names[-1]}")
        train_together(options.hosts, options.host, lambda: train_models(names, digits, settings))
    else:
        load_keras()
        train_models(names, digits, settings)
    if options.host:
        return  # The first host stores the model.
    print_moved(Path("answers.py"), NOTEBOOK, Path("models"))


def _publish(options: argparse.Namespace) -> None:
    from svhn.learning.records import load_record, stored_names
    from svhn.notebook.cells import chosen_settings
    from svhn.notebook.execution import NOTEBOOK, execute_notebook, write_figures, write_notebook
    from svhn.notebook.numbers import print_moved
    from svhn.notebook.results import write_results

    settings = chosen_settings(**_given(options))
    if settings.precision != FLOAT32:
        raise SVHNError(
            f"precision is {settings.precision}, and only float32 is published, which every machine can compute; "
            "set it to float32"
        )
    digits = _check_data(settings)
    if not digits.real:
        raise SVHNError("only figures of real digits are published; set SVHN_DATA to real digits")
    for name in stored_names("models"):
        data = load_record("models", name).data
        if data is None or data.fingerprint != digits.fingerprint:
            raise SVHNError(
                f"{name} was trained on a split of other digits, and may know some of these; train it on these "
                f"before publishing: make train MODEL={name}"
            )
    notebook = execute_notebook(settings=settings)
    written = write_figures(notebook, Path("figures"))
    write_results(notebook, Path("models"), Path("README.md"))
    write_notebook(notebook, NOTEBOOK)
    print(f"published: {NOTEBOOK}, {len(written)} files in figures/, results and cards in models/, the README's table")
    print_moved(Path("answers.py"), NOTEBOOK, Path("models"))


def _verify(options: argparse.Namespace) -> int:
    from svhn.notebook.cells import chosen_settings
    from svhn.notebook.verification import print_checks

    return 1 if print_checks(chosen_settings(**_given(options)).data) else 0


def _course(options: argparse.Namespace) -> None:
    from svhn.course.build import build_course

    print("nbgrader makes the student release; some seconds", file=sys.stderr)
    release = build_course(options.out)
    print(f"student release    {release}/")
    print(f"hand-ins belong in {options.out}/submitted/STUDENT/{release.name}/")
    print(f"then               cd {options.out} && nbgrader autograde {release.name}")


def _predict(options: argparse.Namespace) -> None:
    from svhn.notebook.prediction import predict_images, write_predictions

    # The file of a model stands for its name.
    readings = predict_images(Path(options.model).name.removesuffix(".keras"), options.images)
    if options.out:  # The file comes first: the reader of the lines below may stop halfway.
        write_predictions(options.out, readings)
    width = max(len(reading.name) for reading in readings)
    for reading in readings:
        print(f"{reading.name:{width}}  {reading}")
    if options.out:
        print(f"written to {options.out}")


def _grade(options: argparse.Namespace) -> None:
    from svhn.grading.handins import find_handins

    find_handins(options.handins, leave_out=options.out)  # A wrong path is told before anything is loaded.
    if options.scheduler and options.workers:
        raise SVHNError("--workers counts those of this machine, and --scheduler has its own; leave one of them out")
    from svhn.notebook.cells import chosen_settings

    execute, settings = None, chosen_settings(**_given(options))
    if options.execute:
        from svhn.grading.rerun import execute_hand_in
        from svhn.sandbox.bubblewrap import sandbox_problem

        if problem := sandbox_problem():
            raise SVHNError(problem)
        execute = functools.partial(execute_hand_in, source=settings.data)
    digits = _check_data(settings)
    if not digits.real:
        print("these digits are not SVHN: scores on them say nothing about claims on real ones")
    from svhn.grading.grade import MANUAL, grade

    graded = grade(options.handins, digits, options.out, options.limit, options.workers, execute, options.scheduler)
    width = max(len(one.name) for one in graded)
    for one in graded:
        flags = f"; {len(one.flags)} flagged" if one.flags else ""
        print(f"{one.name:{width}}  {one.total.text}{flags}")
    print(f"reports     {options.out / 'index.html'}", f"table       {options.out / 'grades.csv'}", sep="\n")
    print(f"your marks  {options.out / MANUAL}: fill it in and grade again")


def _digits(options: argparse.Namespace) -> None:
    from svhn.data.sources import drawn_digits, drawn_path
    from svhn.files import check_writable

    check_writable(Path("data"))  # No person would find these digits elsewhere.
    started = time.monotonic()
    digits = drawn_digits(options.count, options.seed)
    path = drawn_path(options.count, options.seed)
    print(f"{path}: {digits.description}, {time.monotonic() - started:.1f} s")


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """The settings on the command line; None for those that it lacks."""
    return {entry.name: getattr(options, entry.name, None) for entry in fields(Settings)}


def _check_data(settings: Settings) -> Digits:
    """Loads the digits before a kernel starts: a wrong setting shows in a second, and a download has its bar."""
    from svhn.data.sources import load_digits

    started = time.monotonic()
    digits = load_digits(settings.data)
    print(f"digits: {digits.description}, loaded in {time.monotonic() - started:.1f} s")
    return digits


def _completion(options: argparse.Namespace) -> None:
    try:
        import shtab
    except ImportError as error:
        raise SVHNError("completion needs shtab; install it: pip install shtab") from error
    parser = make_parser(_COMMANDS)
    parser.prog = "svhn"  # `python -m svhn` is no command that a shell could complete.
    print(shtab.complete(parser, options.shell))


_COMMANDS = {
    "run": _run,
    "report": _report,
    "train": _train,
    "publish": _publish,
    "verify": _verify,
    "predict": _predict,
    "digits": _digits,
    "grade": _grade,
    "course": _course,
    "completion": _completion,
}


if __name__ == "__main__":
    sys.exit(main())
