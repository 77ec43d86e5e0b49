"""The trip of a course: hand-ins in, reports, feedback, marks and one table out; again only where something changed."""

import functools
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Executor, ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from svhn.backend import load_keras
from svhn.data.laid_out import measured_digits
from svhn.data.protocol import split_digits
from svhn.digits import Digits
from svhn.errors import SVHNError, one_line
from svhn.files import only_one, write_text
from svhn.grading.claims import in_common
from svhn.grading.cluster import cluster, examine_there, packed
from svhn.grading.examination import EVIDENCE, Execute, Job, code_digest, examine_one, fault, has_changed, stored
from svhn.grading.facts import Evidence, nothing_but
from svhn.grading.handins import find_handins
from svhn.grading.marks import mark_rows
from svhn.grading.pages.feedback import feedback_text
from svhn.grading.pages.manual import list_waiting, read_manual
from svhn.grading.pages.reports import Graded, write_course, write_handin
from svhn.rubric.calibration import Calibration, load_calibration
from svhn.sandbox.process import stoppable

MANUAL = "manual.csv"
# Examines a hand-in: takes its name, its path, the job and, in a thread of this process, a function that shows steps.
Work = Callable[..., None]


def grade(
    paths: Iterable[Path],
    digits: Digits,
    out: Path = Path("graded"),
    limit: int | None = None,
    workers: int | None = None,
    execute: Execute | None = None,
    scheduler: str | None = None,
) -> list[Graded]:
    """Grades hand-ins: evidence, marks, a report and feedback for each, a table and an index for all.

    Args:
        paths: Hand-ins, or folders of hand-ins; see `svhn.grading.handins.find_handins`.
        digits: Models are measured on the protocol's validation and test digits of these.
        out: Where to; `manual.csv` in it holds the marks that a person enters.
        limit: Measure on so many digits of each part, None for all.
        workers: Hand-ins examined at a time, None for one a core.
        execute: Runs a hand-in in a sandbox; see `Execute`.
        scheduler: The address of a Dask scheduler whose workers examine the hand-ins, None to do so here.

    Returns:
        The graded hand-ins, by name.

    Raises:
        SVHNError: A path holds no hand-in, a mark in `manual.csv` is none, another grading writes to the same folder,
            there is no such scheduler, or something cannot be written: then all that can be is, and another run goes
            on from there.
    """
    handins = find_handins(paths, leave_out=out)
    calibration = load_calibration()
    with only_one(out, "grading"):
        known = {*handins, *(path.name for path in out.glob("*/"))}
        read_manual(out / MANUAL, known)  # Before the long part: a slip in the table is told at once.
        source = f"{digits.fingerprint} {digits.description}, {limit or 'all'}"
        unwritten = _examined(handins, Job(source, out, execute=execute), digits, limit, workers, scheduler)
        graded = _marked([name for name in handins if name not in unwritten], unwritten, calibration, out, known)
        write_course(graded, out, digits.description)
    if unwritten:
        listed = "; ".join(f"{name}: {reason}" for name, reason in list(unwritten.items())[:3])
        raise SVHNError(f"{len(unwritten)} of {len(handins)} hand-ins were not graded ({listed}); then grade again")
    return graded


def _examined(
    handins: dict[str, Path], job: Job, digits: Digits, limit: int | None, workers: int | None, scheduler: str | None
) -> dict[str, str]:
    """Has the changed hand-ins examined, here or on a cluster; returns why the evidence of some was not written."""
    looked = tqdm(handins.items(), "looking for changes", unit="hand-in", delay=1, leave=False, file=sys.stderr)
    if not any(has_changed(name, path, job) for name, path in looked):
        return {}
    # Only now: all this takes seconds to load, and where nothing changed, nothing needs it.
    load_keras()
    # Where the workers may be on other machines, all of them see the folder of results.
    with measured_digits(split_digits(digits), limit, job.out if scheduler else None) as measured:
        job = replace(job, digits=measured)
        if scheduler:
            with cluster(scheduler) as pool:
                return examine_all(handins, packed(job), pool, functools.partial(examine_there, code=code_digest()))
        cores = os.cpu_count() or 1
        workers = min(workers or cores, len(handins))
        with ThreadPoolExecutor(workers) as pool:
            return examine_all(handins, replace(job, threads=max(1, cores // workers)), pool, examine_one)


def _marked(
    names: list[str], unwritten: dict[str, str], calibration: Calibration, out: Path, known: set[str]
) -> list[Graded]:
    """Marks hand-ins and lists the rows that wait for a person; adds to `unwritten` those that cannot be written."""
    entered = read_manual(out / MANUAL, known)
    evidence = {name: _evidence(out / name) for name in names}
    shared, graded = in_common(evidence), []
    for name, one in evidence.items():
        try:
            graded.append(mark_one(name, one, out, calibration, entered.get(name, {}), shared[name]))
        except SVHNError as error:
            unwritten[name] = str(error)
    waiting = {one.name: {mark.row.name: mark.reason for mark in one.marks if mark.value is None} for one in graded}
    list_waiting(out / MANUAL, waiting, known)
    return graded


def examine_all(handins: dict[str, Path], job: Job | bytes, pool: Executor, examine: Work) -> dict[str, str]:
    """Examines hand-ins that changed since their last time, several at once, under one progress bar.

    Args:
        handins: By name.
        job: For all of them.
        pool: Where they are examined.
        examine: Examines one.

    Returns:
        Why the evidence of some could not be written, by name.
    """
    unwritten: dict[str, str] = {}
    with tqdm(total=len(handins), desc="grading", unit="hand-in", mininterval=0.5, file=sys.stderr) as bar, stoppable():
        # Threads of this process show their steps, other processes only their end.
        show = (bar.set_postfix_str,) if isinstance(pool, ThreadPoolExecutor) else ()
        waiting = {pool.submit(examine, name, path, job, *show): name for name, path in handins.items()}
        try:
            for future in as_completed(waiting):
                name = waiting[future]
                try:
                    future.result()
                except SVHNError as error:
                    unwritten[name] = str(error)
                except CancelledError:
                    unwritten[name] = "the worker that was to examine it was lost"
                except Exception as error:  # One that ended, as by a worker's death, ends no other.
                    unwritten[name] = f"{type(error).__name__}: {one_line(error)}"
                bar.set_postfix_str(name)
                bar.update()
        finally:
            for future in waiting:
                future.cancel()
    return unwritten


def mark_one(
    name: str,
    evidence: Evidence,
    out: Path,
    calibration: Calibration,
    entered: dict[str, tuple[float | None, str]],
    shared: list[str],
) -> Graded:
    """Marks a hand-in by its evidence and a person's entries, and writes its report and feedback."""

    def mark(one: Evidence) -> Graded:
        figures = {key: calibration.summarise(model.curves) for key, model in one.models.items() if model.curves}
        graded = Graded(name, one, mark_rows(one, calibration, entered), figures, shared)
        write_handin(graded, out / name)
        write_text(out / name / "feedback.txt", feedback_text(graded))
        return graded

    try:
        return mark(evidence)
    except SVHNError:
        raise
    except Exception as error:  # One line in this hand-in's report; the others go on.
        return mark(replace(nothing_but(fault(error)), digits=evidence.digits, data=evidence.data))


def _evidence(folder: Path) -> Evidence:
    evidence = stored(folder)
    if evidence is None:
        raise SVHNError(f"{folder / EVIDENCE} is damaged; remove it and grade again")
    return evidence
