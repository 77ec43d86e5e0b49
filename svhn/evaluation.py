"""The course's harness: train a model or reload it, and report the same figures either way."""

import hashlib
import importlib.metadata
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display

from svhn.batches import Augmented, Images, predict, preprocess_like, preprocessing_name, unaltered
from svhn.errors import SVHNError
from svhn.figures import plot_learning_curves
from svhn.files import write_json
from svhn.protocol import Split
from svhn.stored import load_model, store_model
from svhn.training import Checkpoint, fit

TRAINING_SEED = 1
FIGURES_MIME = "application/vnd.svhn.figures+json"
_RED, _PLAIN = "\033[91m", "\033[0m"


def run_evaluation(
    name: str,
    model_builder: Callable[..., keras.Model],
    data: tuple,
    base_dir: str | Path,
    train: bool = True,
    generator: bool = False,
    epochs: int = 3,
    batch_size: int = 32,
    steps_per_epoch: int = 60,
    verbose: int = 1,
    split: Split | None = None,
    **kwargs: Any,
) -> keras.Model:
    """Trains and stores a model with its learning curves, or reloads both; prints and plots them either way.

    Prints the model's summary and the table of the least and greatest loss, accuracy, val_loss and val_accuracy over
    the epochs, and draws the four curves.

    Args:
        name: Of the stored model, "model_2_1".
        model_builder: Returns a new compiled model with the metric `accuracy`.
        data: `(X_train, X_val, y_train, y_val)`, or with `generator` `(augmented, X_val, y_val)`, the first an
            `svhn.batches.Augmented`. Images are uint8 or a `Preprocessed` view; labels are digits.
        base_dir: The folder of the stored models.
        train: Whether to train; otherwise model and curves are loaded.
        generator: Whether the training digits are augmented.
        epochs: Passes, or rounds of `steps_per_epoch` batches.
        batch_size: Digits a batch.
        steps_per_epoch: Batches an epoch; only with `generator`.
        verbose: 0 for silence.
        split: Where the data come from: the record then names them, and test accuracy is measured once on the
            stored file.
        **kwargs: Passed on to `model_builder`.

    Returns:
        The model as stored.

    Raises:
        SVHNError: There is no stored model to load, it is damaged, or the data are not of the form above.
    """
    if train:
        _shout("Training the model", verbose)
        _train(
            name, model_builder, data, base_dir, generator, epochs, batch_size, steps_per_epoch, verbose, split, kwargs
        )
        _shout(f"Model stored in {base_dir}", verbose)
    else:
        _shout("Loading model from file", verbose)
    model, record = load_model(base_dir, name)
    _shout("Success!", verbose)
    if verbose:
        report(model, record)
        if split and not train and record.get("data", {}).get("fingerprint") != split.digits.fingerprint:
            measured = accuracy(model, data[1], data[-1])
            print(f"On this run's {len(data[-1]):,} validation digits: {measured:.2%} ({split.digits.description})")
    return model


def report(model: keras.Model, record: dict[str, Any]) -> None:
    """Prints a stored model's summary, figures and where they were measured, and plots its learning curves."""
    model.summary(line_length=80)
    curves = pd.DataFrame(record["learning_curves"])
    print(curves.agg(["min", "max"]).to_string(float_format="%.4f"))
    print(measured_line(record))
    plot_learning_curves(record)
    plt.show()


def measured_line(record: dict[str, Any]) -> str:
    """One line: the accuracies of the stored file and the digits they were measured on."""
    data, measured = record.get("data"), record.get("accuracy", {})
    parts = [
        f"{part} {measured[part]:.2%}" + (f" of {data[part]:,}" if data else "")
        for part in ("validation", "test")
        if part in measured
    ]
    return f"Accuracy of the stored file: {', '.join(parts)}{_digits_of(record)}"


def _digits_of(record: dict[str, Any]) -> str:
    data = record.get("data")
    return f", {'real SVHN' if data['real'] else 'drawn'} digits ({data['name']})" if data else ""


def accuracy(model: keras.Model, images: Images, labels: np.ndarray) -> float:
    """The share of images that a model classifies as labelled, 0..1."""
    return float(np.mean(predict(model, images).argmax(axis=1) == labels))


def _train(
    name: str,
    model_builder: Callable[..., keras.Model],
    data: tuple,
    base_dir: str | Path,
    generator: bool,
    epochs: int,
    batch_size: int,
    steps_per_epoch: int,
    verbose: int,
    split: Split | None,
    kwargs: dict[str, Any],
) -> None:
    training, X_val, y_val = _unpack(name, data, generator)
    steps = steps_per_epoch if generator else None
    keras.utils.set_random_seed(TRAINING_SEED)
    model = model_builder(**kwargs)
    recipe = {
        "epochs": epochs,
        "batch_size": batch_size,
        "steps_per_epoch": steps or -(-len(training.images) // batch_size),
        "seed": TRAINING_SEED,
        "augmentation": training.augment.__name__ if generator else None,
        "optimizer": _plain(keras.saving.serialize_keras_object(model.optimizer)),
        "loss": model.loss if isinstance(model.loss, str) else _plain(keras.saving.serialize_keras_object(model.loss)),
        "initial_weights": getattr(model, "initial_weights", "random"),
    }
    provenance = split.provenance if split else None
    network = hashlib.sha256(model.to_json().encode()).hexdigest()[:16]
    plan = _plain({"recipe": recipe, "data": provenance, "train": len(training.images), "network": network})
    checkpoint = Checkpoint(Path(base_dir) / "checkpoints" / f"{name}.keras", plan)
    started = time.monotonic()
    model, curves = fit(
        model, name, training, (X_val, y_val), checkpoint, epochs, batch_size, steps, TRAINING_SEED, verbose
    )
    seconds = time.monotonic() - started

    def record(stored: keras.Model) -> dict[str, Any]:
        measured = {"validation": accuracy(stored, X_val, y_val)}
        if split:
            measured["test"] = accuracy(stored, preprocess_like(X_val, split.X_test), split.y_test)
        return {
            "learning_curves": curves,
            "accuracy": measured,
            "data": provenance,
            "preprocessing": preprocessing_name(X_val),
            "recipe": recipe,
            "backend": keras.backend.backend(),
            "versions": versions(),
            "seconds": round(seconds, 1),
        }

    store_model(base_dir, name, model, record)
    checkpoint.path.unlink(missing_ok=True)


def run_comparison(
    name: str,
    builders: dict[str, Callable[[], keras.Model]],
    data: tuple,
    base_dir: str | Path,
    train: bool = True,
    epochs: int = 3,
    batch_size: int = 32,
    split: Split | None = None,
) -> pd.DataFrame:
    """Trains variants of a network under the same conditions and keeps their curves, not their weights.

    Args:
        name: Of the stored comparison, `NAME.json` in `base_dir`.
        builders: A builder a variant, named as the table is to name it.
        data: `(X_train, X_val, y_train, y_val)`.
        base_dir: The folder of the stored models.
        train: Whether to train; otherwise the stored comparison is loaded. Variants already trained are kept.
        epochs: Passes, the same for all.
        batch_size: Digits a batch.
        split: Where the data come from.

    Returns:
        One row a variant: training and validation accuracy after the last epoch.

    Raises:
        SVHNError: There is no stored comparison to load, or it is damaged.
    """
    path = Path(base_dir) / f"{name}.json"
    if train:
        training, X_val, y_val = _unpack(name, data, generator=False)
        variants: dict[str, Any] = {}
        for variant, build in builders.items():
            keras.utils.set_random_seed(TRAINING_SEED)
            model = build()
            plan = _plain({"variant": variant, "epochs": epochs, "batch_size": batch_size, "network": model.to_json()})
            checkpoint = Checkpoint(Path(base_dir) / "checkpoints" / f"{name}.keras", plan)
            _, variants[variant] = fit(
                model, f"{name}, {variant}", training, (X_val, y_val), checkpoint, epochs, batch_size, None,
                TRAINING_SEED, 1,
            )  # fmt: skip
        checkpoint.path.unlink(missing_ok=True)
        provenance = split.provenance if split else None
        write_json(path, {"name": name, "data": provenance, "epochs": epochs, "variants": variants})
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        rows = {
            variant: {"training": curves["accuracy"][-1], "validation": curves["val_accuracy"][-1]}
            for variant, curves in stored["variants"].items()
        }
    except FileNotFoundError:
        raise SVHNError(f"{path} is missing; train it: make train MODEL={name}") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise SVHNError(f"{path} is damaged ({error}); train it again (make train MODEL={name})") from error
    table = pd.DataFrame(rows).T
    print(f"Accuracy after {stored['epochs']} epochs{_digits_of(stored)}")
    print(table.to_string(float_format="{:.2%}".format))
    return table


def show_figures(question: str, split: Split, **figures: float) -> None:
    """Shows measured figures under the digits they were measured on, and hands them on with the notebook's outputs.

    Args:
        question: "3.1".
        split: The digits of this run.
        **figures: Shares 0..1, by name.
    """
    lines = [f"Measured on: {split.digits.description}"]
    lines += [f"{name.replace('_', ' ').capitalize()}: {value:.2%}" for name, value in figures.items()]
    content = {"question": question, "data": split.provenance, "figures": figures}
    display({FIGURES_MIME: content, "text/plain": "\n".join(lines)}, raw=True)


def print_versions() -> None:
    """Prints the backend and the versions that figures depend on, one a line."""
    print(f"Keras backend: {keras.backend.backend()}")
    for name, number in versions().items():
        print(f"{name} {number}")


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that figures depend on."""
    packages = ("keras", "tensorflow", "jax", "torch", "numpy", "scipy", "scikit-learn")
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _unpack(name: str, data: tuple, generator: bool) -> tuple[Augmented, Images, np.ndarray]:
    try:
        if generator:
            training, X_val, y_val = data
            if not isinstance(training, Augmented):
                raise ValueError(f"the first is {type(training).__name__}, not Augmented")
        else:
            X_train, X_val, y_train, y_val = data
            training = Augmented(X_train, y_train, unaltered)
        if len(training.images) != len(training.labels) or len(X_val) != len(y_val):
            raise ValueError("images and labels differ in number")
    except (TypeError, ValueError) as error:
        form = "(augmented, X_val, y_val)" if generator else "(X_train, X_val, y_train, y_val)"
        raise SVHNError(f"{name}: data must be {form} ({error})") from error
    return training, X_val, y_val


def _plain(value: Any) -> Any:
    """The same content in JSON's types, as it will be read back: tuples as lists, NumPy scalars as numbers."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _shout(text: str, verbose: int) -> None:
    if verbose:
        print(f"{_RED}{text}{_PLAIN}")
