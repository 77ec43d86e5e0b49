"""Writes networks as Keras 2 stored them: descriptions with lists of calls, and weights by what was frozen."""

import json
import zipfile

import h5py
import keras
import numpy as np


def described(model, kind="Functional", shapes=True):
    """A model's description in Keras 2's words.

    Args:
        model: Functional or Sequential, with others inside or not.
        kind: What a functional model is called, "Model" before TensorFlow 2.2.
        shapes: Whether a Sequential model starts with an InputLayer, as since TensorFlow 2.3.
    """
    config, functional = model.get_config(), not isinstance(model, keras.Sequential)
    layers = []
    for described_layer, layer in zip(config["layers"], _all_layers(model, len(config["layers"])), strict=True):
        inner = isinstance(layer, keras.Model)
        one = (
            described(layer, kind, shapes)
            if inner
            else {"class_name": described_layer["class_name"], "config": _old_config(described_layer["config"])}
        )
        if functional:
            calls = [_call(model, node) for node in described_layer["inbound_nodes"]]
            one |= {"name": layer.name, "inbound_nodes": calls}
        layers.append(one)
    if not functional:
        first = layers[0]["class_name"] == "InputLayer"
        shape = layers[0]["config"]["batch_input_shape"] if first else None
        if first and not shapes:
            layers = layers[1:]
            # A model inside says its shape itself; any other first layer carries it.
            if layers[0]["class_name"] not in (kind, "Sequential"):
                layers[0]["config"]["batch_input_shape"] = shape
        return {"class_name": "Sequential", "config": {"name": model.name, "layers": layers}}
    ends = {key: _listed(config[key]) for key in ("input_layers", "output_layers")}
    return {"class_name": kind, "config": {"name": model.name, "layers": layers} | ends}


def write(model, folder, form, name="model_4_1", **words):
    """Stores a model in one of Keras 2's forms and returns the files, that which is to be loaded first."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(described(model, **words))
    if form == "keras":
        model.save_weights(folder / "model.weights.h5")
        with zipfile.ZipFile(folder / f"{name}.keras", "w") as archive:
            archive.writestr("config.json", content)
            archive.write(folder / "model.weights.h5", "model.weights.h5")
        (folder / "model.weights.h5").unlink()
        return [folder / f"{name}.keras"]
    with h5py.File(folder / f"{name}.h5", "w") as file:
        if form == "whole":
            file.attrs["model_config"] = content
        _write_weights(model, file.create_group("model_weights") if form == "whole" else file)
    if form == "whole":
        return [folder / f"{name}.h5"]
    (folder / f"{name}.json").write_text(content, encoding="utf-8")
    return [folder / f"{name}.json", folder / f"{name}.h5"]


def _all_layers(model, count):
    """The layers of a model's description; a Sequential model's InputLayer is none of its `layers`."""
    return [None] * (count - len(model.layers)) + list(model.layers)


def _old_config(config):
    config = dict(config)
    if "batch_shape" in config:
        config["batch_input_shape"] = config.pop("batch_shape")
    return config


def _call(model, node):
    tensors = node["args"][0]
    tensors = tensors if isinstance(tensors, list | tuple) else [tensors]
    kwargs = {key: value for key, value in node["kwargs"].items() if isinstance(value, bool)}
    found = []
    for tensor in tensors:
        name, index, place = tensor["config"]["keras_history"]
        # To Keras 2 the first call of a model was its own making.
        found.append([name, index + isinstance(model.get_layer(name), keras.Model), place, kwargs])
    return found


def _listed(ends):
    return [list(ends)] if isinstance(ends[0], str) else [list(end) for end in ends]


def _write_weights(model, group):
    layers = [layer for layer in model.layers if layer.name]
    group.attrs["layer_names"] = np.array([layer.name for layer in layers], "S")
    group.attrs["keras_version"] = "2.15.0"
    for layer in layers:
        own = group.create_group(layer.name)
        owners = {id(weight): inner.name for inner in leaves(layer) for weight in inner.weights}
        weights = layer.trainable_weights + layer.non_trainable_weights
        names = [f"{owners[id(weight)]}/{weight.path.rpartition('/')[2]}:0" for weight in weights]
        own.attrs["weight_names"] = np.array(names or [], "S60")
        for name, weight in zip(names, weights, strict=True):
            own[name] = np.asarray(weight)


def leaves(layer):
    """A layer itself, or of a model its layers and theirs."""
    if isinstance(layer, keras.Model):
        for inner in layer.layers:
            yield from leaves(inner)
    else:
        yield layer
