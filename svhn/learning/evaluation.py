"""The course's harness: train a model or reload it, and report the same figures either way."""

import functools
import html
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from IPython import get_ipython
from IPython.display import display
from IPython.utils.capture import capture_output

from svhn.backend import computing_in, keras, versions
from svhn.data.protocol import Split
from svhn.data.provenance import Provenance
from svhn.errors import SVHNError
from svhn.files import CHECKPOINTS
from svhn.learning.batches import (
    Augmented,
    Images,
    check_seen,
    predict,
    preprocess_like,
    preprocessing_name,
    provenance_of,
    unpack,
)
from svhn.learning.figures import plot_learning_curves
from svhn.learning.records import Record, load_record
from svhn.learning.reliability import shares_by_digit
from svhn.learning.stored import load_model, store_model
from svhn.learning.training import Schedule, Trained, build, fit, schedule_of, stopped
from svhn.progress import progress_bar
from svhn.settings import FLOAT32

_NBGRADER_VARIABLE = "NBGRADER_EXECUTION"
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
    steps_per_epoch: int | None = None,
    verbose: int = 1,
    split: Split | None = None,
    length: float = 1.0,
    force: bool = False,
    measure: bool = True,
    **kwargs: Any,
) -> keras.Model:
    """Trains and stores a model with its learning curves, or reloads both. Prints and plots them either way.

    It prints the model's summary and a table of the least and greatest loss, accuracy, val_loss and val_accuracy over
    the epochs, and draws the four curves.

    Args:
        name: The stored model's name, "model_2_1".
        model_builder: Returns a new compiled model with the metric `accuracy`. A parameter `steps`, if it has one, is
            the number of batches of the training, for a schedule of the learning rate.
        data: `(X_train, X_val, y_train, y_val)`, or with `generator` `(augmented, X_val, y_val)`, the first an
            `svhn.learning.batches.Augmented`. Images are uint8 or a `Preprocessed` view; labels are digits.
        base_dir: The folder of the stored models.
        train: Whether to train; otherwise model and curves are loaded.
        generator: Whether the training digits are augmented.
        epochs: Rounds of training; after each, the validation digits are measured.
        batch_size: Digits a batch.
        steps_per_epoch: Batches an epoch; None means one pass over the training digits.
        verbose: 0 for silence.
        split: The split that the data come from. The record then names it, test accuracy is measured once on the
            stored file, and where drawn digits extend the training digits, a pass goes over `split.rows`.
        length: A factor on the number of batches of an epoch.
        force: Whether the new model replaces a stored one that reads more of the same validation digits.
        measure: Whether a loaded model is measured on validation digits that its record does not name.
        **kwargs: Arguments for `model_builder`.

    Returns:
        The stored model: the new one, or the earlier one where that is better and kept.

    Raises:
        SVHNError: There is no stored model to load, it is damaged, or the data do not have the form above.
        Interrupted: The person stopped the training.
    """
    training_now = train and not in_nbgrader()
    if training_now:
        _shout("Training the model", verbose)
        unpacked = unpack(name, data, generator, split)
        if split:
            check_seen(name, unpacked[1], split)
        schedule = schedule_of(unpacked[0], epochs, batch_size, steps_per_epoch, length)
        builder = functools.partial(model_builder, **kwargs)
        kept = _train(Path(base_dir), name, builder, unpacked, schedule, split, force, verbose)
        _shout(f"The stored model is kept: {kept}" if kept else f"Model stored in {base_dir}", verbose or bool(kept))
    else:
        _shout("Loading model from file", verbose)
    model, record = load_model(base_dir, name)
    _shout("Success!", verbose)
    if verbose:
        _report(model, record)
        known = not split or (record.data is not None and record.data.fingerprint == split.digits.fingerprint)
        if split and measure and not known and not (train or in_nbgrader()):  # nbgrader measures in the next cell.
            measured = accuracy(model, data[1], data[-1], "reading validation digits")
            print(f"On this run's {len(data[-1]):,} validation digits: {measured:.2%} ({split.digits.description})")
            if split.digits.real:
                print("Some of these may be among the digits that the model was trained on.")
    return model


def _train(
    folder: Path,
    name: str,
    builder: Callable[..., keras.Model],
    data: tuple[Augmented, Images, np.ndarray],
    schedule: Schedule,
    split: Split | None,
    force: bool,
    verbose: int,
) -> str | None:
    """Trains a model and stores it. Where the stored one is better it is kept, and a line is returned that says so.

    Raises:
        Interrupted: The person stopped it; the line says which epochs are kept.
    """
    training, X_val, y_val = data
    provenance, checkpoints = provenance_of(split, training), folder / CHECKPOINTS
    batches = schedule.epochs * schedule.steps_per_epoch
    try:
        with progress_bar(batches, name, "batch", shown=bool(verbose), leave=True) as bar:
            model, shown = build(builder, schedule), bar if verbose else None
            trained = fit(name, model, training, (X_val, y_val), schedule, checkpoints, provenance, shown)
        # Figures are those of float32 whatever the training's precision was: every machine can make them again.
        with computing_in(FLOAT32) as trained_in:
            better = None if force else _better_stored(folder, name, trained.model, (X_val, y_val), provenance)
            if not better:
                made = functools.partial(_record, trained, trained_in, data, split, provenance)
                store_model(folder, name, trained.model, made)
                trained.checkpoint.unlink(missing_ok=True)
    except KeyboardInterrupt:
        raise stopped(name, schedule, checkpoints) from None
    return better


def in_nbgrader() -> bool:
    """Whether nbgrader grades or validates. Models are then loaded and not trained, whatever the hand-in's switch."""
    return bool(os.environ.get(_NBGRADER_VARIABLE))


def accuracy(model: keras.Model, images: Images, labels: np.ndarray, task: str = "") -> float:
    """The share of images that a model classifies as labelled, 0..1. A named task shows its progress."""
    return float(np.mean(predict(model, images, task).argmax(axis=1) == labels))


def _better_stored(
    base_dir: str | Path,
    name: str,
    model: keras.Model,
    validation: tuple[Images, np.ndarray],
    provenance: Provenance | None,
) -> str | None:
    """A line that says how much better the stored model reads the same validation digits, or None if it does not."""
    try:
        record = load_record(base_dir, name)
    except SVHNError:
        return None
    if not provenance or not record.data or record.data.fingerprint != provenance.fingerprint:
        return None
    stored, new = record.accuracy["validation"], accuracy(model, *validation)
    if new >= stored:
        return None
    return (
        f"it reads {stored:.2%} of the validation digits, the new one {new:.2%}; to replace it all the same, "
        f"svhn train --model {name} --force (the new one's training is kept until then)"
    )


def _record(
    trained: Trained,
    trained_in: str,
    data: tuple[Augmented, Images, np.ndarray],
    split: Split | None,
    provenance: Provenance | None,
    stored: keras.Model,
    **file: Any,
) -> Record:
    _, X_val, y_val = data
    measured, by_digit = {"validation": accuracy(stored, X_val, y_val, "reading validation digits")}, None
    if split:
        read = predict(stored, preprocess_like(X_val, split.X_test), "reading test digits").argmax(axis=1)
        measured["test"] = float(np.mean(read == split.y_test))
        by_digit = shares_by_digit(read, split.y_test)
    return Record(
        **file,
        learning_curves=trained.learning_curves,
        accuracy=measured,
        test_by_digit=by_digit,
        data=provenance,
        preprocessing=preprocessing_name(X_val),
        recipe=trained.recipe,
        backend=keras.backend.backend(),
        precision=trained_in,
        versions=versions(),
        seconds=round(trained.seconds, 1),
    )


def _report(model: keras.Model, record: Record) -> None:
    summary: list[str] = []
    with capture_output(stdout=False, stderr=False):  # Keras shows notebooks an empty box as well.
        model.summary(line_length=100, print_fn=lambda line, **_: summary.append(line))
    _show_folded(f"The network: {len(model.layers)} layers, {model.count_params():,} parameters", "\n".join(summary))
    curves = pd.DataFrame(record.learning_curves)
    print(curves.agg(["min", "max"]).to_string(float_format="%.4f"))
    data = record.data
    shares = [
        f"{part} {share:.2%}" + (f" of {data.of(part):,}" if data else "") for part, share in record.accuracy.items()
    ]
    print(f"Accuracy of the stored file: {', '.join(shares)}" + (f", {data.description}" if data else ""))
    plot_learning_curves(record)


def _show_folded(title: str, text: str) -> None:
    """Shows a long text folded where a page can fold it, and as it is elsewhere."""
    if get_ipython() is None:
        print(text)
        return
    folded = f"<details><summary>{html.escape(title)}</summary><pre>{html.escape(text)}</pre></details>"
    display({"text/html": folded, "text/plain": text}, raw=True)


def _shout(text: str, verbose: int | bool) -> None:
    if verbose:
        print(f"{_RED}{text}{_PLAIN}")
