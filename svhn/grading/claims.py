"""What a hand-in claims of its models against what they score on the grader's digits, and what hand-ins share."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

TOLERANCE = 0.01
FALL = 0.03
# Characters of an answer from which on equal words are no coincidence.
_OWN_WORDS = 80


def compare(model: dict[str, Any], provenance: dict[str, Any]) -> list[dict[str, Any]]:
    """What a hand-in claims of a model against what was measured.

    The stored file is the model after its last epoch, or, where a student kept the best, after that one: the curve's
    value nearer to the measured one is the claim. A difference over one percentage point is flagged. It contradicts
    the claim where it is also too large for chance: less than claimed by over three standard errors.

    Args:
        model: With `curves`, `record` and `measured`.
        provenance: Of the digits measured on.

    Returns:
        For each claim `part`, `source`, `claimed`, `measured`, `difference`, `standard_error`, `same` (whether of these
        very digits), `digits` (the name that its record gives them, or None), `comparable`, `at_least` (the
        preprocessing is a guess, and the true figure may be higher), `above` (so far above the claim that the model may
        have been trained on these digits), `flagged` and `contradicted`.
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
    at_least = bool(measured.get("guessed")) and found < claimed - TOLERANCE
    flagged = (same or real) and abs(found - claimed) > TOLERANCE
    return {
        "part": part,
        "source": source,
        "claimed": claimed,
        "measured": found,
        "difference": found - claimed,
        "standard_error": error,
        "same": same,
        "digits": data["name"] if data else None,
        "comparable": same or real,
        "at_least": at_least,
        "above": (same or real) and found - claimed > max(FALL, 3 * error),
        "flagged": flagged,
        "contradicted": flagged and not at_least and claimed - found > max(TOLERANCE, 3 * error),
    }


def falls_short(model: dict[str, Any], counted: float) -> bool:
    """Whether the figure that counts lies far above what the stored file scores, on comparable digits."""
    return any(
        counted - claim["measured"] > max(FALL, 3 * claim["standard_error"]) for claim in _comparable(model["claims"])
    )


def bound(model: dict[str, Any], counted: float) -> float:
    """The most that a curve's figure counts for: what the stored file scores, and what chance may have taken from it.

    A file is of one epoch and the best epoch of a curve counts, so that a little more may be true.
    """
    most = [
        claim["measured"] + max(TOLERANCE, 2 * claim["standard_error"])
        for claim in _comparable(model["claims"])
        if not claim["at_least"]
    ]
    return min([counted, *most])


def _comparable(claims: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [claim for claim in claims if claim["part"] == "validation" and claim["comparable"]]


def in_common(evidence: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """What hand-ins share that two people do not come by apart: weights to the last bit, a long answer to the word.

    Args:
        evidence: Of each hand-in.

    Returns:
        For each hand-in one line for every circle of others that it shares something with.
    """
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, one in evidence.items():
        # Evidence that was edited into another shape is told where it is marked.
        with suppress(AttributeError, KeyError, TypeError):
            for work, what in _own_work(one):
                found[work].append((name, what))
    circles: dict[str, dict[tuple[str, ...], list[str]]] = {name: defaultdict(list) for name in evidence}
    for sharing in found.values():
        names = sorted({name for name, _ in sharing})
        for name, what in sharing if len(names) > 1 else ():
            circles[name][tuple(other for other in names if other != name)].append(what)
    return {
        name: [
            f"the hand-in has this in common with {_listed(others)}: {', '.join(what)}" for others, what in of.items()
        ]
        for name, of in circles.items()
    }


def _own_work(evidence: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What only its maker can have, and what to call it."""
    for model, facts in evidence["models"].items():
        if weights := facts.get("measured", {}).get("weights"):
            yield weights, f"the weights of {model}"
    for question, answer in evidence["answers"].items():
        words = " ".join(answer["text"].casefold().split())
        if len(words) >= _OWN_WORDS:
            yield words, f"answer {question}"


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
