"""The cost of grading a course, and its growth with the hand-ins: here, and on a Dask cluster with two workers.

    python benchmarks/course.py                           30, 100 and 300 hand-ins
    python benchmarks/course.py --hand-ins 30 100         other numbers
    python benchmarks/course.py --models 1                hand-ins of one model each

Hand-ins are made for it: small networks that learned nothing, answers and curves, no two of them alike, so that nothing
is looked at once for several. Here each course is graded twice, the second time with nothing changed. Processor seconds
are those of all processes, the scheduler and its workers included. Writes `benchmarks/course.md`.
"""

import argparse
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from full_size import processor
from tqdm import tqdm

from svhn.backend import keras, versions
from svhn.drawn.drawing import draw
from svhn.errors import SVHNError
from svhn.files import write_text
from svhn.learning.records import CURVES
from svhn.rubric.questions import MODELS, QUESTIONS

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "benchmarks" / "course.md"
HERE, CLUSTER = "here", "cluster"
DIGITS, EPOCHS, WORKERS = 400, 20, 2
GREY = ("model_1_2", "model_1_3")
PROGRAM = [sys.executable, "-m"]
_PR_SET_CHILD_SUBREAPER = 36
_START_SECONDS = 300


def make_course(folder: Path, count: int, models: int) -> None:
    """Writes some hand-ins, `student-001` and so on."""
    chance = np.random.default_rng(count)
    networks = {
        name: _network(channels=1 if name in ("model_1_2", "model_1_3") else 3) for name in list(MODELS)[:models]
    }
    for number in tqdm(range(count), f"making {count} hand-ins", unit="hand-in", leave=False):
        hand_in = folder / f"student-{number:03}"
        (hand_in / "models").mkdir(parents=True)
        for name, network in networks.items():
            network.set_weights([chance.normal(0, 0.1, weight.shape) for weight in network.get_weights()])
            network.save(hand_in / f"models/{name}.keras")
            curves = {curve: chance.random(EPOCHS).round(4).tolist() for curve in CURVES}
            (hand_in / f"models/{name}.json").write_text(json.dumps(curves), encoding="utf-8")
        texts = {question.identifier: f"Answer of number {number} to {question.title}. " * 5 for question in QUESTIONS}
        answers = "".join(f"answer_q_{question} = {text!r}\n" for question, text in texts.items())
        head = f"your_name = 'Student {number}'\nstudent_id = '{1_000_000 + number}'\n"
        (hand_in / "answers.py").write_text(head + answers, encoding="utf-8")


def _network(channels: int) -> keras.Model:
    layers = [keras.Input((32, 32, channels)), keras.layers.AveragePooling2D(4), keras.layers.Flatten()]
    return keras.Sequential([*layers, keras.layers.Dense(16, "relu"), keras.layers.Dense(10, "softmax")])


def write_digits(path: Path) -> None:
    """A few digits, so that a hand-in's own cost counts, and not that of the digits."""
    drawn = draw(DIGITS, seed=3)
    np.savez(path, X=drawn.images, y=drawn.labels, real=False)


@contextmanager
def dask(folder: Path) -> Iterator[str]:
    """Starts a scheduler and its workers, and gives its address."""
    file, log = folder / "scheduler.json", (folder / "dask.log").open("w")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def start(program: str, *options: str) -> subprocess.Popen:
        command = [*PROGRAM, f"distributed.cli.{program}", "--scheduler-file", str(file), "--no-dashboard", *options]
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)

    processes = [start("dask_scheduler", "--port", "0")]
    try:
        until = time.monotonic() + _START_SECONDS
        while not file.exists():
            if time.monotonic() > until:
                raise SVHNError("no Dask scheduler starts here; pip install distributed")
            time.sleep(0.1)
        address = json.loads(file.read_text(encoding="utf-8"))["address"]
        from distributed import Client

        processes += [start("dask_worker", "--nthreads", "1") for _ in range(WORKERS)]
        with Client(address, timeout=_START_SECONDS, set_as_default=False) as client:
            client.wait_for_workers(WORKERS, timeout=_START_SECONDS)
        yield address
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
        log.close()


@contextmanager
def clocked(cost: dict[str, float]) -> Iterator[None]:
    """Adds to `cost` the `seconds` on the wall and the `processor` seconds of all processes that the block started."""
    before, started = _children(), time.monotonic()
    yield
    cost["seconds"] = time.monotonic() - started
    while True:  # Processes whose parent has ended are this one's children now.
        try:
            os.wait()
        except ChildProcessError:
            break
    cost["processor"] = _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def grade(course: Path, out: Path, digits: Path, *options: str) -> None:
    """Grades a course in a process of its own.

    Raises:
        SVHNError: It failed.
    """
    command = [*PROGRAM, "svhn", "grade", str(course), "--out", str(out), "--data", str(digits), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SVHNError(f"grading failed: {done.stderr[-500:]}")


def measure(count: int, models: int, folder: Path) -> list[dict]:
    """Grades a course of some hand-ins here, twice, and on a cluster."""
    course, digits, rows = folder / "course", folder / "digits.npz", []
    make_course(course, count, models)
    write_digits(digits)
    for place, firsts in ((HERE, (True, False)), (CLUSTER, (True,))):
        (folder / place).mkdir()
        out = folder / place / "graded"
        for first in firsts:
            row: dict = {"hand-ins": count, "place": place, "first": first}
            with clocked(row):
                if place == HERE:
                    grade(course, out, digits, "--workers", str(WORKERS))
                else:
                    with dask(folder / place) as address:
                        grade(course, out, digits, "--scheduler", address)
            evidence = [json.loads(path.read_text(encoding="utf-8")) for path in out.glob("*/evidence.json")]
            measured = sum("measured" in model for one in evidence for model in one["models"].values())
            if len(evidence) != count or measured != count * models:
                raise SVHNError(f"{place}: {measured} models of {len(evidence)} hand-ins were measured; see {out}")
            rows.append(row)
    return rows


def table_of(rows: list[dict], models: int) -> str:
    """The page, with the cost of each further hand-in."""
    packages = versions()
    named = ", ".join(f"{name} {packages[name]}" for name in ("python", "keras", "numpy"))
    lines = [
        "# What grading a course costs",
        "",
        f"Written by `benchmarks/course.py`: hand-ins of {models} small model{'s' * (models > 1)} each, no two alike,",
        f"on {DIGITS} drawn digits; {WORKERS} workers, here or on a Dask cluster. On {processor()}; {named},",
        f"backend {keras.backend.backend()}. Other work ran on the same cores. Processor seconds are those of all",
        "processes, the start of Keras, of the scheduler and of its workers included. The last column is the cost of",
        "one hand-in more, from the course before to this one: a step that is quadratic in hand-ins would let it grow.",
        "",
        "| hand-ins | where | s | processor s | a hand-in | each more |",
        "|---|---|---|---|---|---|",
    ]
    kinds = [(HERE, True), (CLUSTER, True), (HERE, False)]
    names = [HERE, "on a Dask cluster", "again, nothing changed"]
    for kind, name in zip(kinds, names, strict=True):
        before = None
        for row in [row for row in rows if (row["place"], row["first"]) == kind]:
            more = (row["processor"] - before["processor"]) / (row["hand-ins"] - before["hand-ins"]) if before else None
            each = row["processor"] / row["hand-ins"]
            cells = [f"{row['hand-ins']}", name, f"{row['seconds']:.0f}", f"{row['processor']:.0f}", f"{each:.2f}"]
            lines.append(f"| {' | '.join([*cells, '' if more is None else f'{more:.3f}'])} |")
            before = row
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measures, writes and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--hand-ins", type=int, nargs="+", default=[30, 100, 300])
    parser.add_argument("--models", type=int, choices=range(1, len(MODELS) + 1), default=len(MODELS))
    options = parser.parse_args()
    # Processes whose parent ends become children of this one, so their time counts.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    rows: list[dict] = []
    try:
        for count in sorted(options.hand_ins):
            with tempfile.TemporaryDirectory(prefix="svhn-course-") as folder:
                rows += measure(count, options.models, Path(folder))
            write_text(TABLE, table_of(rows, options.models))
    except SVHNError as error:
        print(f"course: {error}", file=sys.stderr)
        return 2
    print(table_of(rows, options.models))
    return 0


if __name__ == "__main__":
    sys.exit(main())
