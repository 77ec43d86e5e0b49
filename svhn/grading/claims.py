"""A hand-in's claims about its models against their scores on the grader's digits; and work that hand-ins share."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping

from svhn.data.provenance import Provenance
from svhn.grading.facts import Claim, Evidence, Measured, Model, NamedDigits, Recorded

TOLERANCE = 0.01
FALL = 0.03
# Characters of an answer, and epochs of a curve, from which on equal ones are no coincidence.
_OWN_WORDS, _OWN_EPOCHS = 80, 5
# Hand-ins named of a circle.
_TOLD = 5


def compare(model: Model, provenance: Provenance) -> list[Claim]:
    """Compares the figures that a hand-in states of a model with the measured ones.

    The stored file is the model after its last epoch, or, where a student kept the best, after that one: the curve's
    value nearer to the measured one is the claim. A difference over one percentage point is flagged. It contradicts
    the claim where it is also too large for chance: less than claimed by over three standard errors.

    Args:
        model: That was measured.
        provenance: Of the digits measured on.
    """
    measured, record = model.measured, model.record or Recorded()
    if measured is None:
        return []
    stated = []
    if model.curves:
        curve = [share for share in model.curves["val_accuracy"] if share is not None]
        found = measured.accuracy["validation"]
        epochs = {f"its last epoch, {len(curve)}": curve[-1]}
        epochs[f"its best epoch, {curve.index(max(curve)) + 1} of {len(curve)}"] = max(curve)
        source = min(epochs, key=lambda key: abs(epochs[key] - found))
        stated.append(("validation", source, epochs[source]))
    if "test" in record.accuracy:
        stated.append(("test", "its record", record.accuracy["test"]))
    return [_compared(*one, measured, record.data, provenance) for one in stated]


def _compared(
    part: str, source: str, claimed: float, measured: Measured, data: NamedDigits | None, provenance: Provenance
) -> Claim:
    found = measured.accuracy[part]
    error = math.sqrt(found * (1 - found) / measured.digits[part])
    same = data is not None and data.fingerprint == provenance.fingerprint
    comparable = same or (provenance.real and (data is None or data.real))
    at_least = measured.guessed and found < claimed - TOLERANCE
    flagged = comparable and abs(found - claimed) > TOLERANCE
    return Claim(
        part=part,
        source=source,
        claimed=claimed,
        measured=found,
        difference=found - claimed,
        standard_error=error,
        same=same,
        digits=data.name if data else None,
        comparable=comparable,
        at_least=at_least,
        above=comparable and found - claimed > max(FALL, 3 * error),
        flagged=flagged,
        contradicted=flagged and not at_least and claimed - found > max(TOLERANCE, 3 * error),
    )


def falls_short(model: Model, counted: float) -> bool:
    """Whether the figure that counts lies far above the stored file's score on comparable digits."""
    return any(counted - claim.measured > max(FALL, 3 * claim.standard_error) for claim in _comparable(model))


def exceeds(model: Model, counted: float) -> bool:
    """Whether the figure that counts lies over one percentage point above what the stored file scores."""
    return any(counted - claim.measured > TOLERANCE for claim in _comparable(model) if not claim.at_least)


def bound(model: Model, counted: float) -> float:
    """The most that a curve's figure counts for: the stored file's score, and a margin for chance.

    A file is of one epoch and the best epoch of a curve counts, so that a little more may be true.
    """
    most = [
        claim.measured + max(TOLERANCE, 2 * claim.standard_error) for claim in _comparable(model) if not claim.at_least
    ]
    return min([counted, *most])


def _comparable(model: Model) -> list[Claim]:
    return [claim for claim in model.claims if claim.part == "validation" and claim.comparable]


def in_common(evidence: Mapping[str, Evidence]) -> dict[str, list[str]]:
    """The things that hand-ins share and two people do not come by apart: weights, curves, a long answer to the word.

    Args:
        evidence: Of each hand-in.

    Returns:
        For each hand-in one line for every circle of others that it shares something with.
    """
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, one in evidence.items():
        for work, called in _own_work(one):
            found[work].append((name, called))
    circles: dict[tuple[str, ...], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for sharing in found.values():
        circle = circles[tuple(sorted({name for name, _ in sharing}))]
        for name, called in sharing:
            circle[name].append(called)
    told: dict[str, list[str]] = {name: [] for name in evidence}
    for names, works_of in circles.items():
        for name, works in works_of.items() if len(names) > 1 else ():
            others = [other for other in names[: _TOLD + 1] if other != name][:_TOLD]
            more = f" and {len(names) - 1 - _TOLD} more" if len(names) - 1 > _TOLD else ""
            told[name].append(f"the hand-in has this in common with {', '.join(others)}{more}: {', '.join(works)}")
    return told


def _own_work(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """The work that only its maker can have, and a name for it."""
    for name, model in evidence.models.items():
        if model.measured:
            yield model.measured.weights, f"the weights of {name}"
        if model.curves and len(set(model.curves["loss"])) >= _OWN_EPOCHS:
            yield repr(model.curves["loss"]), f"the learning curves of {name}"
    for question, answer in evidence.answers.items():
        words = " ".join(answer.text.casefold().split())
        if len(words) >= _OWN_WORDS:
            yield words, f"answer {question}"
