"""The evidence that a hand-in holds: what it says, what its curves claim, what its models score; none of it is run."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from svhn.data.laid_out import MeasuredDigits
from svhn.grading.claims import compare
from svhn.grading.curves import check_curves, read_curves
from svhn.grading.handins import HandIn
from svhn.grading.marks import NO_CURVES, NO_MODEL
from svhn.grading.measurement import measure_model
from svhn.grading.reading.descriptions import is_architecture
from svhn.grading.reading.kinds import kind_of
from svhn.grading.reading.names import is_named_as_asked, model_of
from svhn.grading.texts import read_written
from svhn.rubric.questions import BY_MODEL, COLOUR, DENSE, GREY, MODELS, PYRAMID, VGG16
from svhn.sandbox.process import Limits, Refused, run_isolated
from svhn.typed import to_json

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
) -> dict[str, Any]:
    """Reads a hand-in and measures its models, each in a process of its own.

    Args:
        handin: Its files.
        digits: What to measure on.
        threads: That compute.
        done: Called with each model's name when it is measured.
        seconds: Of wall-clock time for all of it, None for what its many digits may take.

    Returns:
        `student`, `date`, `answers`, `evaluation_4_2`, `plots`, `files`, `models` and `findings`, in JSON's types.
        A model has `curves` or `curves_refused`, `record` or None, `measured` or `refused`, and the lists `claims` and
        `doubts`, what about it is not as the question asks. `faults` is how often the grader itself failed;
        `texts_here`, `curves_here` and `here` say of what was not read that a limit or a fault of the grader's is why.
    """
    by_model = {name: [path for path in handin.models if model_of(path.name) == name] for name in MODELS}
    model_seconds = 600 + 0.2 * (digits.provenance.validation + digits.provenance.test)
    clock = _Clock(max(model_seconds, _HANDIN_SECONDS) if seconds is None else seconds)
    evidence, faults = _texts_and_curves(handin, by_model, clock)
    evidence["findings"] = handin.findings + evidence["findings"]
    evidence["files"] = _listed_files(handin)
    models, curves, findings = {}, evidence.pop("curves"), evidence["findings"]
    for name in MODELS:
        facts = curves[name] | {"unread": [f"{handin.shown(one.path)} {one.reason}" for one in handin.unread
                                           if one.model == name]}  # fmt: skip
        limits = Limits(seconds=model_seconds, threads=threads)
        models[name] = _examine_model(name, by_model[name], facts, digits, limits, clock, findings)
        done(name)
    for name, model in models.items():
        model["doubts"] = doubts(name, models)
    faults += sum(model.pop("faults", 0) for model in models.values())
    return evidence | {"models": models, "faults": faults}


def _listed_files(handin: HandIn) -> list[dict[str, Any]]:
    """Every file that was read, and what was not and why; the first so many of each."""
    read = [{"name": handin.shown(path), "bytes": path.stat().st_size} for path in handin.files[:_FILES_TOLD]]
    unread = [
        {"name": handin.shown(one.path), "bytes": one.path.stat().st_size, "unread": one.reason}
        for one in handin.unread[:_FILES_TOLD]
    ]
    return read + unread


def _texts_and_curves(handin: HandIn, by_model: dict[str, list[Path]], clock: _Clock) -> tuple[dict[str, Any], int]:
    """What a hand-in says, in one process; where that fails, file by file, so that one odd file takes itself only."""
    whole = clock.run(_read_texts, handin.notebooks, handin.written, by_model, limits=_TEXT_LIMITS)
    if "result" in whole:
        return whole["result"], 0
    good, findings, faults, here = [], [], 0, False
    for path in [*handin.notebooks, *handin.written]:
        reply = clock.run(read_written, *_by_kind([path]), limits=_TEXT_LIMITS)
        faults, here = faults + ("fault" in reply), here or _is_here(reply)
        if "result" in reply:
            good.append(path)
        else:
            findings.append(f"{handin.shown(path)} could not be read: {_reason(reply)}")
    reply = clock.run(read_written, *_by_kind(good), limits=_TEXT_LIMITS)
    evidence = reply.get("result") or _unread(f"its texts could not be read: {_reason(reply)}")
    curves = {}
    for name, paths in by_model.items():
        claims = clock.run(_read_claims, paths, limits=_TEXT_LIMITS)
        refused = {"curves_refused": _reason(claims), "curves_here": _is_here(claims), "record": None}
        curves[name] = claims.get("result") or refused
    found = {"curves": curves, "findings": findings + evidence["findings"], "texts_here": here or _is_here(reply)}
    return evidence | found, faults


def _by_kind(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """Notebooks and the other written files."""
    notebooks = [path for path in paths if path.suffix.lower() == ".ipynb"]
    return notebooks, [path for path in paths if path not in notebooks]


def doubts(name: str, models: dict[str, dict[str, Any]]) -> list[str]:
    """What keeps a measured model from being the one that its question asks for; each completes "the model ...".

    Args:
        name: Of the model, "model_1_1".
        models: All of the hand-in, some with `measured`.
    """
    measured = models[name].get("measured")
    if measured is None:
        return []
    question, found = BY_MODEL[name], []
    dense = question.network in (PYRAMID, DENSE)
    if dense and (others := sorted(set(measured["kinds"]) - _DENSE)):
        found.append(f"has layers of the kind {', '.join(others)}, and {question.number} asks for a dense network")
    if not dense and not measured["convolutions"]:
        found.append(f"has no convolution, and {question.number} asks for a convolutional network")
    elif question.network == VGG16 and "filters" in measured and measured["filters"] != _VGG16:
        listed = ", ".join(map(str, measured["filters"][:13]))
        found.append(f"has convolutions of {listed} filters, and {question.number} asks for VGG16's base")
    if question.images == GREY and measured.get("channels") == 3:
        found.append(f"reads colour images, and {question.number} asks for grey ones")
    base = models.get(question.same_network_as, {}).get("measured") or measured
    if question.same_network_as and measured.get("structure") != base.get("structure"):
        found.append(f"is another network than {question.same_network_as}, and {question.number} asks for the same one")
    twins = [
        other
        for other, model in models.items()
        if other != name and model.get("measured", {}).get("weights") == measured["weights"]
    ]
    if twins:
        found.append(f"has the very weights of {', '.join(twins)}")
    return found


def nothing_but(finding: str) -> dict[str, Any]:
    """The evidence of a hand-in that could not be opened: one finding."""
    evidence = _unread(finding)
    refused = {"refused": "the hand-in could not be opened", "here": True, "claims": [], "doubts": []}
    return evidence | {"files": [], "models": {name: facts | refused for name, facts in evidence.pop("curves").items()}}


def _unread(finding: str) -> dict[str, Any]:
    return {
        "student": {"name": None, "id": None},
        "date": None,
        "answers": {},
        "no_answer": {},
        "printed_4_2": None,
        "evaluation_4_2": None,
        "plots": [],
        "curves": {
            name: {"curves_refused": "the learning curves were not read", "curves_here": True, "record": None}
            for name in MODELS
        },
        "findings": [finding],
        "texts_here": True,
    }


def _examine_model(
    name: str,
    paths: list[Path],
    facts: dict[str, Any],
    digits: MeasuredDigits,
    limits: Limits,
    clock: _Clock,
    findings: list[str],
) -> dict[str, Any]:
    model = dict(facts)
    if not paths:
        told = "; ".join(model.pop("unread"))
        findings.append(f"{name}: neither a model nor learning curves that can be read were handed in" if told else
                        f"{name}: neither model nor learning curves were handed in")  # fmt: skip
        return model | {"refused": told or NO_MODEL, "claims": []}
    if "curves_refused" in facts:
        findings.append(f"{name}: {facts['curves_refused']}")
    findings += [f"{name}: {note}" for note in model.pop("notes", [])]
    unread = model.pop("unread")
    recorded = (facts["record"] or {}).get("preprocessing")
    claimed = facts["curves"]["val_accuracy"][-1] if "curves" in facts else None
    reply = clock.run(measure_model, paths, digits, recorded, claimed, limits=limits)
    if "result" in reply:
        model["measured"] = reply["result"]
        model["claims"] = compare(model, to_json(digits.provenance))
    else:
        reason = "; ".join(unread) if unread and "no model file" in _reason(reply) else _reason(reply)
        model |= {"refused": reason, "claims": [], "here": _is_here(reply), "faults": int("fault" in reply)}
        findings.append(f"{name}: {model['refused']}")
    findings += departures(name, model)
    return model


def _read_texts(notebooks: list[Path], written: list[Path], by_model: dict[str, list[Path]]) -> dict[str, Any]:
    """In its own process: everything of a hand-in but its models' numbers."""
    return read_written(notebooks, written) | {"curves": {name: _read_claims(by_model[name]) for name in by_model}}


def _read_claims(paths: list[Path]) -> dict[str, Any]:
    """A model's curves, and what its record says of it."""
    record, reasons = None, []
    for path in sorted(paths, key=lambda path: (not is_named_as_asked(path.name), path.name)):
        if path.suffix.lower() in (".keras", ".h5", ".hdf5", ".hdf") or kind_of(path) == "hdf5":
            continue
        try:
            notes: list[str] = []
            content = read_curves(path)
            if is_architecture(content):
                continue
            if path.suffix.lower() == ".json" and isinstance(content, dict):
                record = _record(content)
                content = content.get("learning_curves", content)
            return {"curves": check_curves(content, path.name, notes), "record": record, "notes": notes}
        except Refused as error:
            reasons.append(str(error))
        except (MemoryError, RecursionError):
            reasons.append(f"{path.name} was not read: it asks for too much memory or is nested too deeply")
    return {"curves_refused": "; ".join(reasons[:3]) or NO_CURVES, "record": record}


def _record(content: dict[str, Any]) -> dict[str, Any]:
    """The parts of a record that grading uses, each only where it is of the right kind."""
    accuracy = content.get("accuracy")
    shares = {
        part: float(accuracy[part])
        for part in ("validation", "test")
        if isinstance(accuracy, dict) and isinstance(accuracy.get(part), int | float) and 0 <= accuracy[part] <= 1
    }
    data = content.get("data")
    named = None
    if isinstance(data, dict) and isinstance(data.get("fingerprint"), str):
        named = {
            "fingerprint": data["fingerprint"][:64],
            "name": str(data.get("name"))[:100],
            "real": data.get("real") is True,
        }
    # Null is said of models that see the colours themselves; where the key is absent nothing is said.
    name = content.get("preprocessing", "") or ("scaled" if "preprocessing" in content else None)
    return {"accuracy": shares, "data": named, "preprocessing": name if isinstance(name, str) else None}


def departures(name: str, model: dict[str, Any]) -> list[str]:
    """Where a model leaves what the assignment allows, in ways that a person may let pass."""
    question, found = BY_MODEL[name], []
    (low, high), epochs = question.epochs, len(model["curves"]["loss"]) if "curves" in model else None
    if epochs is not None and not low <= epochs <= high:
        found.append(f"{name}: its curves have {epochs:,} epochs, and {low} to {high} are allowed")
    if measured := model.get("measured"):
        units = measured["dense"]
        if question.images == COLOUR and measured["channels"] == 1:
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
