"""The evidence of one hand-in, written once: again only where it, the digits or the grader changed."""

import base64
import functools
import hashlib
import importlib.metadata
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from svhn.data.laid_out import MeasuredDigits
from svhn.errors import SVHNError
from svhn.files import NoRoom, atomic_path, digest_of, is_no_room, write_json
from svhn.grading.facts import FORMAT, Evidence, Execution, Plot, nothing_but
from svhn.grading.handins import opened
from svhn.grading.pages.reports import PLOTS
from svhn.grading.reading.causes import cause_of
from svhn.grading.reading.contents import HandIn
from svhn.rubric.questions import MODELS
from svhn.typed import from_json, to_json

EVIDENCE = "evidence.json"
# Runs a hand-in: takes its folder and the folder of its results.
Execute = Callable[[Path, Path], Execution]
# Evidence is of the code that looked: of all of it, as a list of modules would one day miss one.
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Job:
    """The settings of grading one hand-in.

    Attributes:
        source: Tells the digits that models are measured on from all others.
        out: The folder of all results.
        digits: To measure models on; None until a hand-in needs them.
        threads: That compute.
        execute: Runs a hand-in, None where none is run.
    """

    source: str
    out: Path
    digits: MeasuredDigits | None = None
    threads: int = 1
    execute: Execute | None = None


def examine_one(name: str, path: Path, job: Job, show: Callable[[str], None] = lambda text: None) -> None:
    """Writes the evidence of one hand-in, unless it is there and of these very files, digits and grader.

    Whatever happens inside a hand-in is told in its own evidence.

    Raises:
        SVHNError: The evidence cannot be written, or this machine has no room to unpack the hand-in.
    """
    from svhn.grading.evidence import examine  # Keras comes with it.

    assert job.digits is not None
    folder = job.out / name
    try:
        with opened(path, whole=job.execute is not None) as handin:
            key = _key_of(handin, job)
            if _key_stored(folder) == key:
                return
            evidence = examine(handin, job.digits, job.threads, lambda model: show(f"{name}: {model}"))
            if job.execute:
                show(f"{name}: running it")
                evidence.execution = _executed(job.execute, handin.folder, folder)
                evidence.faults += evidence.execution.faults
            if evidence.faults:
                key = ""  # The grader's own failure is no evidence: the next run tries again.
    except NoRoom:
        raise
    except SVHNError as error:
        key, evidence = _key(str(error), job), nothing_but(str(error))
        evidence.unopened = str(error)
    except Exception as error:  # One line in this hand-in's report; the others go on.
        if is_no_room(error):
            raise NoRoom(f"cannot unpack it ({cause_of(error)}); free some space or set TMPDIR") from error
        key, evidence = "", nothing_but(fault(error))
    _write_plots(folder / PLOTS, evidence.plots)
    evidence.key, evidence.handin = key, name
    evidence.digits, evidence.data = job.digits.description, job.digits.provenance
    write_json(folder / EVIDENCE, to_json(replace(evidence, plots=[])))


def has_changed(name: str, path: Path, job: Job) -> bool:
    """Whether the evidence of a hand-in is missing, or of other files, digits or another grader."""
    try:
        with opened(path, whole=job.execute is not None) as handin:
            key = _key_of(handin, job)
    except SVHNError as error:
        key = _key(str(error), job)
    except Exception:  # `examine_one` meets it again, and tells it in the hand-in's report.
        return True
    return _key_stored(job.out / name) != key


def stored(folder: Path) -> Evidence | None:
    """The evidence as last written, None where there is none, or it is damaged or of another format."""
    try:
        evidence = from_json(Evidence, json.loads((folder / EVIDENCE).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None
    return evidence if evidence.format == FORMAT and set(evidence.models) == set(MODELS) else None


def fault(error: Exception) -> str:
    """The line of a report where the grader itself failed."""
    return f"the grader failed at it ({type(error).__name__}: {cause_of(error)}); please report this"


def _executed(execute: Execute, handin: Path, folder: Path) -> Execution:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return execute(handin, folder)
    except Exception as error:  # One line in this hand-in's report; the others go on.
        finding = f"it could not be run ({type(error).__name__}: {cause_of(error)})"
        return Execution(ran=False, seconds=0.0, findings=[finding], notebook=None, faults=1)


def _key_of(handin: HandIn, job: Job) -> str:
    return _key(handin.whole_fingerprint(job.out) if job.execute else handin.fingerprint, job)


def _key_stored(folder: Path) -> str | None:
    evidence = stored(folder)
    return evidence.key if evidence else None


def _key(fingerprint: str, job: Job) -> str:
    """Of everything that evidence depends on: the hand-in's files, the digits, Keras, and the code that looked."""
    keras = importlib.metadata.version("keras")
    known = (FORMAT, keras, fingerprint, bool(job.execute), job.source, code_digest())
    return hashlib.sha256(repr(known).encode()).hexdigest()[:16]


@functools.cache
def code_digest() -> str:
    """Of this package's own code."""
    return digest_of(_PACKAGE, "*.py")


def _write_plots(folder: Path, plots: list[Plot]) -> None:
    """Writes a hand-in's stored plots, `3.1-1.png` and so on, and removes those of an earlier grading."""
    for path in folder.glob("*.png"):
        path.unlink(missing_ok=True)
    numbers: Counter[str] = Counter()
    for plot in plots:
        numbers[plot.question] += 1
        with atomic_path(folder / f"{plot.question}-{numbers[plot.question]}.png") as temporary:
            temporary.write_bytes(base64.b64decode(plot.png))
