"""VGG16's convolutional base with whatever ImageNet weights can be had."""

from pathlib import Path

import keras
import numpy as np

from svhn.digits import IMAGE_SHAPE
from svhn.errors import SVHNError, one_line

IMAGENET = "imagenet"
GIVEN_BLOCKS = "imagenet, blocks 1-2 only"
_FILE = "vgg16-imagenet-blocks1-2.npz"
_PLACES = (Path("data") / _FILE, Path("../shared/pretrained") / _FILE)


def vgg16_base() -> tuple[keras.Model, str]:
    """VGG16 without its dense layers, for 32 x 32 colour images (Simonyan and Zisserman, 2015).

    Downloads the ImageNet weights where the network allows it. Otherwise it takes those of blocks 1 and 2 from
    `vgg16-imagenet-blocks1-2.npz` and leaves blocks 3 to 5 at random (He initialisation).

    Returns:
        The base, input (batch, 32, 32, 3) after `keras.applications.vgg16.preprocess_input`, output (batch, 1, 1, 512);
        and which weights it holds: "imagenet" or "imagenet, blocks 1-2 only".

    Raises:
        SVHNError: Neither the download nor the file is at hand, or the file is damaged.
    """
    try:
        return _build(IMAGENET), IMAGENET
    except Exception as error:  # Keras turns every failed download into a bare Exception.
        path = next((place for place in _PLACES if place.is_file()), None)
        if path is None:
            raise SVHNError(
                f"VGG16's ImageNet weights cannot be downloaded ({one_line(error)}) and data/{_FILE} is "
                "missing; go online or put that file there"
            ) from error
    base = _build(None)
    _start_at_random(base)
    _read_blocks(base, path)
    return base, GIVEN_BLOCKS


def _build(weights: str | None) -> keras.Model:
    return keras.applications.VGG16(
        weights=weights, include_top=False, input_tensor=keras.Input(IMAGE_SHAPE, name="input")
    )


def _start_at_random(base: keras.Model) -> None:
    for layer in base.layers:
        if layer.name.startswith(("block3_conv", "block4_conv", "block5_conv")):
            kernel = keras.initializers.HeNormal()(layer.kernel.shape)
            # ImageNet's block 2 puts out values in the hundreds; blocks 3 to 5 are to begin in the ones.
            layer.kernel.assign(kernel / 100 if layer.name == "block3_conv1" else kernel)


def _read_blocks(base: keras.Model, path: Path) -> None:
    try:
        with np.load(path, allow_pickle=False) as blocks:
            for name in ("block1_conv1", "block1_conv2", "block2_conv1", "block2_conv2"):
                base.get_layer(name).set_weights([blocks[f"{name}/kernel"], blocks[f"{name}/bias"].astype(np.float32)])
    except Exception as error:  # A damaged archive makes NumPy and zipfile raise whatever they run into.
        raise SVHNError(f"{path} is damaged ({one_line(error)}); copy it again") from error
