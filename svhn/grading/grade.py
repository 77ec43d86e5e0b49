"""The trip of a course: hand-ins in, reports, feedback, marks and one table out; again only where something changed."""

import base64
import functools
import hashlib
import importlib.metadata
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from svhn.backend import load_keras
from svhn.data.laid_out import MeasuredDigits, measured_digits
from svhn.data.protocol import split_digits
from svhn.digits import Digits
from svhn.errors import SVHNError
from svhn.files import atomic_path, digest_of, only_one, write_json
from svhn.grading.claims import in_common
from svhn.grading.handins import HandIn, find_handins, opened
from svhn.grading.manual import add_missing, read_manual
from svhn.grading.marks import mark_rows
from svhn.grading.pages import PLOTS, Graded, write_course, write_handin
from svhn.grading.reading.causes import cause_of
from svhn.rubric.calibration import Calibration, load_calibration
from svhn.sandbox.process import stoppable

MANUAL = "manual.csv"
EVIDENCE = "evidence.json"
FORMAT = 1
# Whoever runs a hand-in: takes its folder and the folder of its results; returns `ran`, `seconds`, `findings` (one
# line each), `notebook` (the executed copy's file name, or None) and, where they are not the hand-in's, `faults`.
Execute = Callable[[Path, Path], dict[str, Any]]
# Evidence is of the code that looked: of all of it, as a list of modules would one day miss one.
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Job:
    """What grading one hand-in needs, besides the hand-in.

    Attributes:
        source: Tells the digits that models are measured on from all others.
        out: The folder of all results.
        threads: That compute.
        execute: Runs a hand-in, None where none is run.
    """

    source: str
    out: Path
    threads: int = 1
    execute: Execute | None = None


def grade(
    paths: Iterable[Path],
    digits: Digits,
    out: Path = Path("graded"),
    limit: int | None = None,
    workers: int | None = None,
    execute: Execute | None = None,
) -> list[Graded]:
    """Grades hand-ins: evidence, marks, a report and feedback for each, a table and an index for all.

    Args:
        paths: Hand-ins, or folders of hand-ins; see `svhn.grading.handins.find_handins`.
        digits: Models are measured on the protocol's validation and test digits of these.
        out: Where to; `manual.csv` in it holds the marks that a person enters.
        limit: Measure on so many digits of each part, None for all.
        workers: Hand-ins examined at a time, None for one a core.
        execute: Runs a hand-in in a sandbox; see `Execute`.

    Returns:
        The graded hand-ins, by name.

    Raises:
        SVHNError: A path holds no hand-in, a mark in `manual.csv` is none, another grading writes to the same folder,
            or something cannot be written: then all that can be is, and another run goes on from there.
    """
    handins = find_handins(paths, leave_out=out)
    calibration = load_calibration()
    with only_one(out, "grading"):
        return _grade(handins, calibration, digits, out, limit, workers, execute)


def _grade(
    handins: dict[str, Path],
    calibration: Calibration,
    digits: Digits,
    out: Path,
    limit: int | None,
    workers: int | None,
    execute: Execute | None,
) -> list[Graded]:
    # Before the long part: a slip in the table is told at once.
    known = {*handins, *(path.name for path in out.glob("*/"))}
    add_missing(out / MANUAL, handins, known)
    cores = os.cpu_count() or 1
    workers = min(workers or cores, len(handins))
    source = f"{digits.fingerprint} {digits.description}, {limit or 'all'}"
    job, unwritten = Job(source, out, max(1, cores // workers), execute), {}
    looked = tqdm(handins.items(), "looking for changes", unit="hand-in", delay=1, leave=False, file=sys.stderr)
    if any(_has_changed(name, path, job) for name, path in looked):
        # Only now: all this takes seconds to load, and where nothing changed, nothing needs it.
        load_keras()
        with measured_digits(split_digits(digits), limit) as measured:
            unwritten = examine_all(handins, job, measured, workers)
    entered = read_manual(out / MANUAL, known)
    evidence = {name: _evidence(out / name) for name in handins if name not in unwritten}
    shared, graded = in_common(evidence), []
    for name, one in evidence.items():
        try:
            graded.append(mark_one(name, one, out, calibration, entered.get(name, {}), shared[name]))
        except SVHNError as error:
            unwritten[name] = str(error)
    write_course(graded, out, digits.description)
    if unwritten:
        listed = "; ".join(f"{name}: {reason}" for name, reason in list(unwritten.items())[:3])
        raise SVHNError(f"{len(unwritten)} of {len(handins)} hand-ins were not graded ({listed}); then grade again")
    return graded


def examine_all(handins: dict[str, Path], job: Job, digits: MeasuredDigits, workers: int) -> dict[str, str]:
    """Examines what changed since its last time, several at once, under one progress bar.

    Returns:
        Why the evidence of some could not be written, by name.
    """
    total, unwritten = len(handins), {}
    with (
        tqdm(total=total, desc="grading", unit="hand-in", mininterval=0.5, file=sys.stderr) as bar,
        ThreadPoolExecutor(workers) as pool,
        stoppable(),
    ):
        waiting = {
            pool.submit(examine_one, name, path, job, digits, bar.set_postfix_str): name
            for name, path in handins.items()
        }
        try:
            for future in as_completed(waiting):
                try:
                    future.result()
                except SVHNError as error:
                    unwritten[waiting[future]] = str(error)
                bar.update()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return unwritten


def examine_one(
    name: str, path: Path, job: Job, digits: MeasuredDigits, show: Callable[[str], None] = lambda text: None
) -> None:
    """Writes the evidence of one hand-in, unless it is there and of these very files, digits and grader.

    Whatever happens inside a hand-in is told in its own evidence.

    Raises:
        SVHNError: The evidence cannot be written.
    """
    from svhn.grading.evidence import examine, nothing_but

    folder = job.out / name
    try:
        with opened(path, whole=job.execute is not None) as handin:
            key = _key_of(handin, job)
            if _key_stored(folder) == key:
                return
            evidence = examine(handin, digits, job.threads, lambda model: show(f"{name}: {model}"))
            if job.execute:
                show(f"{name}: running it")
                evidence["execution"] = _executed(job.execute, handin.folder, folder)
                evidence["faults"] += evidence["execution"].pop("faults", 0)
            if evidence.pop("faults"):
                key = ""  # The grader's own failure is no evidence: the next run tries again.
    except SVHNError as error:
        key, evidence = _key(str(error), job), nothing_but(str(error))
    except Exception as error:  # One line in this hand-in's report; the others go on.
        key, evidence = "", nothing_but(_fault(error))
    _write_plots(folder / PLOTS, evidence.pop("plots"))
    head = {"format": FORMAT, "key": key, "handin": name, "digits": digits.description}
    write_json(folder / EVIDENCE, head | {"data": digits.provenance} | evidence)


def _has_changed(name: str, path: Path, job: Job) -> bool:
    """Whether the evidence of a hand-in is missing, or of other files, digits or another grader."""
    try:
        with opened(path, whole=job.execute is not None) as handin:
            key = _key_of(handin, job)
    except SVHNError as error:
        key = _key(str(error), job)
    except Exception:  # `examine_one` meets it again, and tells it in the hand-in's report.
        return True
    return _key_stored(job.out / name) != key


def mark_one(
    name: str,
    evidence: dict[str, Any],
    out: Path,
    calibration: Calibration,
    entered: dict[str, tuple[float | None, str]],
    shared: list[str],
) -> Graded:
    """Marks a hand-in by its evidence and by what a person entered, and writes its report and feedback."""
    try:
        return _mark(name, evidence, out, calibration, entered, shared)
    except SVHNError:
        raise
    except Exception as error:  # One line in this hand-in's report; the others go on.
        from svhn.grading.evidence import nothing_but

        head = {part: evidence.get(part) for part in ("digits", "data")}
        return _mark(name, nothing_but(_fault(error)) | head, out, calibration, entered, shared)


def _mark(
    name: str,
    evidence: dict[str, Any],
    out: Path,
    calibration: Calibration,
    entered: dict[str, tuple[float | None, str]],
    shared: list[str],
) -> Graded:
    marks = mark_rows(evidence, calibration, entered)
    figures = {
        key: calibration.summarise(model["curves"]) for key, model in evidence["models"].items() if "curves" in model
    }
    graded = Graded(name, evidence, marks, figures, shared)
    write_handin(graded, out / name)
    return graded


def _fault(error: Exception) -> str:
    return f"the grader failed at it ({type(error).__name__}: {cause_of(error)}); please report this"


def _executed(execute: Execute, handin: Path, folder: Path) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return execute(handin, folder)
    except Exception as error:  # One line in this hand-in's report; the others go on.
        finding = f"it could not be run ({type(error).__name__}: {cause_of(error)})"
        return {"ran": False, "seconds": 0.0, "findings": [finding], "notebook": None, "faults": 1}


def _key_of(handin: HandIn, job: Job) -> str:
    return _key(handin.whole_fingerprint(job.out) if job.execute else handin.fingerprint, job)


def _key(fingerprint: str, job: Job) -> str:
    """Of everything that evidence depends on: the hand-in's files, the digits, Keras, and the code that looked."""
    keras = importlib.metadata.version("keras")
    known = (FORMAT, keras, fingerprint, bool(job.execute), job.source, _code())
    return hashlib.sha256(repr(known).encode()).hexdigest()[:16]


@functools.cache
def _code() -> str:
    return digest_of(_PACKAGE, "*.py")


def _stored(folder: Path) -> dict[str, Any] | None:
    """The evidence as last written, None where there is none or it is damaged."""
    try:
        evidence = json.loads((folder / EVIDENCE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    whole = isinstance(evidence, dict) and evidence.get("format") == FORMAT
    return evidence if whole and {"key", "models", "answers", "findings", "student"} <= set(evidence) else None


def _key_stored(folder: Path) -> str | None:
    return (_stored(folder) or {}).get("key")


def _evidence(folder: Path) -> dict[str, Any]:
    evidence = _stored(folder)
    if evidence is None:
        raise SVHNError(f"{folder / EVIDENCE} is damaged; remove it and grade again")
    return evidence


def _write_plots(folder: Path, plots: list[dict[str, str]]) -> None:
    """Writes a hand-in's stored plots, `3.1-1.png` and so on, and removes those of an earlier grading."""
    for path in folder.glob("*.png"):
        path.unlink(missing_ok=True)
    numbers: Counter[str] = Counter()
    for plot in plots:
        numbers[plot["question"]] += 1
        with atomic_path(folder / f"{plot['question']}-{numbers[plot['question']]}.png") as temporary:
            temporary.write_bytes(base64.b64decode(plot["png"]))
