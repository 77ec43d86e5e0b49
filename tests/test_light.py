"""Stored networks read without Keras: the same probabilities, and what only Keras knows is left to it."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import ROOT
from keras import layers
from PIL import Image

from svhn.learning.light import light_network
from svhn.notebook.cells import load_alone

DENSE = [layers.Flatten, lambda: layers.Dense(10, activation="softmax")]


def chain(*inner):
    return keras.Sequential([keras.Input((12, 11, 2)), *inner, *(make() for make in DENSE)])


def functional(branching):
    inputs = keras.Input((12, 11, 2))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    y = layers.MaxPooling2D()(layers.Conv2D(4, 2, padding="same")(x))
    x = layers.Add()([layers.MaxPooling2D()(x), y]) if branching else y
    return keras.Model(inputs, DENSE[1]()(layers.Flatten()(x)))


NETWORKS = {
    "dense": lambda: chain(layers.Flatten(), layers.Dense(7, activation="relu"), layers.Dropout(0.5)),
    "kernels of all sizes": lambda: chain(*(layers.Conv2D(3, size, padding="same") for size in (1, 2, 3, (5, 2)))),
    "normalised": lambda: chain(layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization(epsilon=0.1)),
    "pooled, with a rest": lambda: chain(layers.MaxPooling2D(), layers.MaxPooling2D((2, 3))),
    "functional": lambda: functional(branching=False),
}
KERAS_ONLY = {
    "strides": lambda: chain(layers.Conv2D(3, 3, strides=2, padding="same")),
    "no padding": lambda: chain(layers.Conv2D(3, 3)),
    "another activation": lambda: chain(layers.Dense(3, activation="gelu")),
    "another layer": lambda: chain(layers.AveragePooling2D(2)),
    "overlapping pools": lambda: chain(layers.MaxPooling2D(3, strides=1)),
    "another axis": lambda: chain(layers.BatchNormalization(axis=1)),
    "half precision": lambda: chain(layers.Conv2D(3, 3, padding="same", dtype="mixed_bfloat16")),
    "branches": lambda: functional(branching=True),
}


@pytest.fixture
def stored(tmp_path):
    """Stores a network with weights that are all drawn by chance, as a trained one's are."""

    def store(network):
        generator = np.random.default_rng(1)
        network.set_weights([generator.uniform(0.1, 0.9, weight.shape) for weight in network.get_weights()])
        network.save(tmp_path / "network.keras")
        return tmp_path / "network.keras"

    return store


@pytest.mark.parametrize("kind", NETWORKS)
def test_probabilities_are_those_of_keras(stored, kind):
    network = NETWORKS[kind]()
    images = np.random.default_rng(2).normal(0, 0.1, (19, 12, 11, 2)).astype(np.float32)
    light = light_network(stored(network))(images)
    assert light.dtype == np.float32
    np.testing.assert_allclose(light, network.predict_on_batch(images), atol=1e-5)


@pytest.mark.parametrize("kind", KERAS_ONLY)
def test_what_only_keras_knows_is_left_to_it(stored, kind):
    assert light_network(stored(KERAS_ONLY[kind]())) is None


def test_a_damaged_file_is_left_to_keras(stored):
    path = stored(NETWORKS["dense"]())
    path.write_bytes(path.read_bytes()[:-100])
    assert light_network(path) is None
    assert light_network(path.with_name("missing.keras")) is None


CELLS = {
    "alone": "import numpy as np\nK = np.int8(2)\ndef wanted(X): return other(X)\ndef other(X): return X * K",
    "keras": "from keras import ops\ndef wanted(X): return ops.abs(X)",
    "changed": "TABLE = {}\nTABLE['a'] = 1\ndef wanted(X): return TABLE['a'] * 6",
    "added to": "TABLE = []\nTABLE.append(1)\ndef wanted(X): return TABLE[0]",
    "broken": "def wanted(X): return",
}


@pytest.mark.parametrize("kind", CELLS)
def test_a_definition_is_had_alone_only_where_nothing_else_matters(tmp_path, kind):
    import nbformat

    never = "raise RuntimeError('not to be run')\nimport keras" if kind != "broken" else "if"
    cells = [nbformat.v4.new_code_cell(text, metadata={"tags": ["definitions"]}) for text in (never, CELLS[kind])]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebook.ipynb")
    found = load_alone(tmp_path / "notebook.ipynb", "wanted")
    assert found(3) == 6 if kind in ("alone", "changed") else found is None


def test_a_photo_is_read_without_keras(tmp_path):
    Image.new("RGB", (32, 32), "red").save(tmp_path / "photo.png")
    program = "import sys; from svhn.__main__ import main; status = main(sys.argv[1:])\n"
    program += "print(status, sorted({'keras', 'tensorflow', 'sklearn', 'nbformat'} & set(sys.modules)))"
    arguments = ["predict", "--model", "model_1_2", tmp_path / "photo.png"]
    process = subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert process.stdout.splitlines()[-1] == "0 []", process.stderr
