"""The command line: `python -m svhn COMMAND`; each command is one public function of the package."""

import argparse
import os
import sys
import time
from pathlib import Path

from svhn.digits import Digits
from svhn.errors import SVHNError

_EXAMPLES = """examples:
  python -m svhn run                                      notebook and report on the digits that data/ holds
  python -m svhn run --data path/to/digits.npz            the same on digits of your own
  python -m svhn train --model model_2_1 --data openml    train one model on all 99,289 digits
  python -m svhn train --model model_2_1 --extend         the same on 58,424 drawn digits as well
  python -m svhn digits --count 58424 --seed 2            draw digits into data/
  python -m svhn predict --model model_2_2 a.png b.jpg    what do these photos show?
  python -m svhn predict --model model_2_2 digits.npz --out digits.csv
"""
_DATA = "openml, mat, drawn or the path of an .npz (default: SVHN_DATA, else what data/ holds, else drawn)"

_EXTEND = "train on N drawn digits as well (58424 if N is left out), or as the variable SVHN_EXTEND says"


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns its exit status: 0, or 2 where the person has something to mend."""
    options = _parser().parse_args(arguments)
    if getattr(options, "data", None):
        os.environ["SVHN_DATA"] = options.data
    if getattr(options, "extend", None) is not None:
        os.environ["SVHN_EXTEND"] = str(options.extend)
    try:
        options.command(options)
    except SVHNError as error:
        print(f"svhn: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("svhn: stopped; whatever was finished is kept", file=sys.stderr)
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    from svhn.execution import NOTEBOOK, execute_notebook, write_figures, write_notebook

    if options.out.resolve() == Path.cwd():
        raise SVHNError("--out would overwrite the notebook itself; choose another folder")
    _check_data()
    notebook = execute_notebook()
    write_notebook(notebook, options.out / NOTEBOOK.name)
    write_figures(notebook, options.out / "figures")
    _report(options)


def _report(options: argparse.Namespace) -> None:
    from svhn.execution import NOTEBOOK, last_modified
    from svhn.notebook import read_notebook
    from svhn.report import write_report

    executed = options.out / NOTEBOOK.name
    if not executed.exists():
        raise SVHNError(f"{executed} is missing; make it first: make run")
    paths = write_report(
        read_notebook(executed), options.out, "Assignment 3: reading house numbers",
        last_modified(NOTEBOOK, Path("answers.py")),
    )  # fmt: skip
    print(f"executed notebook  {executed}", f"figures            {options.out / 'figures'}/", sep="\n")
    for path in paths:
        print(f"report             {path}")


def _train(options: argparse.Namespace) -> None:
    os.environ.setdefault("MPLBACKEND", "agg")  # The curves are stored; no window is to open for each model.
    from svhn.notebook import load_definitions, trainable_names

    known = trainable_names()
    unknown = [name for name in options.model if name not in known]
    if unknown:
        raise SVHNError(f"there is no model {', '.join(unknown)} to train; the notebook defines {', '.join(known)}")
    _check_data()
    load_definitions(None, "data", *(options.model or known), stop_training=False)


def _publish(options: argparse.Namespace) -> None:
    from svhn.execution import NOTEBOOK, execute_notebook, write_figures, write_notebook
    from svhn.results import write_results

    if not _check_data().real:
        raise SVHNError("only figures of real digits are published; set SVHN_DATA to real digits")
    notebook = execute_notebook()
    write_results(notebook, Path("models"), Path("README.md"))
    write_notebook(notebook, NOTEBOOK)
    written = write_figures(notebook, Path("figures"))
    print(f"published: {NOTEBOOK}, {len(written)} files in figures/, models/results.json, the table in README.md")


def _predict(options: argparse.Namespace) -> None:
    from svhn.prediction import predict_images, write_predictions

    names, probabilities = predict_images(options.model, options.images)
    width = max(map(len, names))
    for name, row in zip(names, probabilities, strict=True):
        print(f"{name:{width}}  {row.argmax()}  {row.max():7.2%}")
    if options.out:
        write_predictions(options.out, names, probabilities)
        print(f"written to {options.out}")


def _digits(options: argparse.Namespace) -> None:
    from svhn.sources import drawn_digits, drawn_path

    started = time.monotonic()
    digits = drawn_digits(options.count, options.seed)
    path = drawn_path(options.count, options.seed)
    print(f"{path}: {digits.description}, {time.monotonic() - started:.1f} s")


def _check_data() -> Digits:
    """Loads the digits before a kernel starts, so that a wrong setting shows in a second and a download has its bar."""
    from svhn.notebook import chosen_source
    from svhn.sources import load_digits

    started = time.monotonic()
    digits = load_digits(chosen_source())
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
    publish = add(
        "publish", _publish, "execute the notebook on real digits; refresh the committed copy, figures, table"
    )
    predict = add("predict", _predict, "read the digits in image files with a stored model")
    digits = add("digits", _digits, "draw house-number digits and keep them in data/, as an .npz file")
    for command in (run, train, publish):
        command.add_argument("--data", metavar="SOURCE", help=_DATA)
    for command in (run, report):
        command.add_argument("--out", type=Path, default=Path("output"), help="folder to write to (default: output)")
    train.add_argument("--model", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    train.add_argument("--extend", type=int, nargs="?", const=58_424, metavar="N", help=_EXTEND)
    digits.add_argument("--count", type=int, default=58_424, metavar="N", help="how many (default: 58424)")
    digits.add_argument("--seed", type=int, default=1, help="which ones (default: 1)")
    predict.add_argument("--model", required=True, metavar="NAME", help="a stored model, as model_2_2")
    predict.add_argument("--out", type=Path, metavar="CSV", help="also write columns image,digit,probability")
    predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="PNG, JPEG, or .npz with X")
    return parser


if __name__ == "__main__":
    sys.exit(main())
