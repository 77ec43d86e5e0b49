"""The evidence that a hand-in holds: its texts, its curves and the scores of its models; none of it is run."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from svhn.data.laid_out import MeasuredDigits
from svhn.data.provenance import Provenance
from svhn.grading.claims import compare
from svhn.grading.facts import NO_CURVES, NO_MODEL, Evidence, File, Measured, Model, Recorded
from svhn.grading.measurement import measure_model
from svhn.grading.reading.causes import cause_of
from svhn.grading.reading.contents import HandIn
from svhn.grading.reading.curves import check_curves, read_curves
from svhn.grading.reading.descriptions import is_architecture
from svhn.grading.reading.files import Unread, kind_of
from svhn.grading.reading.names import NETWORKS, is_named_as_asked, is_notebook
from svhn.grading.texts import read_written
from svhn.rubric.questions import BY_MODEL, COLOUR, DENSE, GREY, MODELS, PYRAMID, VGG16
from svhn.sandbox.process import Limits, Refused, run_isolated
from svhn.typed import from_json

# The layers with weights that a dense network may have.
_DENSE = {"Dense", "BatchNormalization", "GroupNormalization", "LayerNormalization", "Normalization", "PReLU"}
_TEXT_LIMITS = Limits(seconds=120, memory=1_000_000_000)
# Of wall-clock time for all files of a hand-in together, so that none holds a worker for hours.
_HANDIN_SECONDS = 1800
_FILES_TOLD = 200
# The filters of VGG16's convolutions, in order.
_VGG16 = [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6


class _Clock:
    """How long the work on one hand-in may still take."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._end = seconds, time.monotonic() + seconds

    def run(self, function: Callable[..., Any], *arguments: Any, limits: Limits) -> dict[str, Any]:
        """As `run_isolated`, for no longer than there is time left."""
        left = self._end - time.monotonic()
        reply: dict[str, Any] = {"spent": True}
        if left > 0:
            reply = run_isolated(function, *arguments, limits=replace(limits, seconds=min(limits.seconds, left)))
        if reply.get("spent") and self._end - time.monotonic() <= 0:
            return reply | {"refused": f"the {self._seconds:,.0f} s that one hand-in may take were used up"}
        return reply


def examine(
    handin: HandIn,
    digits: MeasuredDigits,
    threads: int = 1,
    done: Callable[[str], None] = lambda what: None,
    seconds: float | None = None,
) -> Evidence:
    """Reads a hand-in and measures its models, each in a process of its own.

    Args:
        handin: Its files.
        digits: To measure on.
        threads: That compute.
        done: Called with each model's name when it is measured.
        seconds: Of wall-clock time for all of it, None for half an hour, or longer where there are very many digits.
    """
    by_model = {name: handin.of_model(name) for name in MODELS}
    model_seconds = 600 + 0.2 * (digits.provenance.validation + digits.provenance.test)
    clock = _Clock(max(model_seconds, _HANDIN_SECONDS) if seconds is None else seconds)
    evidence = _texts_and_curves(handin, by_model, clock)
    evidence.findings = handin.findings + evidence.findings
    evidence.files = _listed_files(handin)
    limits = Limits(seconds=model_seconds, threads=threads)
    for name, model in evidence.models.items():
        unread = [one for one in handin.unread if one.may_hold(name)]
        evidence.findings += _told_of_curves(name, model, handin, unread)
        if by_model[name]:
            reply = clock.run(measure_model, by_model[name], digits, *_said_of(model), limits=limits)
            evidence.faults += "fault" in reply
            evidence.findings += _take_in(name, model, reply, _reasons(handin, unread), digits.provenance)
        else:
            model.refused = _reasons(handin, unread) or NO_MODEL
        done(name)
    for name, model in evidence.models.items():
        model.doubts = doubts(name, evidence.models)
    return evidence


def _listed_files(handin: HandIn) -> list[File]:
    """Every file that was read, and every one that was not, with the reason; the first so many of each."""
    read = [File(name=handin.shown(path), bytes=path.stat().st_size) for path in handin.files[:_FILES_TOLD]]
    return read + [
        File(name=handin.shown(one.path), bytes=one.bytes, unread=one.reason) for one in handin.unread[:_FILES_TOLD]
    ]


def _texts_and_curves(handin: HandIn, by_model: dict[str, list[Path]], clock: _Clock) -> Evidence:
    """The texts and curves, read in one process; where that fails, file by file, so that an odd file costs no other."""
    texts = handin.notebooks, handin.written, handin.texts_unread
    whole = clock.run(_read_texts, *texts, by_model, limits=_TEXT_LIMITS)
    if "result" in whole:
        return from_json(Evidence, whole["result"])
    good, findings, faults, here = [], [], 0, False
    for path in [*handin.notebooks, *handin.written]:
        reply = clock.run(read_written, *_by_kind([path]), limits=_TEXT_LIMITS)
        faults, here = faults + ("fault" in reply), here or _is_here(reply)
        if "result" in reply:
            good.append(path)
        else:
            findings.append(f"{handin.shown(path)} could not be read: {_reason(reply)}")
    bad = [handin.shown(path) for path in (*handin.notebooks, *handin.written) if path not in good]
    reply = clock.run(read_written, *_by_kind(good), bad + handin.texts_unread, limits=_TEXT_LIMITS)
    unread = {"findings": [f"its texts could not be read: {_reason(reply)}"]} if "result" not in reply else {}
    evidence = from_json(Evidence, reply.get("result", unread))
    evidence.findings = findings + evidence.findings
    evidence.faults, evidence.texts_here = faults, here or _is_here(reply)
    for name, paths in by_model.items():
        reply = clock.run(_read_claims, paths, limits=_TEXT_LIMITS)
        refused = {"curves_refused": _reason(reply), "curves_here": _is_here(reply)} if "result" not in reply else {}
        evidence.models[name] = from_json(Model, reply.get("result", refused))
    return evidence


def _by_kind(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """Notebooks and the other written files."""
    notebooks = [path for path in paths if is_notebook(path.name)]
    return notebooks, [path for path in paths if path not in notebooks]


def doubts(name: str, models: Mapping[str, Model]) -> list[str]:
    """The reasons why a measured model may not be the one that its question asks for; each completes "the model ...".

    Args:
        name: Of the model, "model_1_1".
        models: All of the hand-in, some of them measured.
    """
    measured = models[name].measured
    if measured is None:
        return []
    question, found = BY_MODEL[name], []
    dense = question.network in (PYRAMID, DENSE)
    if dense and (others := sorted(set(measured.kinds) - _DENSE)):
        found.append(f"has layers of the kind {', '.join(others)}, and {question.number} asks for a dense network")
    if not dense and not measured.convolutions:
        found.append(f"has no convolution, and {question.number} asks for a convolutional network")
    elif question.network == VGG16 and measured.filters != _VGG16:
        listed = ", ".join(map(str, measured.filters[:13]))
        found.append(f"has convolutions of {listed} filters, and {question.number} asks for VGG16's base")
    if question.images == GREY and measured.channels == 3:
        found.append(f"reads colour images, and {question.number} asks for grey ones")
    others_measured = {other: model.measured for other, model in models.items() if model.measured and other != name}
    base = others_measured.get(question.same_network_as, measured)
    if measured.structure != base.structure:
        found.append(f"is another network than {question.same_network_as}, and {question.number} asks for the same one")
    if twins := [other for other, one in others_measured.items() if one.weights == measured.weights]:
        found.append(f"has the very weights of {', '.join(twins)}")
    return found


def _told_of_curves(name: str, model: Model, handin: HandIn, unread: list[Unread]) -> list[str]:
    """The findings about a model's curves; an unread file that may hold them is the reason why there are none."""
    if model.curves_refused == NO_CURVES:
        may_hold = [one for one in unread if one.path.suffix.lower() not in NETWORKS]
        model.curves_refused = _reasons(handin, may_hold) or NO_CURVES
        if may_hold or (unread and not handin.of_model(name)):
            return []
        if not handin.of_model(name):
            return [f"{name}: neither model nor learning curves were handed in"]
    return [f"{name}: {line}" for line in ([model.curves_refused] if model.curves_refused else []) + model.notes]


def _reasons(handin: HandIn, unread: list[Unread]) -> str:
    """Why some files are not read, the first of them."""
    return "; ".join(f"{handin.shown(one.path)} {one.reason}" for one in unread[:3])


def _said_of(model: Model) -> tuple[str | None, float | None]:
    """The preprocessing and the last validation accuracy that a hand-in states of a model."""
    # Null is said of models that see the colours themselves.
    record = model.record
    recorded = ("scaled" if record.preprocessing is None else record.preprocessing or None) if record else None
    return recorded, model.curves["val_accuracy"][-1] if model.curves else None


def _take_in(name: str, model: Model, reply: dict[str, Any], unread: str, provenance: Provenance) -> list[str]:
    """Notes the result of measuring a model; returns the findings."""
    findings = []
    if "result" in reply:
        model.measured = from_json(Measured, reply["result"])
        model.claims = compare(model, provenance)
    else:
        model.refused, model.here = _reason(reply), _is_here(reply)
        if unread and "no model file" in model.refused:  # Unread files are told already.
            model.refused = unread
        else:
            findings.append(f"{name}: {model.refused}")
    return findings + departures(name, model)


def _read_texts(
    notebooks: list[Path], written: list[Path], unread: list[str], by_model: dict[str, list[Path]]
) -> Evidence:
    """In its own process: everything of a hand-in but its models' numbers."""
    models = {name: _read_claims(paths) for name, paths in by_model.items()}
    return Evidence(**vars(read_written(notebooks, written, unread)), models=models)


def _read_claims(paths: list[Path]) -> Model:
    """In its own process: a model's curves and its record."""
    model, reasons = Model(), []
    for path in sorted(paths, key=lambda path: not is_named_as_asked(path.name)):
        if path.suffix.lower() in (".keras", ".h5", ".hdf5", ".hdf") or kind_of(path) == "hdf5":
            continue
        try:
            model.notes = notes = list[str]()
            content = read_curves(path)
            if is_architecture(content):
                continue
            if path.suffix.lower() == ".json" and isinstance(content, dict):
                if "learning_curves" in content:
                    model.record = _record(content, path, notes)
                content = content.get("learning_curves", content)
            model.curves = check_curves(content, path.name, notes)
            return model
        except Refused as error:
            reasons.append(str(error))
        except (MemoryError, RecursionError):
            reasons.append(f"{path.name} was not read: it asks for too much memory or is nested too deeply")
    model.curves_refused = "; ".join(reasons[:3]) or NO_CURVES
    return model


def _record(content: dict[str, Any], path: Path, notes: list[str]) -> Recorded | None:
    try:
        return from_json(Recorded, content)
    except ValueError as error:
        notes.append(f"{path.name} is not a model's record ({cause_of(error)}); only its curves were read")
        return None


def departures(name: str, model: Model) -> list[str]:
    """The ways in which a model breaks the assignment's rules, and that a person may let pass."""
    question, found = BY_MODEL[name], []
    low, high = question.epochs
    if model.curves and not low <= (epochs := len(model.curves["loss"])) <= high:
        found.append(f"{name}: its curves have {epochs:,} epochs, and {low} to {high} are allowed")
    if model.measured:
        units = model.measured.dense
        if question.images == COLOUR and model.measured.channels == 1:
            found.append(f"{name} reads grey images, and {question.number} asks for colour")
        if question.network == PYRAMID and (len(units) < 3 or any(left <= right for left, right in pairwise(units))):
            listed = ", ".join(map(str, units[:12])) or "no"
            asked = f"{question.number} asks for three or more, each narrower"
            found.append(f"{name} has dense layers of {listed} units, and {asked}")
    return found


def _is_here(reply: dict[str, Any]) -> bool:
    """Whether something was not read because of this machine's limits or the grader's faults."""
    return "fault" in reply or bool(reply.get("spent"))


def _reason(reply: dict[str, Any]) -> str:
    if "fault" in reply:
        return f"the grader failed at it ({re.sub(r'[^ -~]', '', reply['fault'])}); please report this"
    return reply["refused"]
