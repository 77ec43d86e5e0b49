"""What a stranger's model really scores on the validation and test digits of the protocol's split."""

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from svhn.backend import keras
from svhn.data.protocol import Split
from svhn.digits import LUMA
from svhn.errors import one_line
from svhn.grading.curves import read_json
from svhn.grading.models import is_architecture, load_untrusted, weights_beside
from svhn.learning.batches import Preprocessed, predict
from svhn.sandbox.process import Refused

# A model read through another preprocessing than its own loses 7 points and more, where it was measured; raised
# contrast lifts a model that never saw it by up to 3, chance included. What lies above counts as evidence.
MARGIN = 0.05
CHOICE_DIGITS = 1000
_OUTPUTS = ("digit", "OpenML class index")


def _grey(images: np.ndarray) -> np.ndarray:
    return (images.astype(np.float32) @ LUMA)[..., np.newaxis]


def _contrast_grey(images: np.ndarray) -> np.ndarray:
    grey = _grey(images)
    mean, spread = grey.mean((1, 2), keepdims=True), grey.std((1, 2), keepdims=True)
    return np.clip(128 + 64 * (grey - mean) / np.maximum(spread, 4), 0, 255).round().astype(np.uint8)


def _stretched_grey(images: np.ndarray) -> np.ndarray:
    grey = _grey(images)
    low, high = grey.min((1, 2), keepdims=True), grey.max((1, 2), keepdims=True)
    return (grey - low) / np.maximum(high - low, 1)


def _vgg16_input(images: np.ndarray) -> np.ndarray:
    return keras.applications.vgg16.preprocess_input(images.astype(np.float32))


# What a hand-in's images may have been through, by number of channels; the first is the protocol's own.
CANDIDATES: dict[int, dict[str, Callable[[np.ndarray], np.ndarray]]] = {
    3: {
        "scaled": lambda images: images,
        "unscaled": lambda images: images.astype(np.float32),
        "centred": lambda images: images.astype(np.float32) / 127.5 - 1,
        "vgg16_input": _vgg16_input,
    },
    1: {
        "grey": lambda images: _grey(images) / 255,
        "contrast_grey": _contrast_grey,
        "stretched_grey": _stretched_grey,
        "unscaled_grey": _grey,
    },
}


@dataclass(frozen=True)
class MeasuredDigits:
    """The digits that models are measured on, in files that every process maps and none loads.

    Attributes:
        folder: Of the files.
        provenance: What `Split.provenance` says, with the numbers of digits used.
        description: For people.
    """

    folder: str
    provenance: dict[str, Any]
    description: str

    def part(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Images uint8 (n, 32, 32, 3) and labels uint8 (n,) of "validation" or "test"."""
        images, labels = (np.load(Path(self.folder) / f"{name}-{kind}.npy", mmap_mode="r") for kind in ("X", "y"))
        return images, np.asarray(labels)


@contextmanager
def measured_digits(split: Split, limit: int | None = None) -> Iterator[MeasuredDigits]:
    """Lays out a split's validation and test digits, or the first `limit` of each, for as long as the block lasts."""
    with TemporaryDirectory(prefix="svhn-digits-") as folder:
        used = {}
        for name, images, labels in (
            ("validation", split.X_val, split.y_val),
            ("test", split.X_test, split.y_test),
        ):
            np.save(Path(folder) / f"{name}-X.npy", images[:limit])
            np.save(Path(folder) / f"{name}-y.npy", labels[:limit])
            used[name] = len(labels[:limit])
        yield MeasuredDigits(folder, split.provenance | used, split.digits.description)


def measure_model(paths: list[Path], digits: MeasuredDigits, recorded: str | None) -> dict[str, Any]:
    """Loads one model of a hand-in and measures it; to be called in a process of its own.

    Args:
        paths: All files of that model, its curves among them.
        digits: What to measure on.
        recorded: The name of its preprocessing, where a record says it.

    Returns:
        `file`, `bytes`, `parameters`, `layers`, `kinds` (of layers with weights, each once), `convolutions`, `dense`
        (units of the dense layers, in order), `channels`, `weights` (a digest), `accuracy` (validation and test, 0..1),
        `digits` (how many each), `preprocessing`, `preprocessing_from`, `candidates` (accuracies, where it had to be
        chosen), and `outputs`: whether output d stands for the digit d or for OpenML's class index d, the digit
        (d + 1) % 10.

    Raises:
        Refused: There is no model, it is not safe to load, or it is no classifier of these digits.
    """
    path = _network_file(paths)
    keras.utils.disable_interactive_logging()
    model = load_untrusted(path, paths)
    try:
        return _measured(model, path, paths, digits, recorded)
    except (Refused, MemoryError, OSError):  # The last are not the model's: the digits' files, say, are gone.
        raise
    except Exception as error:  # A network that loads may still fail at its first digit.
        raise Refused(f"{path.name} cannot be used ({type(error).__name__}: {one_line(error)})") from error


def _measured(
    model: keras.Model, path: Path, paths: list[Path], digits: MeasuredDigits, recorded: str | None
) -> dict[str, Any]:
    fit = _shape_for(model, path)
    channels = _channels(model, path)
    candidates = CANDIDATES[channels]
    chosen, choice = _choose(model, digits, candidates, fit, recorded)
    shares: dict[str, dict[str, float]] = {order: {} for order in _OUTPUTS}
    sizes = {}
    for part in ("validation", "test"):
        images, labels = digits.part(part)
        for order, share in _accuracies(model, images, labels, candidates[chosen], fit, path).items():
            shares[order][part] = share
        sizes[part] = len(labels)
    outputs = max(_OUTPUTS, key=lambda order: shares[order]["validation"])
    return {
        "file": path.name,
        "bytes": path.stat().st_size + (weights.stat().st_size if (weights := weights_beside(path, paths)) else 0),
        "parameters": model.count_params(),
        "layers": len(model.layers),
        "kinds": sorted({type(layer).__name__ for layer in _flat(model) if layer.weights}),
        "convolutions": sum("Conv" in type(layer).__name__ for layer in _flat(model)),
        "dense": [layer.units for layer in _flat(model) if isinstance(layer, keras.layers.Dense)],
        "channels": channels,
        "weights": hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()[:16],
        "accuracy": shares[outputs],
        "digits": sizes,
        "preprocessing": chosen,
        **choice,
        "outputs": outputs,
    }


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
    def rank(path: Path) -> tuple[int, int, str]:
        order = {".keras": 0, ".h5": 1, ".hdf5": 1, ".json": 2}
        return order[path.suffix.lower()], len(path.name), path.name

    networks = [path for path in paths if path.suffix.lower() in (".keras", ".h5", ".hdf5")]
    described = [path for path in paths if path.suffix.lower() == ".json" and _is_described(path)]
    # A description beside an .h5 means that the .h5 holds weights only.
    whole = [path for path in networks if path.suffix.lower() == ".keras" or not described]
    if not whole and not described:
        raise Refused("there is no model file (.keras, .h5, or .json with weights)")
    return min(whole or described, key=rank)


def _is_described(path: Path) -> bool:
    try:
        return is_architecture(read_json(path))
    except Refused:
        return False


def _channels(model: keras.Model, path: Path) -> int:
    size = math.prod(model.input_shape[1:])
    channels = {32 * 32: 1, 32 * 32 * 3: 3}.get(size)
    if channels is None:
        raise Refused(f"{path.name} takes input of shape {model.input_shape[1:]}, and digits are 32 x 32")
    return channels


def _shape_for(model: keras.Model, path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """What brings images (n, 32, 32, channels) into the shape that a model takes."""
    shape, ends = model.input_shape, model.output_shape
    if not isinstance(shape, tuple) or any(side is None for side in shape[1:]) or not isinstance(ends, tuple):
        raise Refused(f"{path.name} takes input of no fixed shape, or more than one input")
    if ends != (None, 10):
        raise Refused(f"{path.name} ends in shape {ends[1:]}, not in ten classes")
    channels_first = len(shape) == 4 and shape[1] in (1, 3) and shape[2:] == (32, 32)

    def fit(images: np.ndarray) -> np.ndarray:
        moved = images.transpose(0, 3, 1, 2) if channels_first else images
        return moved.reshape(len(images), *shape[1:])

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
) -> tuple[str, dict[str, Any]]:
    """The preprocessing that the record names, else the plain one unless another is better by more than MARGIN."""
    if recorded in candidates:
        return recorded, {"preprocessing_from": "the model's record"}
    images, labels = (part[:CHOICE_DIGITS] for part in digits.part("validation"))
    shares = {
        name: max(_accuracies(model, images, labels, function, fit).values()) for name, function in candidates.items()
    }
    plain, best = next(iter(shares)), max(shares, key=shares.__getitem__)
    chosen = best if shares[best] > shares[plain] + MARGIN else plain
    source = f"compared on {len(labels):,} validation digits"
    return chosen, {"preprocessing_from": source, "candidates": shares}
