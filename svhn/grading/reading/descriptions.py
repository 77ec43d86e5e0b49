"""A network's description written anew out of Keras's own layers, Keras 2's as Keras 3 has it."""

import re
from typing import Any

from svhn.backend import keras
from svhn.grading.reading.cells import as_list
from svhn.sandbox.process import Refused

SIDE = 32
_NODES = 20_000
_MODULES = ("layers", "initializers", "regularizers", "constraints")
# Layers that run code out of their description, or read files that it names.
_NOT_ADMITTED = {
    "Lambda", "TorchModuleWrapper", "FlaxLayer", "JaxLayer", "TFSMLayer", "Wrapper", "StringLookup",
    "TextVectorization", "IntegerLookup", "Hashing", "Pipeline",
}  # fmt: skip
# Where a description names layers: Keras 3 admits no "/" in them.
_NAMING = ("name", "inbound_nodes", "input_layers", "output_layers", "keras_history")
_MODELS = ("Functional", "Sequential")
_OPERATIONS = {
    "TFOpLambda",
    "SlicingOpLambda",
    "ClassMethod",
    "InstanceMethod",
    "InstanceProperty",
    "TensorFlowOpLayer",
}


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


def is_architecture(content: Any) -> bool:
    """Whether JSON describes a network, as Keras's `to_json` does, and not a record of this project."""
    return isinstance(content, dict) and "class_name" in content and "config" in content


def plain_name(name: str) -> str:
    """A layer's name as Keras 3 and TensorFlow admit it, which "block1/conv" and "größe" are not."""
    return re.sub(r"[^\w.>-]", ".", name, flags=re.ASCII)


def rebuilt(description: Any, where: str, shape: tuple[int | None, ...] | None = None) -> dict[str, Any]:
    """A description of the same network in Keras 3's words, in which every class is Keras's own.

    Args:
        description: As JSON has it, by Keras 2 or 3.
        where: The file's name, for the reason.
        shape: Of the input without its batch, where the description leaves it open; None for the description's own.

    Raises:
        Refused: It holds anything but Keras's own layers, or too many of them.
    """
    clean = _Rebuilt(where).rebuild(description)
    if isinstance(clean, dict) and isinstance(clean.get("config"), dict):
        _give_shape(clean, shape)
    return clean


def lacks_shape(description: Any) -> bool:
    """Whether a rebuilt description of a Sequential model leaves its input open, as one that was never built."""
    if not isinstance(description, dict) or description.get("class_name") != "Sequential":
        return False
    layers = description["config"].get("layers") or [{}]
    first = layers[0] if isinstance(layers[0], dict) else {}
    if first.get("class_name") != "InputLayer":
        return True
    sides = (first.get("config") or {}).get("batch_shape") or [None]
    return any(side is None for side in sides[1:]) or len(sides) == 1


def _give_shape(description: dict[str, Any], shape: tuple[int | None, ...] | None) -> None:
    """Opens the batch of the outermost input, which may be fixed, and gives it a shape."""
    layers = description["config"].get("layers")
    if not isinstance(layers, list):
        return
    if shape and description["class_name"] == "Sequential":
        rest = [layer for layer in layers if not (isinstance(layer, dict) and layer.get("class_name") == "InputLayer")]
        description["config"]["layers"] = layers = [_input_layer([None, *shape]), *rest]
    for layer in layers:
        if isinstance(layer, dict) and layer.get("class_name") == "InputLayer":
            sides = (layer.get("config") or {}).get("batch_shape")
            if isinstance(sides, list) and sides:
                layer["config"]["batch_shape"] = [None, *sides[1:]]


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
        return {key: self._named(key, item) for key, item in value.items()}

    def _named(self, key: str, value: Any) -> Any:
        """A part of a description; where it names layers, by names that Keras 3 admits."""
        return _without_slashes(self.rebuild(value)) if key in _NAMING else self.rebuild(value)

    def _object(self, value: dict[str, Any]) -> Any:
        name, module = value["class_name"], value.get("module")
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
        if not own or ">" in str(value.get("registered_name")) or not isinstance(name, str) or name not in ADMITTED:
            raise Refused(f"{self.name} was refused: {_why_not(value)}")
        config = self.rebuild(config)
        if not isinstance(config, dict):
            raise Refused(f"{self.name} was refused: its {name} has no configuration")
        if name == "Model":
            name = "Functional"
        parts = ("name", "inbound_nodes", "build_config")
        rest = {key: self._named(key, value[key]) for key in parts if key in value}
        config = _as_keras_3(name, config)
        return rest | {"module": ADMITTED[name], "class_name": name, "config": config, "registered_name": None}


def _why_not(value: dict[str, Any]) -> str:
    """Why an object of a description is refused, and what to hand in instead."""
    name, module, config = str(value["class_name"])[:80], value.get("module"), value.get("config")
    layer = config.get("name") if isinstance(config, dict) else None
    called = f"layer {str(layer)[:80]!r}, a " if isinstance(layer, str) else ""
    remedy = "hand in a network of Keras's own layers, with that step among the preprocessing or as such a layer"
    if name == "Lambda":
        return f"its {called}{name!r}, is none of Keras's own layers but Python code, which is not run here; {remedy}"
    if name in _OPERATIONS:
        function = str(config.get("function", ""))[:80] if isinstance(config, dict) else ""
        return (
            f"its {called}{name!r}{f' of {function}' if function else ''}, is none of Keras's own layers but a "
            f"function of TensorFlow called on a layer's output, which is not called here; {remedy}"
        )
    place = f" of {module}"[:80] if module else ""
    return f"{name!r}{place} is none of Keras's own layers; {remedy}"


def _without_slashes(value: Any) -> Any:
    if isinstance(value, str):
        return plain_name(value)
    if isinstance(value, list):
        return [_without_slashes(item) for item in value]
    if isinstance(value, dict):
        # The arguments of a call name layers by their place among lists, so only values are renamed.
        return {key: _without_slashes(item) for key, item in value.items()}
    return value


# Settings that Keras 2 wrote and Keras 3 does not know, of any layer and of some.
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
    if name == "Functional":
        # Keras 2 lists a single tensor, too; to Keras 3 such a model, inside another, passes on a list.
        _renumber(config)
        config |= {key: _alone(config[key]) for key in ("input_layers", "output_layers") if key in config}
    if name == "Sequential" and isinstance(config.get("layers"), list):
        config["layers"] = _with_input(config["layers"], config.pop("build_input_shape", None))
    # A layer told its input's shape keeps it wherever it stands; Keras 3 knows it in an InputLayer only.
    for layer in [*as_list(config.get("layers")), config.get("layer")]:
        if isinstance(layer, dict) and isinstance(layer.get("config"), dict):
            layer["config"].pop("batch_input_shape", None)
    return config


def _renumber(config: dict[str, Any]) -> None:
    """Counts the calls of models inside a model as Keras 3 does: to Keras 2 the first was a model's own making."""
    layers = [layer for layer in config.get("layers") or [] if isinstance(layer, dict)]
    models = {layer.get("name"): layer["class_name"] for layer in layers if layer.get("class_name") in _MODELS}
    calls = [node for layer in layers for node in as_list(layer.get("inbound_nodes")) if isinstance(node, list)]
    if not models or not calls:  # Keras 3 writes calls as dictionaries.
        return
    inner = [one for node in calls for one in as_list(node) if _refers(one, models)]
    outer = [one for one in as_list(config.get("output_layers")) if _refers(one, models)]
    for name, kind in models.items():
        first = min((one[1] for one in [*inner, *outer] if one[0] == name), default=0)
        for one in inner:
            one[1] -= first if one[0] == name else 0
        for one in outer:
            # Of its outputs alone Keras 3 still counts as Keras 2 did, except in Sequential models.
            one[1] -= first - (kind == "Functional") if one[0] == name else 0


def _refers(item: Any, models: dict[Any, str]) -> bool:
    """Whether `["name", node, tensor]` names one of some models."""
    named = isinstance(item, list) and len(item) >= 3 and isinstance(item[0], str) and isinstance(item[1], int)
    return named and item[0] in models


def _alone(tensors: Any) -> Any:
    """`["name", 0, 0]` for `[["name", 0, 0]]`."""
    one = isinstance(tensors, list) and len(tensors) == 1 and isinstance(tensors[0], list)
    return tensors[0] if one and len(tensors[0]) == 3 and isinstance(tensors[0][0], str) else tensors


def _with_input(layers: list[Any], shape: Any) -> list[Any]:
    """The layers of a Sequential model, an InputLayer before them where their input's shape is known."""
    layers = [layer for layer in layers if isinstance(layer, dict) and "config" in layer]
    # A Sequential inside another starts with its own first layer's shape, not with an InputLayer's.
    if layers and layers[0].get("class_name") != "InputLayer":
        shape = (layers[0]["config"] or {}).get("batch_input_shape") or _first_shape(layers[0]) or shape
        if shape:
            layers.insert(0, _input_layer(shape))
    return layers


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
