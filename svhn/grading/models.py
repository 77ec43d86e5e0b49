"""Loads a stranger's model: its description is rebuilt from known names, its numbers counted before they are read.

Call it in a process of its own (`run_isolated`): HDF5 and TensorFlow are written in C, and meet the file here.
"""

import copy
import json
import math
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py

from svhn.backend import keras
from svhn.errors import one_line
from svhn.grading.curves import read_json
from svhn.sandbox.process import Refused

PARAMETERS = 60_000_000
_CONFIG_BYTES = 20_000_000
_WEIGHT_BYTES = 400_000_000
_NODES = 20_000
_MODULES = ("layers", "initializers", "regularizers", "constraints")
# Layers that run what their description holds, or read files that it names.
_NOT_ADMITTED = {
    "Lambda", "TorchModuleWrapper", "FlaxLayer", "JaxLayer", "TFSMLayer", "Wrapper", "StringLookup",
    "TextVectorization", "IntegerLookup", "Hashing", "Pipeline",
}  # fmt: skip


def _admitted() -> dict[str, str]:
    """Keras's own classes by name, with the public module of each."""
    # The one class that Keras has under no public name, and writes so into every file itself.
    functional = "keras.src.models.functional"
    found = {"Sequential": "keras", "Functional": functional, "Model": functional}
    for module in _MODULES:
        for name, value in vars(getattr(keras, module)).items():
            if isinstance(value, type) and name[:1].isupper() and name not in _NOT_ADMITTED:
                found[name] = f"keras.{module}"
    return found


ADMITTED = _admitted()


def load_untrusted(path: Path, beside: Sequence[Path] = ()) -> keras.Model:
    """Loads a model of a hand-in, in any form that the course has seen.

    Args:
        path: `.keras` (Keras 3), `.h5` (Keras 2 or 3, whole), or `.json` (a network's description), whose weights are
            in `NAME.h5`, `NAME_weights.h5` or `NAME.weights.h5` beside it.
        beside: The files that the weights of a `.json` may be: those of the hand-in that were not refused.

    Returns:
        The model, not compiled.

    Raises:
        Refused: The file is damaged, too large unpacked, or holds anything but Keras's own layers.
    """
    try:
        if path.suffix.lower() == ".keras":
            return _load_keras(path)
        if path.suffix.lower() == ".json":
            return _load_pair(path, beside)
        return _load_h5(path)
    except (Refused, MemoryError, RecursionError):
        raise
    except Exception as error:  # Keras, HDF5 and zipfile raise whatever a damaged file makes them run into.
        raise Refused(f"{path.name} cannot be loaded ({one_line(error)})") from error


def is_architecture(content: Any) -> bool:
    """Whether JSON describes a network, as Keras's `to_json` does, and not a record of this project."""
    return isinstance(content, dict) and "class_name" in content and "config" in content


def weights_beside(path: Path, beside: Sequence[Path]) -> Path | None:
    """The one of some files that holds the weights of a `.json` description, None where `path` needs no other."""
    if path.suffix.lower() != ".json":
        return None
    endings = (".weights.h5", "_weights.h5", ".h5", ".hdf5", "_weights.hdf5")
    names = [path.with_name(f"{path.stem}{ending}") for ending in endings]
    return next((name for name in names if name in beside), None)


def _load_keras(path: Path) -> keras.Model:
    with zipfile.ZipFile(path) as archive, TemporaryDirectory(prefix="svhn-model-") as folder:
        config = json.loads(_member(archive, "config.json", _CONFIG_BYTES, path))
        weights = Path(folder) / "model.weights.h5"
        weights.write_bytes(_member(archive, "model.weights.h5", _WEIGHT_BYTES, path))
        return _assemble(config, weights, path)


def _load_pair(path: Path, beside: Sequence[Path]) -> keras.Model:
    weights = weights_beside(path, beside)
    if weights is None:
        raise Refused(f"{path.name} describes a network, but there is no {path.stem}.h5 with its weights")
    return _assemble(read_json(path), weights, path)


def _load_h5(path: Path) -> keras.Model:
    with h5py.File(path) as file:
        config = file.attrs.get("model_config")
    if config is None:
        raise Refused(f"{path.name} holds weights only, and there is no {path.stem}.json that describes the network")
    return _assemble(json.loads(config), path, path)


def _member(archive: zipfile.ZipFile, name: str, limit: int, path: Path) -> bytes:
    try:
        with archive.open(name) as member:
            # Counted as it unpacks: what an archive declares of itself may be a lie.
            content = member.read(limit + 1)
    except KeyError:
        raise Refused(f"{path.name} is not a Keras model: it has no {name}") from None
    if len(content) > limit:
        raise Refused(f"{path.name} was refused: its {name} unpacks to more than {limit // 1_000_000} MB")
    return content


def _assemble(config: Any, weights: Path, path: Path) -> keras.Model:
    _check_weights(weights, path)
    clean = _Rebuilt(path.name).rebuild(config)
    # Counted without a number allocated: a description of a few bytes may ask for a billion of them.
    with keras.StatelessScope(initialize_variables=False):
        described = keras.saving.deserialize_keras_object(copy.deepcopy(clean), safe_mode=True)
        count = sum(math.prod(variable.shape) for variable in described.variables)
    if count > PARAMETERS:
        raise Refused(f"{path.name} was refused: {count:,} parameters are over the limit of {PARAMETERS:,}")
    keras.backend.clear_session()
    model = keras.saving.deserialize_keras_object(clean, safe_mode=True)
    if not isinstance(model, keras.Model):
        raise Refused(f"{path.name} describes no model")
    model.load_weights(weights)
    return model


def _check_weights(weights: Path, path: Path) -> None:
    """Refuses HDF5 that reaches outside itself or unpacks to too much, before anything is read."""
    links: list[Any] = []
    datasets: list[h5py.Dataset] = []
    with h5py.File(weights) as file:
        # Collected first, judged afterwards: HDF5 cannot pass an exception on.
        file.visititems_links(lambda _, link: links.append(link))
        if any(isinstance(link, h5py.ExternalLink) for link in links):
            raise Refused(f"{path.name} was refused: a part of it points to another file")
        file.visititems(lambda _, item: datasets.append(item) if isinstance(item, h5py.Dataset) else None)
        total = 0
        for dataset in datasets:
            if dataset.external or dataset.is_virtual:
                raise Refused(f"{path.name} was refused: {dataset.name!r} in it points to another file")
            if dataset.dtype.kind not in "fiubS":
                raise Refused(f"{path.name} was refused: {dataset.name!r} in it holds no numbers")
            total += dataset.size * dataset.dtype.itemsize
    if total > _WEIGHT_BYTES:
        raise Refused(f"{path.name} was refused: its arrays unpack to {total:,} bytes, over the limit of 400 MB")


class _Rebuilt:
    """A network's description written anew: every class is Keras's own of that name, whatever module the file says.

    Descriptions by Keras 2 become Keras 3's on the way. Keras 3.15 reads `batch_input_shape` of a first layer that is
    no InputLayer as a shape without its batch dimension, and so adds one: such a network loads and cannot be used.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes = 0

    def rebuild(self, value: Any) -> Any:
        self.nodes += 1
        if self.nodes > _NODES:
            raise Refused(f"{self.name} was refused: its description has more than {_NODES:,} parts")
        if isinstance(value, list):
            return [self.rebuild(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "class_name" in value:
            return self._object(value)
        return {key: self.rebuild(item) for key, item in value.items()}

    def _object(self, value: dict[str, Any]) -> Any:
        name, module, registered = value["class_name"], value.get("module"), value.get("registered_name")
        config = value.get("config")
        if name == "__tuple__":
            return {"class_name": name, "items": self.rebuild(value.get("items"))}
        if name == "__keras_tensor__":
            return {"class_name": name, "config": self.rebuild(config)}
        if name == "function" and isinstance(config, str) and hasattr(keras.activations, config):
            return config
        if name in ("Policy", "DTypePolicy") and isinstance(config, dict):
            return str(config.get("name", "float32"))
        own = module is None or str(module).split(".")[0] in ("keras", "tensorflow", "tf_keras", "builtins")
        if not own or ">" in str(registered) or not isinstance(name, str) or name not in ADMITTED:
            place = f" of {module}" if module else ""
            raise Refused(f"{self.name} was refused: {str(name)[:80]!r}{place[:80]} is none of Keras's own layers")
        config = self.rebuild(config)
        if not isinstance(config, dict):
            raise Refused(f"{self.name} was refused: its {name} has no configuration")
        if name == "Model":
            name = "Functional"
        rebuilt = {key: self.rebuild(value[key]) for key in ("name", "inbound_nodes", "build_config") if key in value}
        config = _as_keras_3(name, config)
        return rebuilt | {"module": ADMITTED[name], "class_name": name, "config": config, "registered_name": None}


# What Keras 2 wrote and Keras 3 has no use for, in any layer and in some.
_OBSOLETE = {"renorm", "renorm_clipping", "renorm_momentum", "fused", "virtual_batch_size", "adjustment", "time_major",
             "implementation"}  # fmt: skip
_OBSOLETE_IN = {
    "SpatialDropout": {"trainable", "noise_shape"},
    "ConvTranspose": {"groups"},
    "DepthwiseConv": {"groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"},
    "SeparableConv": {"groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"},
}


def _as_keras_3(name: str, config: dict[str, Any]) -> dict[str, Any]:
    obsolete = _OBSOLETE | _OBSOLETE_IN.get(re.sub(r"[123]D", "", name), set())
    config = {key: value for key, value in config.items() if key not in obsolete}
    if ADMITTED[name] == "keras.initializers":
        config.pop("dtype", None)
    if name == "BatchNormalization" and isinstance(config.get("axis"), list) and len(config["axis"]) == 1:
        config["axis"] = config["axis"][0]
    if name == "InputLayer" and "batch_input_shape" in config:
        config["batch_shape"] = config.pop("batch_input_shape")
    if name == "Sequential" and isinstance(config.get("layers"), list):
        shape = config.pop("build_input_shape", None)
        layers = [layer for layer in config["layers"] if isinstance(layer, dict) and "config" in layer]
        # A Sequential inside another starts with its own first layer's shape, not with an InputLayer's.
        if layers and layers[0].get("class_name") != "InputLayer":
            shape = layers[0]["config"].get("batch_input_shape") or _first_shape(layers[0]) or shape
            if shape:
                layers.insert(0, _input_layer(shape))
        config["layers"] = layers
    # A layer told its input's shape keeps it wherever it stands; Keras 3 knows it in an InputLayer only.
    inner = config.get("layers")
    for layer in [*(inner if isinstance(inner, list) else []), config.get("layer")]:
        if isinstance(layer, dict) and isinstance(layer.get("config"), dict):
            layer["config"].pop("batch_input_shape", None)
    return config


def _first_shape(layer: dict[str, Any]) -> Any:
    """The input shape of a model that is the first layer of another."""
    inner = layer["config"].get("layers")
    if not isinstance(inner, list) or not inner or not isinstance(inner[0], dict):
        return None
    return (inner[0].get("config") or {}).get("batch_shape")


def _input_layer(shape: Any) -> dict[str, Any]:
    return {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": shape, "dtype": "float32", "name": "input"},
        "registered_name": None,
    }
