"""Stored networks in NumPy alone: a few digits are read in far less time than Keras takes to load."""

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Step = Callable[[np.ndarray], np.ndarray]
# A layer's output for so few images stays in the processor's cache.
_BATCH = 8


class _NotKnown(Exception):
    """A layer, or a setting of one, that only Keras can compute."""


def light_network(path: Path) -> Step | None:
    """Makes a function of a stored network that needs no Keras.

    Args:
        path: A `.keras` file: a chain of dense layers, convolutions, max poolings, batch normalisations, flattenings
            and dropouts, with ReLU, softmax or no activation.

    Returns:
        A function from model input, float32 (n, height, width, channels), to Keras's output but for rounding, float32
        (n, 10). None where the file is damaged or holds anything else; Keras reads it, or says why not.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            layers = _chain(json.loads(archive.read("config.json")))
            weights = _weights(archive.read("model.weights.h5"))
        steps = [_STEPS[layer["class_name"]](layer["config"], weights) for layer in layers]
    except (_NotKnown, OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, zipfile.BadZipFile):
        return None

    def network(images: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(images), _BATCH):
            x = images[start : start + _BATCH]
            for step in steps:
                x = step(x)
            parts.append(x)
        return np.concatenate(parts)

    return network


def _chain(model: dict[str, Any]) -> list[dict[str, Any]]:
    """The layers of a chain, in which each layer's input is the output of the one before it."""
    layers = model["config"]["layers"]
    for before, layer in zip([None, *layers], layers, strict=False):
        if layer["module"] != "keras.layers" or _name_of(layer["config"].get("dtype")) != "float32":
            raise _NotKnown(layer["class_name"])
        nodes = layer.get("inbound_nodes") or []
        sources = [node["args"][0]["config"]["keras_history"][0] for node in nodes]
        if model["class_name"] != "Sequential" and before and sources != [before["name"]]:
            raise _NotKnown(layer["name"])
    return layers


def _name_of(dtype: Any) -> str:
    return dtype["config"]["name"] if isinstance(dtype, dict) else dtype


def _weights(content: bytes) -> dict[str, list[np.ndarray]]:
    """Each layer's arrays, in Keras's order, by its name."""
    with h5py.File(io.BytesIO(content)) as file:
        groups = [group["vars"] for group in file["layers"].values() if len(group.get("vars", ()))]
        return {group.attrs["name"]: [np.asarray(group[str(i)]) for i in range(len(group))] for group in groups}


def _only(config: dict[str, Any], **settings: Sequence[Any]) -> None:
    """Raises if a setting of a layer is none of the given ones."""
    for name, known in settings.items():
        if config[name] not in known:
            raise _NotKnown(f"{name} {config[name]!r}")


def _same(config: dict[str, Any], weights: Any) -> Step:
    return lambda x: x


def _flatten(config: dict[str, Any], weights: Any) -> Step:
    _only(config, data_format=["channels_last"])
    return lambda x: x.reshape(len(x), -1)


def _dense(config: dict[str, Any], weights: dict[str, list[np.ndarray]]) -> Step:
    _only(config, use_bias=[True], activation=list(_ACTIVATIONS))
    (kernel, bias), activate = weights[config["name"]], _ACTIVATIONS[config["activation"]]
    return lambda x: activate(x @ kernel + bias)


def _convolution(config: dict[str, Any], weights: dict[str, list[np.ndarray]]) -> Step:
    _only(config, use_bias=[True], activation=list(_ACTIVATIONS), padding=["same"], strides=[[1, 1]], groups=[1])
    _only(config, dilation_rate=[[1, 1]], data_format=["channels_last"])
    (kernel, bias), activate = weights[config["name"]], _ACTIVATIONS[config["activation"]]
    around = [(0, 0), *(((size - 1) // 2, size // 2) for size in kernel.shape[:2]), (0, 0)]

    def convolve(x: np.ndarray) -> np.ndarray:
        (_, height, width, _), padded = x.shape, np.pad(x, around)
        total = bias
        for down, right in np.ndindex(kernel.shape[:2]):  # Each point of the kernel is one product of matrices.
            total = total + padded[:, down : down + height, right : right + width] @ kernel[down, right]
        return activate(total)

    return convolve


def _batch_normalisation(config: dict[str, Any], weights: dict[str, list[np.ndarray]]) -> Step:
    _only(config, axis=[-1], center=[True], scale=[True])
    gamma, beta, mean, variance = weights[config["name"]]
    factor = gamma / np.sqrt(variance + np.float32(config["epsilon"]))
    return lambda x: x * factor + (beta - mean * factor)


def _max_pooling(config: dict[str, Any], weights: Any) -> Step:
    _only(config, padding=["valid"], strides=[config["pool_size"]], data_format=["channels_last"])
    down, right = config["pool_size"]

    def pool(x: np.ndarray) -> np.ndarray:
        n, height, width, channels = x.shape
        whole = x[:, : height // down * down, : width // right * right]
        return whole.reshape(n, height // down, down, width // right, right, channels).max(axis=(2, 4))

    return pool


def _softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


_ACTIVATIONS: dict[str, Step] = {"linear": lambda x: x, "relu": lambda x: np.maximum(x, 0), "softmax": _softmax}
_STEPS: dict[str, Callable[[dict[str, Any], Any], Step]] = {
    "InputLayer": _same,
    "Dropout": _same,
    "Flatten": _flatten,
    "Dense": _dense,
    "Conv2D": _convolution,
    "BatchNormalization": _batch_normalisation,
    "MaxPooling2D": _max_pooling,
}
