"""VGG16's convolutional base with ImageNet's weights."""

from pathlib import Path

from svhn.backend import keras
from svhn.digits import IMAGE_SHAPE
from svhn.errors import SVHNError, one_line
from svhn.settings import DOWNLOAD

_WEIGHTS_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
_ELSEWHERE = (
    f"put Keras's file {_WEIGHTS_FILE}, or VGG16's base as .weights.h5, on this machine and name its path as `imagenet`"
)


def vgg16_base(weights: str | Path = DOWNLOAD) -> keras.Model:
    """VGG16 without its dense layers, for 32 x 32 colour images, trained on ImageNet (Simonyan and Zisserman, 2015).

    Args:
        weights: "imagenet", which Keras downloads once, or the path of a file with the same weights.

    Returns:
        The base. Its input is float32 (batch, 32, 32, 3) after `keras.applications.vgg16.preprocess_input`, its output
        (batch, 1, 1, 512).

    Raises:
        SVHNError: The weights cannot be downloaded, or the file is missing or holds something else.
    """
    if str(weights) == DOWNLOAD:
        try:
            return _build(DOWNLOAD)
        except Exception as error:  # Keras turns every failed download into a bare Exception.
            raise SVHNError(
                f"VGG16's ImageNet weights cannot be downloaded ({one_line(error)}); go online, or {_ELSEWHERE}"
            ) from error
    path = Path(weights).expanduser()
    if not path.is_file():
        raise SVHNError(f"{path}, the file of VGG16's ImageNet weights, is missing; {_ELSEWHERE}")
    try:
        return _build(str(path))
    except Exception as error:  # A damaged file, or one of another network, makes h5py and Keras raise many kinds.
        raise SVHNError(f"{path} does not hold VGG16's base ({one_line(error)}); {_ELSEWHERE}") from error


def _build(weights: str) -> keras.Model:
    return keras.applications.VGG16(
        weights=weights, include_top=False, input_tensor=keras.Input(IMAGE_SHAPE, name="input")
    )
