"""A trained network as teacher: what it makes of training digits softens their labels (Hinton et al., 2015)."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import layers
from tqdm import tqdm

from svhn.data.protocol import Split
from svhn.digits import IMAGE_SHAPE
from svhn.errors import SVHNError, one_line
from svhn.files import atomic_path, sha256
from svhn.learning.batches import predict

# The temperature flattens the teacher's probabilities, so that its second and third thoughts count.
TEMPERATURE, SHARE = 3.0, 0.7
_CHUNK = 1024


def soften_labels(split: Split, teacher: str | Path | None = None, folder: Path = Path("data")) -> Split:
    """Gives training digits soft labels: 0.3 of the label itself, 0.7 of what a teacher makes of the digit.

    The teacher reads each digit once; its probabilities are kept in `folder`.

    Args:
        split: Whose training digits to teach.
        teacher: The path of the published network's `.npz`; None teaches nothing.
        folder: The data folder.

    Returns:
        The split with `soft_labels` and with the teacher's name in its provenance.

    Raises:
        SVHNError: The teacher's file is missing or damaged, or `folder` cannot be written to.
    """
    if not teacher:
        return split
    path = Path(teacher).expanduser()
    probabilities = _probabilities(split, path, folder)
    flat = np.maximum(probabilities, 1e-12) ** (1 / TEMPERATURE)
    soft = SHARE * flat / flat.sum(axis=1, keepdims=True)
    soft[np.arange(len(soft)), split.y_train] += 1 - SHARE
    provenance = {"name": path.name, "sha256": sha256(path), "temperature": TEMPERATURE, "share": SHARE}
    return replace(split, soft_labels=soft.astype(np.float32), teacher=provenance)


def published_network(path: Path) -> keras.Model:
    """The slim SimpleNet of Hasanpour et al. (2016) with the weights that its authors trained on SVHN's training set.

    Args:
        path: `simplenet-310k-svhn.npz`: Keras's kernels and biases of 14 blocks, batch normalisation in the first ten.

    Returns:
        A classifier of colour images, 0..1, float32 (n, 32, 32, 3), into probabilities of the digits 0..9.

    Raises:
        SVHNError: The file is missing, damaged, or holds other weights.
    """
    if not path.is_file():
        raise SVHNError(f"{path} is missing; give the path of the published network's weights, or no teacher")
    try:
        with np.load(path, allow_pickle=False) as archive:
            weights = dict(archive)
        return _simplenet_310k(weights)
    except Exception as error:  # A damaged archive makes NumPy and zipfile raise whatever they run into.
        raise SVHNError(f"{path} does not hold the published network ({one_line(error)}); copy it again") from error


def _simplenet_310k(weights: dict[str, np.ndarray]) -> keras.Model:
    inputs = keras.Input(IMAGE_SHAPE)
    x = inputs
    for number in range(1, 14):
        kernel = weights[f"block{number}/kernel"]
        x = layers.Conv2D(kernel.shape[-1], kernel.shape[0], padding="same", name=f"block{number}")(x)
        if number in (7, 12, 13):
            # In block 7 between convolution and normalisation, in 12 and 13 after ReLU: there it makes no difference.
            x = layers.MaxPooling2D()(x)
        if number <= 10:
            x = layers.BatchNormalization(epsilon=1e-5, name=f"normal{number}")(x)
        x = layers.ReLU()(x)
        if number in (4, 9):
            x = layers.MaxPooling2D()(x)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="block14")(layers.Flatten()(x)))
    for number in range(1, 15):
        names = [f"block{number}/{part}" for part in ("kernel", "bias")]
        model.get_layer(f"block{number}").set_weights([weights[name] for name in names])
        if number <= 10:
            names = [f"block{number}/{part}" for part in ("gamma", "beta", "mean", "variance")]
            model.get_layer(f"normal{number}").set_weights([weights[name] for name in names])
    return model


def _probabilities(split: Split, path: Path, folder: Path) -> np.ndarray:
    """What the teacher makes of each training digit, float32 (n, 10); read anew unless it is stored whole."""
    model = published_network(path)
    stored = Path(folder) / f"taught-{sha256(path)[:8]}-{split.fingerprint}.npy"
    try:
        probabilities = np.load(stored)
        if probabilities.shape == (len(split.y_train), 10):
            return probabilities
    except (OSError, ValueError, EOFError):
        pass
    with atomic_path(stored) as temporary:
        starts = tqdm(range(0, len(split.y_train), _CHUNK), desc="the teacher reads", unit="thousand")
        probabilities = np.concatenate([predict(model, split.X_train[start : start + _CHUNK]) for start in starts])
        np.save(temporary, probabilities)
    return probabilities
