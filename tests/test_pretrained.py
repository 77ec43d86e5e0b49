"""VGG16's base: downloaded, or out of a file; and one line where neither can be had."""

from pathlib import Path

import keras
import numpy as np
import pytest
from given import PRETRAINED

from svhn.errors import SVHNError
from svhn.learning.vgg16 import vgg16_base
from svhn.notebook.cells import load_definitions

ROOT = Path(__file__).parents[1]
WEIGHTS = PRETRAINED / "vgg16-imagenet-notop.weights.h5"
PARAMETERS = 14_714_688


@pytest.fixture
def offline(monkeypatch):
    """Keras's download as it fails without a network."""
    build = keras.applications.VGG16

    def unreachable(weights=None, **options):
        if weights == "imagenet":
            raise Exception("URL fetch failure: no route to host\nmore")
        return build(weights=weights, **options)

    monkeypatch.setattr(keras.applications, "VGG16", unreachable)


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    """ImageNet's weights where they are at hand, else a base of random weights, saved in the same way."""
    if WEIGHTS.exists():
        return WEIGHTS
    path = tmp_path_factory.mktemp("weights") / "vgg16.weights.h5"
    keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3)).save_weights(path)
    return path


def refused(weights):
    with pytest.raises(SVHNError) as caught:
        vgg16_base(weights)
    text = str(caught.value)
    assert "\n" not in text and "name its path as `imagenet`" in text
    return text


def test_a_file_s_weights_are_taken_exactly(weights_file):
    base, again = vgg16_base(str(weights_file)), vgg16_base(weights_file)
    assert base.count_params() == PARAMETERS and base.output.shape == (None, 1, 1, 512)
    given = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    given.load_weights(weights_file)
    for ours, same, theirs in zip(base.get_weights(), again.get_weights(), given.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(same, theirs)


def test_without_a_network_the_line_says_what_to_do(offline):
    assert "cannot be downloaded (" in (text := refused("imagenet")) and "no route to host" in text


def test_a_file_that_is_missing_is_named(tmp_path):
    assert str(tmp_path / "none.h5") in refused(tmp_path / "none.h5")
    assert str(tmp_path) in refused(tmp_path)  # A folder holds no weights either.


@pytest.mark.parametrize("kind", ["text", "cut", "of another network"])
def test_a_file_of_something_else_is_named_and_never_another_model_in_silence(tmp_path, weights_file, kind):
    path = tmp_path / "other.weights.h5"
    if kind == "text":
        path.write_text("no weights")
    elif kind == "cut":
        path.write_bytes(weights_file.read_bytes()[:1_000_000])
    else:
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)]).save_weights(path)
    assert f"{path} does not hold VGG16's base" in refused(path)


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(tmp_path / "none.h5") in refused("~/none.h5")


def test_a_stored_model_needs_neither_a_network_nor_a_file(tmp_path, offline, drawn):
    from made_records import record_of

    from svhn.learning.stored import store_model

    base = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
    store_model(tmp_path, "model_4_1", base, record_of)
    np.savez(tmp_path / "digits.npz", X=drawn.images[:100], y=drawn.labels[:100], real=False)
    names = load_definitions(
        ROOT / "Assignment3.ipynb",
        "data",
        "model_4_1",
        base_dir=str(tmp_path),
        data=str(tmp_path / "digits.npz"),
        imagenet=str(tmp_path / "none.h5"),
        stop_training=True,
    )
    assert names["model_4_1"].count_params() == 30_730
    with pytest.raises(SVHNError, match=r"none\.h5"):
        names["build_model_4_1"]()
