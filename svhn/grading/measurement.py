"""Measures a stranger's model on the validation and test digits of the protocol's split."""

import hashlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from svhn.backend import keras
from svhn.data.laid_out import MeasuredDigits
from svhn.grading.facts import Measured
from svhn.grading.models import is_network, load_untrusted, weights_beside
from svhn.grading.reading.causes import cause_of
from svhn.grading.reading.descriptions import SIDE
from svhn.grading.reading.files import WHOLE_MODEL, kind_of, reason_for_no_data
from svhn.grading.reading.names import is_named_as_asked
from svhn.learning.batches import Preprocessed, predict
from svhn.rubric.preprocessing import CANDIDATES
from svhn.sandbox.process import Refused

# A model read through another preprocessing than its own loses 7 points and more, where it was measured; raised
# contrast lifts a model that never saw it by up to 3, chance included. A larger difference counts as evidence.
MARGIN = 0.05
CHOICE_DIGITS = 1000
_OUTPUTS = ("digit", "OpenML class index")


def measure_model(
    paths: list[Path], digits: MeasuredDigits, recorded: str | None, claimed: float | None = None
) -> Measured:
    """Loads one model of a hand-in and measures it; to be called in a process of its own.

    Args:
        paths: All files of that model, its curves among them.
        digits: To measure on.
        recorded: The name of its preprocessing, where a record says it.
        claimed: The validation accuracy that its curves claim: a preprocessing that bears it out needs no better.

    Raises:
        Refused: There is no model, it is not safe to load, or it is no classifier of these digits.
    """
    path = _network_file(paths)
    keras.utils.disable_interactive_logging()
    model = load_untrusted(path, paths)
    try:
        return _measured(model, path, paths, digits, recorded, claimed)
    except (Refused, MemoryError, OSError):  # The last are not the model's: the digits' files, say, are gone.
        raise
    except Exception as error:  # A network that loads may still fail at its first digit.
        raise Refused(f"{path.name} cannot be used ({type(error).__name__}: {cause_of(error)})") from error


def _measured(
    model: keras.Model,
    path: Path,
    paths: list[Path],
    digits: MeasuredDigits,
    recorded: str | None,
    claimed: float | None,
) -> Measured:
    shape = _digit_shape(model, path)
    fit, channels = _fitting(shape), math.prod(shape) // (SIDE * SIDE)
    candidates = CANDIDATES[channels]
    chosen, tried = _choose(model, digits, candidates, fit, recorded, claimed)
    shares: dict[str, dict[str, float]] = {order: {} for order in _OUTPUTS}
    sizes = {}
    for part in ("validation", "test"):
        images, labels = digits.part(part)
        for order, share in _accuracies(model, images, labels, candidates[chosen], fit, path).items():
            shares[order][part] = share
        sizes[part] = len(labels)
    outputs = max(_OUTPUTS, key=lambda order: shares[order]["validation"])
    files = [path, weights_beside(path, paths)]
    compared = f"compared on {min(CHOICE_DIGITS, sizes['validation']):,} validation digits"
    return Measured(
        file=path.name,
        bytes=sum(file.stat().st_size for file in files if file),
        parameters=model.count_params(),
        layers=len(model.layers),
        kinds=sorted({type(layer).__name__ for layer in _flat(model) if layer.weights}),
        filters=[int(layer.filters) for layer in _flat(model) if hasattr(layer, "filters")],
        structure=_structure(model),
        convolutions=sum("Conv" in type(layer).__name__ for layer in _flat(model)),
        dense=[int(layer.units) for layer in _flat(model) if isinstance(layer, keras.layers.Dense)],
        channels=channels,
        weights=hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()[:16],
        accuracy=shares[outputs],
        digits=sizes,
        preprocessing=chosen,
        preprocessing_from=compared if tried else "the model's record",
        guessed=tried is not None,
        candidates=tried,
        outputs=outputs,
    )


def _structure(model: keras.Model) -> str:
    kinds = [(type(layer).__name__, [tuple(weight.shape) for weight in layer.weights]) for layer in _flat(model)]
    return hashlib.sha256(repr([kind for kind in kinds if kind[1]]).encode()).hexdigest()[:16]


def _flat(model: keras.Model) -> Iterator[keras.Layer]:
    """Its layers, and those of models and wrappers in it."""
    for layer in model.layers:
        while isinstance(layer, keras.layers.Wrapper):
            if not isinstance(layer, keras.layers.SpectralNormalization):  # which leaves a layer what it is
                yield layer
            layer = layer.layer
        if isinstance(layer, keras.Model):
            yield from _flat(layer)
        else:
            yield layer


def _network_file(paths: list[Path]) -> Path:
    """The model among a model's files, by content; of several, the one that is named as the assignment asks."""
    kinds = {"zip": 0, "hdf5": 1, "json": 2}
    networks = [path for path in paths if is_network(path)]
    if networks:
        return min(
            networks,
            key=lambda path: (not is_named_as_asked(path.name), kinds[kind_of(path)], len(path.name), path.name),
        )
    models = [path for path in paths if path.suffix.lower() in (".keras", ".h5", ".hdf5", ".hdf")]
    # The loader tells the reason.
    if models:
        return min(models, key=lambda path: (not is_named_as_asked(path.name), path.name))
    reasons = [reason for path in paths if (reason := reason_for_no_data(path))]
    raise Refused("; ".join([*reasons[:3], f"there is no model file; {WHOLE_MODEL}"]))


def _digit_shape(model: keras.Model, path: Path) -> tuple[int, ...]:
    """The shape of a digit as a model takes it, its open sides filled in.

    Raises:
        Refused: It takes no digits, more than one input, or gives no ten classes.
    """
    shape, ends = model.input_shape, model.output_shape
    if not isinstance(shape, tuple) or not isinstance(ends, tuple):
        raise Refused(f"{path.name} takes more than one input, or gives more than one output")
    if ends[1:] != (10,):
        raise Refused(f"{path.name} ends in shape {ends[1:]}, not in ten classes")
    sides = shape[1:]
    if None in sides:
        first = len(sides) == 3 and sides[0] in (1, 3) and sides[1:] == (None, None)
        sides = tuple(SIDE if side is None else side for side in sides) if first or sides[-1] in (1, 3) else sides
    if None in sides or math.prod(sides) not in (SIDE * SIDE, SIDE * SIDE * 3):
        raise Refused(f"{path.name} takes input of shape {shape[1:]}, and digits are 32 x 32")
    return sides


def _fitting(shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """A function that brings images (n, 32, 32, channels) into the shape that a model takes."""
    channels_first = len(shape) == 3 and shape[0] in (1, 3) and shape[1:] == (SIDE, SIDE)

    def fit(images: np.ndarray) -> np.ndarray:
        moved = images.transpose(0, 3, 1, 2) if channels_first else images
        return moved.reshape(len(images), *shape)

    return fit


def _accuracies(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    function: Callable[[np.ndarray], np.ndarray],
    fit: Callable[[np.ndarray], np.ndarray],
    path: Path | None = None,
) -> dict[str, float]:
    """Accuracy if output d stands for the digit d, and if it stands for OpenML's class index d."""
    scores = predict(model, Preprocessed(images, lambda batch: fit(function(batch))))
    if path and not np.isfinite(scores).all():
        raise Refused(f"{path.name} puts out NaN")
    read = scores.argmax(axis=1)
    return dict(zip(_OUTPUTS, (float(np.mean(read == labels)), float(np.mean((read + 1) % 10 == labels))), strict=True))


def _choose(
    model: keras.Model,
    digits: MeasuredDigits,
    candidates: dict[str, Callable[[np.ndarray], np.ndarray]],
    fit: Callable[[np.ndarray], np.ndarray],
    recorded: str | None,
    claimed: float | None,
) -> tuple[str, dict[str, float] | None]:
    """The preprocessing that the record names, else the plain one unless a later one is better by more than MARGIN.

    Where the plain one bears out the claim, no other is chosen: it might fit by chance.

    Returns:
        Its name, and the accuracies that it was chosen by, None where the record names it.
    """
    if recorded in candidates:
        return recorded, None
    images, labels = (part[:CHOICE_DIGITS] for part in digits.part("validation"))
    shares = {
        name: max(_accuracies(model, images, labels, function, fit).values()) for name, function in candidates.items()
    }
    plain = next(iter(shares))
    # In order, the likely ones first: networks read well through one that is only like their own.
    chosen = plain
    for name, share in shares.items():
        chosen = name if share > shares[chosen] + MARGIN else chosen
    if claimed is not None and shares[plain] >= claimed - 2 * math.sqrt(claimed * (1 - claimed) / len(labels)):
        chosen = plain
    return chosen, shares
