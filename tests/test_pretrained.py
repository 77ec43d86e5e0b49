"""VGG16's base where ImageNet's weights cannot be downloaded."""

import keras
import numpy as np
import pytest

from svhn.errors import SVHNError
from svhn.learning import vgg16
from svhn.learning.vgg16 import GIVEN_BLOCKS, IMAGENET, vgg16_base

SHAPES = {
    "block1_conv1": (3, 3, 3, 64),
    "block1_conv2": (3, 3, 64, 64),
    "block2_conv1": (3, 3, 64, 128),
    "block2_conv2": (3, 3, 128, 128),
}


@pytest.fixture
def offline(monkeypatch):
    """Keras's download as it fails without a network, and a folder that is searched for the given blocks."""
    build = keras.applications.VGG16

    def unreachable(weights=None, **options):
        if weights == IMAGENET:
            raise Exception("URL fetch failure: no route to host\nmore")
        return build(weights=weights, **options)

    monkeypatch.setattr(keras.applications, "VGG16", unreachable)


@pytest.fixture
def blocks(tmp_path, monkeypatch):
    path = tmp_path / "vgg16-imagenet-blocks1-2.npz"
    monkeypatch.setattr(vgg16, "_PLACES", (path,))
    return path


def write_blocks(path):
    rng = np.random.default_rng(0)
    arrays = {f"{name}/kernel": rng.standard_normal(shape, np.float32) for name, shape in SHAPES.items()}
    np.savez(path, **arrays, **{f"{name}/bias": np.ones(shape[-1], np.float16) for name, shape in SHAPES.items()})
    return arrays


def test_the_given_blocks_are_taken_exactly(offline, blocks):
    arrays = write_blocks(blocks)
    base, source = vgg16_base()
    assert source == GIVEN_BLOCKS and base.count_params() == 14_714_688
    for name in SHAPES:
        np.testing.assert_array_equal(base.get_layer(name).get_weights()[0], arrays[f"{name}/kernel"])
    assert base.get_layer("block5_conv3").get_weights()[0].std() > 0


def test_downloaded_weights_are_named_so(monkeypatch):
    monkeypatch.setattr(vgg16, "_build", lambda weights: f"base with {weights}")
    assert vgg16_base() == ("base with imagenet", IMAGENET)


def test_without_either_the_line_says_what_to_do(offline, blocks):
    with pytest.raises(SVHNError, match=r"cannot be downloaded .* go online or put that file there") as caught:
        vgg16_base()
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_named(offline, blocks):
    write_blocks(blocks)
    blocks.write_bytes(blocks.read_bytes()[:1000])
    with pytest.raises(SVHNError, match=r"blocks1-2\.npz is damaged"):
        vgg16_base()
