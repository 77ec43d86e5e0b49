"""Activations and evidence: the parts of an image that a trained network responds to."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from svhn.backend import keras
from svhn.learning.figures import enlarge


def activations(model: keras.Model, image: np.ndarray, layer_names: Sequence[str]) -> list[np.ndarray]:
    """Computes the outputs of some layers for one image.

    Args:
        model: A feed-forward network.
        image: Its input without the batch axis, float32 (height, width, channels).
        layer_names: The names of the layers.

    Returns:
        One float32 array a layer, in that order; (height, width, channels) for a convolution.
    """
    outputs = [model.get_layer(name).output for name in layer_names]
    values = keras.Model(model.inputs[0], outputs)(image[np.newaxis], training=False)
    return [keras.ops.convert_to_numpy(value)[0] for value in values]


def class_activation_map(model: keras.Model, image: np.ndarray, layer_name: str, digit: int) -> np.ndarray:
    """Maps the evidence that a convolution finds for a class, by Grad-CAM (Selvaraju et al., 2017).

    The layer's channels are summed with the mean gradient of the class's score (before the softmax) as their weights.
    Negative sums, which are evidence against the class, become 0.

    Args:
        model: A chain of layers that ends in a dense softmax layer.
        image: Its input without the batch axis, float32 (height, width, channels).
        layer_name: The name of the convolution.
        digit: The class, 0..9.

    Returns:
        float32 (height, width) of the layer's output, 0..1; all 0 where there is no evidence for the class.
    """
    features, gradient = _features_and_gradient(model, image, layer_name, digit)
    return _normalised(np.maximum(features @ gradient.mean(axis=(0, 1)), 0))


def layer_cam(model: keras.Model, image: np.ndarray, layer_names: Sequence[str], digit: int) -> np.ndarray:
    """Maps the evidence of several convolutions for a class, by LayerCAM (Jiang et al., 2021).

    Each point of a layer is weighted by its own gradient in place of its channel's mean, so maps of early layers stay
    sharp. The result is the mean of the layers' maps, enlarged to the finest.

    Args:
        model: A chain of layers that ends in a dense softmax layer.
        image: Its input without the batch axis, float32 (height, width, channels).
        layer_names: The names of the convolutions.
        digit: The class, 0..9.

    Returns:
        float32 (height, width) of the largest layer's output, 0..1; all 0 where there is no evidence for the class.
    """
    maps = []
    for name in layer_names:
        features, gradient = _features_and_gradient(model, image, name, digit)
        maps.append(_normalised(np.maximum(features * np.maximum(gradient, 0), 0).sum(axis=-1)))
    size = max(one.shape for one in maps)
    return _normalised(np.mean([enlarge(one, size) for one in maps], axis=0))


def _normalised(evidence: np.ndarray) -> np.ndarray:
    return evidence / evidence.max() if evidence.max() > 0 else evidence


def _features_and_gradient(
    model: keras.Model, image: np.ndarray, layer_name: str, digit: int
) -> tuple[np.ndarray, np.ndarray]:
    """A layer's output, and a class's score differentiated by it, (height, width, channels) each."""
    layer = model.get_layer(layer_name)
    tail = model.layers[model.layers.index(layer) + 1 :]
    features = keras.Model(model.inputs[0], layer.output)(image[np.newaxis], training=False)

    def score(x: Any) -> Any:
        for step in tail[:-1]:
            x = step(x, training=False)
        return (keras.ops.matmul(x, tail[-1].kernel) + tail[-1].bias)[0, digit]

    gradient = _gradient(score, features)
    return keras.ops.convert_to_numpy(features)[0], keras.ops.convert_to_numpy(gradient)[0]


def _gradient(function: Callable[[Any], Any], x: Any) -> Any:
    """The gradient of a scalar function at a tensor. Keras has no function for it."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return tape.gradient(value, x)
    if backend == "jax":
        import jax

        return jax.grad(function)(x)
    x = x.detach().requires_grad_()
    function(x).backward()
    return x.grad
