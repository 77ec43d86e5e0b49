"""Batch normalisation that a network trains with and is stored without."""

from collections.abc import Iterable

import keras
import numpy as np


def insert_batchnorm(model: keras.Model, prefixes: str | tuple[str, ...]) -> keras.Model:
    """A chain of layers, with batch normalisation before the activation of some convolutions (Ioffe and Szegedy, 2015).

    Deep networks without it, as VGG16, hardly learn from random weights. Until it is trained it passes on what it
    gets; `fold_batchnorm` takes it out again.

    Args:
        model: Layers one after another, none of them with several inputs; its weights are copied.
        prefixes: What the names of the convolutions start with. `NAME` gets `NAME_batchnorm` and `NAME_activation`.
    """

    def inserted() -> Iterable[keras.Layer]:
        for layer in _beyond_input(model):
            if isinstance(layer, keras.layers.Conv2D) and layer.name.startswith(prefixes):
                yield _copy(layer, layer.get_weights(), activation="linear")
                # Keras guards its variance by 1e-3; a smaller guard leaves the untrained layer the identity.
                # Its running moments start far from those of unscaled features, and are to catch up within an epoch.
                yield keras.layers.BatchNormalization(momentum=0.95, epsilon=1e-6, name=f"{layer.name}_batchnorm")
                yield keras.layers.Activation(layer.activation, name=f"{layer.name}_activation")
            else:
                yield _copy(layer, layer.get_weights())

    return _chain(model, inserted())


def fold_batchnorm(model: keras.Model) -> keras.Model:
    """The same function without the batch normalisation that `insert_batchnorm` put in.

    Normalising with fixed moments is one multiplication and one addition a channel, which the convolution before it
    takes over (Jacob et al., 2018, section 3.2). Which layers are trainable is kept; the model is not compiled.
    """

    def folded() -> Iterable[keras.Layer]:
        layers = iter(_beyond_input(model))
        for layer in layers:
            following = _layer(model, f"{layer.name}_batchnorm")
            if following is None:
                yield _copy(layer, layer.get_weights())
                continue
            kernel, bias = layer.get_weights()
            gamma, beta, mean, variance = following.get_weights()
            scale = gamma / np.sqrt(variance + following.epsilon)
            activation = model.get_layer(f"{layer.name}_activation").activation
            yield _copy(layer, [kernel * scale, (bias - mean) * scale + beta], activation=activation)
            next(layers), next(layers)

    return _chain(model, folded())


def _beyond_input(model: keras.Model) -> list[keras.Layer]:
    return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def _layer(model: keras.Model, name: str) -> keras.Layer | None:
    return next((layer for layer in model.layers if layer.name == name), None)


def _copy(layer: keras.Layer, weights: list[np.ndarray], **changes: object) -> keras.Layer:
    copy = type(layer).from_config({**layer.get_config(), **changes})
    copy.build(layer.input.shape)
    copy.set_weights(weights)
    return copy


def _chain(model: keras.Model, layers: Iterable[keras.Layer]) -> keras.Model:
    inputs = keras.Input(model.input_shape[1:], name=model.inputs[0].name)
    x = inputs
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x, name=model.name)
