"""Activations and class activation maps."""

import numpy as np
import pytest

from svhn.learning.explanation import activations, class_activation_map, layer_cam
from svhn.learning.figures import enlarge, overlay


@pytest.fixture(scope="module")
def corner_reader():
    """A network whose class 3 is the brightness of the top left quarter, whose class 4 is its darkness."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(1, 1, name="conv"),
            keras.layers.MaxPooling2D(4, name="pooling"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(10, activation="softmax", name="fc"),
        ]
    )
    kernel = np.zeros((4, 10), np.float32)
    kernel[0, 3], kernel[0, 4] = 1, -1
    model.get_layer("conv").set_weights([np.ones((1, 1, 1, 1), np.float32), np.zeros(1, np.float32)])
    model.get_layer("fc").set_weights([kernel, np.zeros(10, np.float32)])
    return model


def image():
    pixels = np.zeros((8, 8, 1), np.float32)
    pixels[1, 2] = 1
    return pixels


def test_evidence_is_where_the_class_is_read(corner_reader):
    evidence = class_activation_map(corner_reader, image(), "conv", 3)
    assert evidence.shape == (8, 8) and evidence.max() == 1
    assert np.unravel_index(evidence.argmax(), (8, 8)) == (1, 2)


def test_evidence_against_a_class_is_cut_off(corner_reader):
    assert class_activation_map(corner_reader, image(), "conv", 4).max() == 0


@pytest.fixture(scope="module")
def place_reader():
    """Two convolutions of 8x8 and 4x4 points that hand brightness on; class 3 is what is bright at the lower left."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(1, 1, name="fine"),
            keras.layers.MaxPooling2D(2, name="pooling"),
            keras.layers.Conv2D(1, 1, name="coarse"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(10, activation="softmax", name="fc"),
        ]
    )
    kernel = np.zeros((4, 4, 10), np.float32)
    kernel[2:, :2, 3], kernel[:2, 2:, 4] = 1, -1
    for name in ("fine", "coarse"):
        model.get_layer(name).set_weights([np.ones((1, 1, 1, 1), np.float32), np.zeros(1, np.float32)])
    model.get_layer("fc").set_weights([kernel.reshape(16, 10), np.zeros(10, np.float32)])
    return model


def test_a_finer_map_lies_where_the_evidence_is_and_nowhere_else(place_reader):
    pixels = np.zeros((8, 8, 1), np.float32)
    pixels[6, 1] = pixels[1, 6] = 1  # A bright point where class 3 looks, and one where it does not.
    fine = layer_cam(place_reader, pixels, ["fine"], 3)
    assert fine.shape == (8, 8) and fine.dtype == np.float32 and fine[6, 1] == fine.max() == 1
    assert fine.sum() == 1  # All else is nothing, the other bright point too.
    both = layer_cam(place_reader, pixels, ["fine", "coarse"], 3)
    assert both.shape == (8, 8) and both.min() >= 0
    assert np.unravel_index(both.argmax(), (8, 8)) == (6, 1) and both.max() == pytest.approx(1)
    assert both[:4].max() < 0.05 and both[4:, 4:].max() < 0.35
    assert layer_cam(place_reader, pixels, ["coarse"], 3).shape == (4, 4)


def test_where_nothing_speaks_for_a_class_the_finer_map_is_empty(place_reader):
    pixels = np.ones((8, 8, 1), np.float32)
    for digit in (4, 7):  # Evidence against it, and none at all.
        evidence = layer_cam(place_reader, pixels, ["fine", "coarse"], digit)
        assert evidence.shape == (8, 8) and evidence.max() == 0


def test_activations_are_the_layers_outputs(corner_reader):
    conv, pooled = activations(corner_reader, image(), ["conv", "pooling"])
    np.testing.assert_allclose(conv, image())
    assert pooled.shape == (2, 2, 1) and pooled[0, 0, 0] == 1


def test_a_map_is_enlarged_and_laid_over_an_image():
    evidence = enlarge(np.array([[1, 0], [0, 0]], np.float32), (32, 32))
    assert evidence.shape == (32, 32) and evidence[0, 0] == 1 and evidence[-1, -1] == 0
    photo = np.full((32, 32, 3), 50, np.uint8)
    photo[:, 16:] = 100
    laid = overlay(photo, evidence)
    assert laid.shape == (32, 32, 3) and laid.min() >= 0 and laid.max() <= 1
    # Without evidence the image in grey, from light to white; under evidence its own colour.
    np.testing.assert_allclose([laid[-1, 0], laid[-1, -1]], [[0.3] * 3, [1] * 3], rtol=1e-5)
    assert np.ptp(laid[0, 0]) > 0.2
    assert np.isfinite(overlay(np.zeros((32, 32, 3), np.uint8), evidence)).all()
