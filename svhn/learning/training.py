"""A training that may be killed: it goes on from its last finished epoch."""

import hashlib
import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from svhn.backend import compute_alone, devices, host, keras, precision
from svhn.data.provenance import Provenance
from svhn.errors import Interrupted, SVHNError, one_line
from svhn.hosts import Helped, checkpoints_of_first, share
from svhn.learning.batches import Augmented, Batches, Images, function_name, model_input, unaltered, unprocessed
from svhn.learning.callbacks import Checkpoint, EpochOf, Finite, Progress, state_of
from svhn.learning.records import Recipe
from svhn.progress import interrupted, skip
from svhn.settings import FLOAT32
from svhn.typed import to_json

_VALIDATION_BATCH = 128


@dataclass(frozen=True)
class Schedule:
    """The length of a training: `epochs` of `steps_per_epoch` batches of `batch_size`, in the order of `seed`."""

    epochs: int
    batch_size: int
    steps_per_epoch: int
    seed: int = 1


@dataclass(frozen=True)
class Trained:
    """The outcome of a training.

    Attributes:
        model: After its last epoch.
        learning_curves: `loss`, `accuracy`, `val_loss`, `val_accuracy`, one value an epoch.
        recipe: How it was trained.
        seconds: Of training, those before an interruption included.
        checkpoint: The file that the training went on from if it were killed now.
    """

    model: keras.Model
    learning_curves: dict[str, list[float]]
    recipe: Recipe
    seconds: float
    checkpoint: Path


def fit(
    name: str,
    model: keras.Model,
    train: Augmented,
    validation: tuple[Images, np.ndarray],
    schedule: Schedule,
    folder: Path,
    provenance: Provenance | None,
    bar: tqdm | None = None,
) -> Trained:
    """Trains a compiled model, or goes on where a killed run with the same recipe on the same digits stopped.

    Args:
        name: Of the checkpoint's file.
        model: As its builder returns it, compiled with the metric `accuracy`.
        train: Training digits.
        validation: Images and labels measured after each epoch.
        schedule: How long.
        folder: Where the checkpoint is kept.
        provenance: Of the digits.
        bar: Moved by one a batch; None for silence.

    Raises:
        SVHNError: The schedule is empty, the model is not compiled with that metric, it could not be loaded once it is
            stored, or its loss ceased to be a number; the checkpoint is then still that of the last epoch before.
    """
    _check(name, model, schedule)
    recipe = recipe_of(model, train, schedule)
    plan = plan_of(model, train, schedule, provenance)
    train = replace(train, labels=as_targets(train.labels, model))
    rows = share(schedule.batch_size)
    batches = Batches(train, schedule.batch_size, schedule.steps_per_epoch, schedule.seed, share=rows)
    with checkpoints_of_first(Path(folder), name, plan) as checkpoints:
        checkpoint = Checkpoint(checkpoints / f"{name}.keras", plan)
        model = _fit(name, checkpoint.resume() or model, batches, validation, schedule, checkpoint, bar)
    number, hosts = host()
    if number:
        raise Helped
    if hosts > 1:  # The others are done, and this one computes alone from here on.
        compute_alone()
        model = keras.saving.load_model(checkpoint.path)
    return Trained(model, checkpoint.curves, recipe, checkpoint.seconds, checkpoint.path)


def _fit(
    name: str,
    model: keras.Model,
    batches: Batches,
    validation: tuple[Images, np.ndarray],
    schedule: Schedule,
    checkpoint: Checkpoint,
    bar: tqdm | None,
) -> keras.Model:
    done = len(checkpoint.curves["loss"])
    callbacks = [EpochOf(batches), Finite(name), checkpoint]
    if bar is not None:
        skip(bar, done * schedule.steps_per_epoch)
        callbacks.append(Progress(bar))
        if done:
            bar.write(f"{name}: going on after epoch {done}, where an earlier training stopped", file=sys.stdout)
    images, labels = validation
    number, hosts = host()
    whole = len(labels) - len(labels) % devices()  # Each device gets as many of a batch.
    rows = slice(number, whole, hosts)
    model.fit(
        batches,
        validation_data=(model_input(images[rows]), as_targets(labels[rows], model)),
        validation_batch_size=(_VALIDATION_BATCH - _VALIDATION_BATCH % devices()) // hosts,
        epochs=schedule.epochs,
        initial_epoch=done,
        shuffle=False,  # `Batches` has its own order; Keras's would be another one after an interruption.
        verbose=0,
        callbacks=callbacks,
    )
    return model


def stopped(name: str, schedule: Schedule, folder: Path) -> Interrupted:
    """The exception for a training that a person interrupts: it says which epochs are kept, and how to go on.

    Args:
        name: Of the checkpoint's file.
        schedule: As `fit` was given it.
        folder: Where the checkpoint is kept.
    """
    try:
        done = len(state_of(Path(folder) / f"{name}.keras")["curves"]["loss"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        done = 0
    kept = f"epochs 1 to {done} of {schedule.epochs} are kept" if done else "no epoch was finished"
    return interrupted(name, kept)


def schedule_of(
    training: Augmented, epochs: int, batch_size: int, steps_per_epoch: int | None, length: float, seed: int = 1
) -> Schedule:
    """The schedule; without `steps_per_epoch`, an epoch shows every training digit, its last batch filled up."""
    one_pass = -(-training.pass_length // max(1, batch_size))  # `fit` refuses what is below 1.
    steps = one_pass if steps_per_epoch is None else steps_per_epoch
    return Schedule(epochs, batch_size, max(1, round(steps * length)) if steps > 0 else steps, seed)


def build(model_builder: Callable[..., keras.Model], schedule: Schedule) -> keras.Model:
    """Builds a model from the schedule's seed; a builder with a parameter `steps` is told the number of batches."""
    # Without this, Keras numbers a network's nameless parts by what was built before, and no checkpoint would fit.
    keras.backend.clear_session()
    keras.utils.set_random_seed(schedule.seed)
    told = "steps" in signature(model_builder).parameters
    return model_builder(**({"steps": schedule.epochs * schedule.steps_per_epoch} if told else {}))


def one_cycle(peak: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """A learning rate that rises to a peak over the first fifth of all steps and falls to zero along a cosine.

    Args:
        peak: The greatest rate.
        steps: Batches of the whole training.
    """
    warmup = max(1, steps // 5)
    return keras.optimizers.schedules.CosineDecay(
        peak / 25, max(1, steps - warmup), warmup_target=peak, warmup_steps=warmup
    )


def as_targets(labels: np.ndarray, model: keras.Model) -> np.ndarray:
    """Labels in the form that a model's loss asks for.

    Args:
        labels: Digits, (n,).
        model: Compiled; for categorical cross-entropy digits become float32 (n, 10), one-hot.
    """
    loss = model.loss if isinstance(model.loss, str) else type(model.loss).__name__
    if loss.lower().replace("_", "") == "categoricalcrossentropy":
        return np.eye(10, dtype=np.float32)[labels]
    return labels


def _digest(images: Images) -> str:
    """Tells training images apart where nothing says what they are."""
    return hashlib.sha256(np.ascontiguousarray(unprocessed(images)).data).hexdigest()


def _outline(batch: np.ndarray, labels: np.ndarray) -> list[float]:
    """One number a digit, which another preprocessing, augmentation or label moves, and no processor's last bits."""
    rows = np.column_stack([batch.reshape(len(batch), -1), labels.reshape(len(labels), -1)]).astype(float)
    projection = np.random.default_rng(0).normal(0, rows.shape[1] ** -0.5, rows.shape[1])
    return np.round(rows @ projection, 3).tolist()


def _check(name: str, model: keras.Model, schedule: Schedule) -> None:
    for what in ("epochs", "batch_size", "steps_per_epoch"):
        if getattr(schedule, what) < 1:
            raise SVHNError(f"{name}: {what} is {getattr(schedule, what)!r}; give a whole number of at least 1")
    if schedule.batch_size % devices():
        raise SVHNError(f"{name}: batches of {schedule.batch_size} do not divide among {devices()} devices; set others")
    metrics = (model.get_compile_config() or {}).get("metrics") or []
    names = [metric if isinstance(metric, str) else metric["config"]["name"] for metric in metrics]
    if "accuracy" not in names:
        raise SVHNError(f'{name}: the model is compiled with the metrics {names}; compile it with metrics=["accuracy"]')
    try:
        keras.models.model_from_json(model.to_json())
    except Exception as error:  # A layer, loss or schedule that Keras cannot make anew raises many kinds.
        raise SVHNError(
            f"{name}: once stored, the model or its checkpoint could not be loaded ({one_line(error)}); "
            "use Keras's own parts, or register yours with keras.saving.register_keras_serializable"
        ) from error


def plan_of(model: keras.Model, train: Augmented, schedule: Schedule, provenance: Provenance | None) -> dict[str, Any]:
    """The marks of a training, in JSON's types, that tell it from any other: network, recipe, digits, augmentation."""
    train = replace(train, labels=as_targets(train.labels, model))
    batches = Batches(train, schedule.batch_size, schedule.steps_per_epoch, schedule.seed)
    return {
        "recipe": to_json(recipe_of(model, train, schedule)),
        "data": to_json(provenance) if provenance else _digest(train.images),
        "train": len(train.images),
        "first_batch": _outline(*batches[0]),
        "network": hashlib.sha256(model.to_json().encode()).hexdigest(),
        **({} if precision() == FLOAT32 else {"precision": precision()}),
    }


def recipe_of(model: keras.Model, train: Augmented, schedule: Schedule) -> Recipe:
    """The recipe of a training."""
    serialize = keras.saving.serialize_keras_object
    loss = model.loss if isinstance(model.loss, str) else serialize(model.loss)
    # NumPy's numbers become plain ones.
    optimizer, loss = json.loads(json.dumps([serialize(model.optimizer), loss], default=float))
    augmentation = None if train.augment is unaltered else function_name(train.augment)
    return Recipe(**asdict(schedule), augmentation=augmentation, optimizer=optimizer, loss=loss)
