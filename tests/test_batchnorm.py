"""Batch normalisation folded away: the network computes the same without it."""

import keras
import numpy as np
import pytest
from keras import layers

from svhn.learning.batchnorm import fold_batchnorm, insert_batchnorm


@pytest.fixture
def plain():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 1), name="input")
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="block1_conv1")(inputs)
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="block3_conv1")(x)
    x = layers.MaxPooling2D(name="block3_pool")(x)
    x = layers.Dropout(0.3, name="dropout")(layers.Flatten(name="flatten")(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name="fc")(x), name="small")


def images(n=32):
    return np.random.default_rng(1).random((n, 8, 8, 1)).astype(np.float32)


def test_inserted_and_untrained_it_changes_nothing(plain):
    model = insert_batchnorm(plain, ("block3",))
    assert [layer.name for layer in model.layers if "batchnorm" in layer.name] == ["block3_conv1_batchnorm"]
    assert np.allclose(model.predict(images(), verbose=0), plain.predict(images(), verbose=0), atol=1e-5)


def test_folded_after_training_it_computes_the_same_and_is_the_plain_network(plain):
    model = insert_batchnorm(plain, ("block3",))
    model.get_layer("block1_conv1").trainable = False
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="sparse_categorical_crossentropy")
    model.fit(images(), np.arange(32) % 10, epochs=3, verbose=0)
    folded = fold_batchnorm(model)
    assert np.allclose(folded.predict(images(), verbose=0), model.predict(images(), verbose=0), atol=1e-5)
    assert not np.allclose(folded.predict(images(), verbose=0), plain.predict(images(), verbose=0), atol=1e-2)
    assert [layer.get_config() for layer in folded.layers if layer.weights] == [
        layer.get_config() | {"trainable": layer.name != "block1_conv1"} for layer in plain.layers if layer.weights
    ]


def test_a_sequential_network_loses_no_layer():
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu", name="block3_conv1"),
                              layers.Flatten(), layers.Dense(10, name="fc")])  # fmt: skip
    folded = fold_batchnorm(insert_batchnorm(model, "block3"))
    assert [layer.name for layer in folded.layers][-3:] == [layer.name for layer in model.layers]
    assert np.allclose(folded.predict(images(), verbose=0), model.predict(images(), verbose=0), atol=1e-5)


def test_a_network_without_it_is_folded_into_itself(plain):
    folded = fold_batchnorm(plain)
    assert all(np.array_equal(a, b) for a, b in zip(folded.get_weights(), plain.get_weights(), strict=True))
