"""The network that the SimpleNet authors published for SVHN, which judges how readable drawn digits are."""

from pathlib import Path

import keras
import numpy as np
from keras import layers

from svhn.digits import IMAGE_SHAPE
from svhn.errors import SVHNError, one_line


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
        raise SVHNError(f"{path} is missing; give the path of the published network's weights")
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
            # The authors pool between convolution and normalisation in block 7, and after ReLU, to the same effect, in
            # 12 and 13.
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
