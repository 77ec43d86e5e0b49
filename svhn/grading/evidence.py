"""The evidence that a hand-in holds: what it says, what its curves claim, what its models score; none of it is run."""

import math
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from svhn.grading.curves import check_curves, read_json, read_pickle
from svhn.grading.handins import MODEL_NAME, HandIn
from svhn.grading.measurement import MeasuredDigits, measure_model
from svhn.grading.models import is_architecture
from svhn.grading.texts import read_written
from svhn.rubric.questions import BY_MODEL, COLOUR, CONVOLUTIONAL, MODELS, PYRAMID
from svhn.sandbox.process import Limits, Refused, run_isolated

TOLERANCE = 0.01
FALL = 0.03
# The layers with weights that a dense network may have.
_DENSE = {"Dense", "BatchNormalization", "GroupNormalization", "LayerNormalization", "Normalization", "PReLU"}
_TEXT_LIMITS = Limits(seconds=120, memory=1_000_000_000)


def examine(
    handin: HandIn, digits: MeasuredDigits, threads: int = 1, done: Callable[[str], None] = lambda what: None
) -> dict[str, Any]:
    """Reads a hand-in and measures its models, each in a process of its own.

    Args:
        handin: Its files.
        digits: What to measure on.
        threads: That compute.
        done: Called with each model's name when it is measured.

    Returns:
        `student`, `date`, `answers`, `evaluation_4_2`, `plots`, `files`, `models` and `findings`, in JSON's types.
        A model has `curves` or `curves_refused`, `record` or None, `measured` or `refused`, and the lists `claims` and
        `doubts`, what about it is not as the question asks. `faults` is how often the grader itself failed.
    """
    by_model = {name: [path for path in handin.models if _belongs(path, name)] for name in MODELS}
    reply = run_isolated(_read_texts, handin.notebooks, handin.written, by_model, limits=_TEXT_LIMITS)
    evidence = reply.get("result") or _unread(f"its texts could not be read: {_reason(reply)}")
    evidence["findings"] = handin.findings + evidence["findings"]
    evidence["files"] = [{"name": handin.shown(path), "bytes": path.stat().st_size} for path in handin.files]
    seconds = 600 + 0.2 * sum(digits.provenance[part] for part in ("validation", "test"))
    limits = Limits(seconds=seconds, threads=threads)
    models, curves = {}, evidence.pop("curves")
    for name in MODELS:
        models[name] = _examine_model(name, by_model[name], curves[name], digits, limits, evidence["findings"])
        done(name)
    for name, model in models.items():
        model["doubts"] = doubts(name, models)
    faults = ("fault" in reply) + sum(model.pop("faults", 0) for model in models.values())
    return evidence | {"models": models, "faults": faults}


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
    convolutional = question.network == CONVOLUTIONAL
    if not convolutional and (others := sorted(set(measured["kinds"]) - _DENSE)):
        found.append(f"has layers of the kind {', '.join(others)}, and {question.number} asks for a dense network")
    if convolutional and not measured["convolutions"]:
        found.append(f"has no convolution, and {question.number} asks for a convolutional network")
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
    refused = {"refused": "the hand-in could not be opened", "claims": [], "doubts": []}
    return evidence | {"files": [], "models": {name: facts | refused for name, facts in evidence.pop("curves").items()}}


def _unread(finding: str) -> dict[str, Any]:
    return {
        "student": {"name": None, "id": None},
        "date": None,
        "answers": {},
        "evaluation_4_2": None,
        "plots": [],
        "curves": {name: {"curves_refused": "the learning curves were not read", "record": None} for name in MODELS},
        "findings": [finding],
    }


def _examine_model(
    name: str, paths: list[Path], facts: dict[str, Any], digits: MeasuredDigits, limits: Limits, findings: list[str]
) -> dict[str, Any]:
    model = dict(facts)
    if not paths:
        findings.append(f"{name}: neither model nor learning curves were handed in")
        return model | {"refused": "no model was handed in", "claims": []}
    if "curves_refused" in facts:
        findings.append(f"{name}: {facts['curves_refused']}")
    recorded = (facts["record"] or {}).get("preprocessing")
    reply = run_isolated(measure_model, paths, digits, recorded, limits=limits)
    if "result" in reply:
        model["measured"] = reply["result"]
        model["claims"] = compare(model, digits.provenance)
    else:
        model |= {"refused": _reason(reply), "claims": [], "faults": int("fault" in reply)}
        findings.append(f"{name}: {model['refused']}")
    findings += departures(name, model)
    return model


def compare(model: dict[str, Any], provenance: dict[str, Any]) -> list[dict[str, Any]]:
    """What a hand-in claims of a model against what was measured.

    The stored file is the model after its last epoch, or, where a student kept the best, after that one: the curve's
    value nearer to the measured one is the claim. A difference over one percentage point is flagged. It contradicts
    the claim where it is also too large for chance: less than claimed by over three standard errors.

    Args:
        model: With `curves`, `record` and `measured`.
        provenance: Of the digits measured on.

    Returns:
        For each claim `part`, `source`, `claimed`, `measured`, `difference`, `standard_error`, `digits` ("the same",
        "unnamed" or the name of others), `comparable`, `flagged` and `contradicted`.
    """
    measured, record = model["measured"], model.get("record") or {}
    claims = []
    if curves := model.get("curves"):
        curve = curves["val_accuracy"]
        found = measured["accuracy"]["validation"]
        epochs = {f"its last epoch, {len(curve)}": curve[-1]}
        epochs[f"its best epoch, {curve.index(max(curve)) + 1} of {len(curve)}"] = max(curve)
        source = min(epochs, key=lambda key: abs(epochs[key] - found))
        claims.append(("validation", source, epochs[source]))
    if "test" in (record.get("accuracy") or {}):
        claims.append(("test", "its record", record["accuracy"]["test"]))
    return [_compared(claim, measured, record.get("data"), provenance) for claim in claims]


def _compared(
    claim: tuple[str, str, float], measured: dict[str, Any], data: dict[str, Any] | None, provenance: dict[str, Any]
) -> dict[str, Any]:
    part, source, claimed = claim
    found, count = measured["accuracy"][part], measured["digits"][part]
    error = math.sqrt(found * (1 - found) / count)
    same = data is not None and data["fingerprint"] == provenance["fingerprint"]
    real = provenance["real"] and (data is None or data["real"])
    flagged = (same or real) and abs(found - claimed) > TOLERANCE
    return {
        "part": part,
        "source": source,
        "claimed": claimed,
        "measured": found,
        "difference": found - claimed,
        "standard_error": error,
        "digits": "the same" if same else data["name"] if data else "unnamed",
        "comparable": same or real,
        "flagged": flagged,
        "contradicted": flagged and claimed - found > max(TOLERANCE, 3 * error),
    }


def _read_texts(notebooks: list[Path], written: list[Path], by_model: dict[str, list[Path]]) -> dict[str, Any]:
    """In its own process: everything of a hand-in but its models' numbers."""
    return read_written(notebooks, written) | {"curves": {name: _read_claims(by_model[name]) for name in by_model}}


def _read_claims(paths: list[Path]) -> dict[str, Any]:
    """A model's curves, and what its record says of it."""
    record, reasons = None, []
    for path in paths:
        kind = path.suffix.lower()
        if kind not in (".json", ".p", ".pkl", ".pickle"):
            continue
        try:
            content = read_json(path) if kind == ".json" else read_pickle(path)
            if kind == ".json" and is_architecture(content):
                continue
            if kind == ".json" and isinstance(content, dict):
                record = _record(content)
                content = content.get("learning_curves", content)
            return {"curves": check_curves(content, path.name), "record": record}
        except Refused as error:
            reasons.append(str(error))
    return {"curves_refused": "; ".join(reasons) or "no learning curves were handed in", "record": record}


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


def _belongs(path: Path, name: str) -> bool:
    found = MODEL_NAME.match(path.stem)
    return found is not None and name == found[1]


def _reason(reply: dict[str, Any]) -> str:
    if "fault" in reply:
        return f"the grader failed at it ({re.sub(r'[^ -~]', '', reply['fault'])}); please report this"
    return reply["refused"]


def falls_short(model: dict[str, Any], counted: float) -> bool:
    """Whether the figure that counts lies far above what the stored file scores, on comparable digits."""
    claims = [claim for claim in model["claims"] if claim["part"] == "validation" and claim["comparable"]]
    return any(counted - claim["measured"] > max(FALL, 3 * claim["standard_error"]) for claim in claims)
