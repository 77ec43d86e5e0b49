"""Networks inside networks, as 4.1 was built under Keras 2: they score what their flat twins score."""

import json

import h5py
import keras
import keras_2
import numpy as np
import pytest

from svhn.grading.models import load_untrusted
from svhn.sandbox.process import Refused

FORMS = ("whole", "pair", "keras")
IMAGES = np.random.default_rng(0).random((8, 32, 32, 3)).astype(np.float32)


def base(shape=(32, 32, 3)):
    """A small base with batch normalisation, whose weights come in another order once a part of it is frozen."""
    layers = keras.layers
    start = keras.Input(shape)
    inner = layers.Conv2D(4, 3, activation="relu", name="block1_conv1")(start)
    inner = layers.BatchNormalization(name="block1_norm")(inner)
    inner = layers.MaxPooling2D(4, name="block1_pool")(inner)
    inner = layers.Conv2D(6, 3, activation="relu", name="block2_conv1")(inner)
    return keras.Model(start, layers.BatchNormalization(name="block2_norm")(inner), name="vgg16")


def nested(kind):
    layers = keras.layers
    head = [layers.GlobalAveragePooling2D(), layers.Dropout(0.5), layers.Dense(10, "softmax")]
    if kind == "sequential":
        return keras.Sequential([keras.Input((32, 32, 3)), base(), *head])
    if kind == "sequential in sequential":
        inner = keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(4, 3), layers.BatchNormalization()])
        return keras.Sequential([keras.Input((32, 32, 3)), inner, *head])
    start = keras.Input((32, 32, 3))
    inner = base((None, None, 3)) if kind == "any size" else base()
    if kind == "deep":
        inner = keras.Sequential([keras.Input((32, 32, 3)), inner, layers.Conv2D(5, 1)], name="deep")
    middle = inner(start)
    if kind == "used_twice":
        middle = layers.Add()([middle, inner(layers.Rescaling(0.5)(start))])
    for layer in head:
        middle = layer(middle)
    return keras.Model(start, middle)


def numbered(model):
    """The model with weights that no two layers share."""
    random = np.random.default_rng(1)
    model.set_weights(
        [0.5 + 0.2 * random.random(weight.shape) * (-1) ** place for place, weight in enumerate(model.get_weights())]
    )
    return model


def freeze(model, part):
    inner = [layer for layer in keras_2.leaves(model) if layer.weights]
    for layer in {"nothing": [], "some": inner[:2], "all": inner[:-1]}[part]:
        layer.trainable = False
    return model


@pytest.mark.parametrize(
    ("kind", "frozen"),
    [
        ("sequential", "some"),
        ("sequential", "all"),
        ("functional", "nothing"),
        ("functional", "some"),
        ("any size", "some"),
        ("deep", "some"),
        ("used_twice", "some"),
        ("sequential in sequential", "some"),
    ],
)
def test_a_nested_network_puts_out_what_it_did(tmp_path, kind, frozen):
    model = freeze(numbered(nested(kind)), frozen)
    expected = model.predict(IMAGES, verbose=0)
    for form in FORMS:
        files = keras_2.write(model, tmp_path / form, form)
        found = load_untrusted(files[0], files)
        np.testing.assert_allclose(found.predict(IMAGES, verbose=0), expected, atol=1e-5, err_msg=form)


@pytest.mark.parametrize("form", FORMS)
def test_it_puts_out_what_its_flat_twin_does(tmp_path, form):
    model = numbered(nested("sequential"))
    leaves = [layer for layer in keras_2.leaves(model) if not isinstance(layer, keras.layers.InputLayer)]
    flat = keras.Sequential([keras.Input((32, 32, 3)), *leaves])
    files = keras_2.write(model, tmp_path / "nested", form), keras_2.write(flat, tmp_path / "flat", form)
    one, other = (load_untrusted(paths[0], paths).predict(IMAGES, verbose=0) for paths in files)
    np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("kind", ["sequential", "functional"])
@pytest.mark.parametrize("form", ["whole", "pair"])
def test_the_layout_of_tensorflow_2_1(tmp_path, kind, form):
    model = numbered(nested(kind))
    files = keras_2.write(model, tmp_path, form, kind="Model", shapes=False)
    found = load_untrusted(files[0], files)
    np.testing.assert_allclose(found.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), atol=1e-5)


@pytest.mark.parametrize("form", ["whole", "pair"])
def test_slashes_in_names_of_layers(tmp_path, form):
    start = keras.Input((32, 32, 3), name="in")
    model = keras.Model(
        start,
        keras.layers.Dense(10, name="fc.1")(
            keras.layers.Flatten(name="flat")(keras.layers.Conv2D(2, 3, name="block1.conv")(start))
        ),
    )
    files = keras_2.write(numbered(model), tmp_path, form)
    # Keras 3 cannot make such a network itself.
    for path in files:
        if path.suffix == ".json":
            path.write_text(path.read_text().replace("block1.conv", "block1/conv").replace("fc.1", "fc/1"))
            continue
        with h5py.File(path, "a") as file:
            group = file.get("model_weights", file)
            if "model_config" in file.attrs:
                config = file.attrs["model_config"].replace("block1.conv", "block1/conv").replace("fc.1", "fc/1")
                file.attrs["model_config"] = config
            for old, new in (("block1.conv", "block1/conv"), ("fc.1", "fc/1")):
                arrays = {name: np.asarray(group[old][f"{old}/{name}"]) for name in ("kernel:0", "bias:0")}
                del group[old]
                for name, values in arrays.items():
                    group[f"{new}/{new}/{name}"] = values
                group[new].attrs["weight_names"] = np.array([f"{new}/{name}" for name in arrays], "S40")
            group.attrs["layer_names"] = np.array(["in", "block1/conv", "flat", "fc/1"], "S")
    found = load_untrusted(files[0], files)
    np.testing.assert_allclose(found.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), atol=1e-5)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [("convolutions", None), ("dense", None), ("dense", [64, 32, 32, 3]), ("convolutions", [None, None, None, None])],
)
def test_a_sequential_network_that_never_said_its_shape(tmp_path, layers, shape):
    inner = [keras.layers.Conv2D(2, 3)] if layers == "convolutions" else []
    model = numbered(
        keras.Sequential([keras.Input((32, 32, 3)), *inner, keras.layers.Flatten(), keras.layers.Dense(10)])
    )
    (path,) = keras_2.write(model, tmp_path, "whole")
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        if shape is None:
            config["config"]["layers"].pop(0)
        else:
            config["config"]["layers"][0]["config"]["batch_input_shape"] = shape
        file.attrs["model_config"] = json.dumps(config)
    found = load_untrusted(path)
    np.testing.assert_allclose(found.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), atol=1e-5)


@pytest.mark.parametrize(("form", "suffix"), [("whole", ".H5"), ("whole", ".keras"), ("whole", ""), ("keras", ".h5")])
def test_a_suffix_that_says_otherwise_is_no_obstacle(tmp_path, form, suffix):
    model = numbered(nested("sequential"))
    (path,) = keras_2.write(model, tmp_path, form)
    path = path.rename(tmp_path / f"Model_4_1{suffix}")
    np.testing.assert_allclose(
        load_untrusted(path).predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), atol=1e-5
    )


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"class_name": "Lambda", "config": {"name": "norm", "function": ["4wEA", None, None]}},
         ("'norm'", "Python code")),
        ({"class_name": "TFOpLambda", "config": {"name": "tf.math.divide", "function": "math.divide"}},
         ("TensorFlow", "math.divide")),
        ({"class_name": "SlicingOpLambda", "config": {"name": "slice", "function": "_getitem"}}, ("TensorFlow",)),
        ({"class_name": "MyLayer", "config": {"name": "mine"}, "module": "builtins"}, ("'MyLayer'",)),
    ],
)  # fmt: skip
def test_layers_that_are_programs_are_refused_with_what_to_hand_in(tmp_path, layer, words):
    (path,) = keras_2.write(nested("sequential"), tmp_path, "whole")
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"].insert(1, layer)
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(Refused) as refusal:
        load_untrusted(path)
    for word in (*words, "none of Keras's own layers", "hand in"):
        assert word in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"<!DOCTYPE html><html><title>Quota exceeded</title>", "web page"),
        (b"\n <html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
        (b"/annex/objects/SHA256E-s1--0.h5", "git-annex"),
        (b"", "empty file"),
        (b"PK\x05\x06", "neither HDF5 nor"),
    ],
)
def test_what_only_has_the_name_of_a_model_is_refused_with_the_true_reason(tmp_path, content, word):
    (tmp_path / "model_2_1.h5").write_bytes(content)
    with pytest.raises(Refused, match=word) as refusal:
        load_untrusted(tmp_path / "model_2_1.h5")
    assert "hand in" in str(refusal.value)
