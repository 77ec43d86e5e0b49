"""A network's numbers out of HDF5: counted before they are read, and put where their names say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from svhn.backend import keras
from svhn.grading.reading.descriptions import plain_name
from svhn.sandbox.process import Refused

WEIGHT_BYTES = 400_000_000


def check_weights(weights: Path, where: str) -> None:
    """Looks through HDF5 before anything in it is read.

    Args:
        weights: The file.
        where: Its name in findings.

    Raises:
        Refused: It reaches outside itself, unpacks to too much, or holds anything but numbers.
    """
    links: list[Any] = []
    datasets: list[h5py.Dataset] = []
    with h5py.File(weights) as file:
        # Collected first, judged afterwards: HDF5 cannot pass an exception on.
        file.visititems_links(lambda _, link: links.append(link))
        if any(isinstance(link, h5py.ExternalLink) for link in links):
            raise Refused(f"{where} was refused: a part of it points to another file")
        file.visititems(lambda _, item: datasets.append(item) if isinstance(item, h5py.Dataset) else None)
        total = 0
        for dataset in datasets:
            if dataset.external or dataset.is_virtual:
                raise Refused(f"{where} was refused: {dataset.name!r} in it points to another file")
            if dataset.dtype.kind not in "fiubS":
                raise Refused(f"{where} was refused: {dataset.name!r} in it holds no numbers")
            total += dataset.size * dataset.dtype.itemsize
    if total > WEIGHT_BYTES:
        raise Refused(f"{where} was refused: its arrays unpack to {total:,} bytes, over the limit of 400 MB")


def load_weights(model: keras.Model, weights: Path) -> None:
    """Gives a model the numbers of an HDF5 file of Keras 2 or 3, which `check_weights` has passed.

    Keras 2 wrote the weights of a layer in an order that depends on which layers were frozen when it was saved. They
    are put where their names say. Weights without telling names, as of recurrent layers, are put by their order.

    Raises:
        ValueError: The numbers are those of another network.
    """
    with h5py.File(weights) as file:
        group = file.get("model_weights", file)
        stored = {name: _arrays(group[name]) for name in _listed(group, "layer_names")}
    if not stored:  # As Keras 3 stores weights, and Keras 2 in a .keras archive.
        model.load_weights(weights)
        return
    stored = {name: arrays for name, arrays in stored.items() if arrays}
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    if len(stored) != len(layers):
        raise ValueError(f"{len(layers)} layers have weights, and the file has weights of {len(stored)}")
    named = {plain_name(name) for name in stored} == set(layers)
    for (name, arrays), layer in zip(stored.items(), layers.values(), strict=True):
        own = layers[plain_name(name)] if named else layer
        _assign(name, _by_name(own, arrays) or _by_order(own, arrays, name))


def _assign(name: str, pairs: list[tuple[Any, np.ndarray]]) -> None:
    for variable, array in pairs:
        if tuple(variable.shape) != array.shape:
            raise ValueError(f"{name}: {variable.path} has the shape {tuple(variable.shape)}, the file's {array.shape}")
        variable.assign(array)


def _arrays(group: h5py.Group) -> list[tuple[str, np.ndarray]]:
    return [(name, np.asarray(group[name])) for name in _listed(group, "weight_names")]


def _listed(group: h5py.Group, name: str) -> list[str]:
    """A list of names in an HDF5 attribute; where it is long, in several with a number each."""
    values = [group.attrs[name]] if name in group.attrs else []
    while name not in group.attrs and f"{name}{len(values)}" in group.attrs:
        values.append(group.attrs[f"{name}{len(values)}"])
    return [item.decode() if isinstance(item, bytes) else str(item) for part in values for item in part]


def _by_order(layer: keras.Layer, arrays: list[tuple[str, np.ndarray]], name: str) -> list[tuple[Any, np.ndarray]]:
    variables = layer.trainable_weights + layer.non_trainable_weights
    if len(variables) != len(arrays):
        raise ValueError(f"{name} has {len(variables)} weights, and the file has {len(arrays)} of it")
    return list(zip(variables, (array for _, array in arrays), strict=True))


def _by_name(layer: keras.Layer, arrays: list[tuple[str, np.ndarray]]) -> list[tuple[Any, np.ndarray]] | None:
    """A variable for each array, None where names do not tell which."""
    places: dict[tuple[str, str], Any] = {}
    for inner in innermost(layer):
        for variable in inner.weights:
            key = inner.name, variable.path.rpartition("/")[2]
            if key in places:
                return None
            places[key] = variable
    pairs = []
    for name, array in arrays:
        *path, last = name.partition(":")[0].split("/")
        owners = (plain_name("/".join(path[start:])) for start in range(len(path)))
        found = next((places.pop((owner, last)) for owner in owners if (owner, last) in places), None)
        if found is None:
            return None
        pairs.append((found, array))
    return None if places else pairs


def innermost(layer: keras.Layer) -> Iterator[keras.Layer]:
    """A layer itself, or of a model its layers and theirs."""
    if isinstance(layer, keras.Model):
        for inner in layer.layers:
            yield from innermost(inner)
    else:
        yield layer
