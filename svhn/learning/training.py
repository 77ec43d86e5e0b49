"""A training that may be killed: it goes on from its last finished epoch."""

import hashlib
import json
import math
import sys
import time
import zipfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from svhn.backend import devices, keras, precision
from svhn.errors import SVHNError, one_line
from svhn.files import atomic_path
from svhn.learning.batches import Augmented, Batches, Images, function_name, model_input, unaltered, unprocessed
from svhn.learning.records import CURVES
from svhn.settings import FLOAT32

_STATE = "training.json"
_VALIDATION_BATCH = 128


@dataclass(frozen=True)
class Schedule:
    """How long to train: `epochs` of `steps_per_epoch` batches of `batch_size`, in the order that `seed` gives."""

    epochs: int
    batch_size: int
    steps_per_epoch: int
    seed: int = 1


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        model: After its last epoch.
        learning_curves: `loss`, `accuracy`, `val_loss`, `val_accuracy`, one value an epoch.
        recipe: How it was trained, in JSON's types.
        seconds: Of training, those before an interruption included.
        checkpoint: The file that the training went on from if it were killed now.
    """

    model: keras.Model
    learning_curves: dict[str, list[float]]
    recipe: dict[str, Any]
    seconds: float
    checkpoint: Path


def fit(
    name: str,
    model: keras.Model,
    train: Augmented,
    validation: tuple[Images, np.ndarray],
    schedule: Schedule,
    folder: Path,
    provenance: dict[str, Any] | None,
    verbose: int = 1,
) -> Trained:
    """Trains a compiled model, or goes on where a killed run with the same recipe on the same digits stopped.

    Args:
        name: For the checkpoint's file and the progress bar.
        model: As its builder returns it, compiled with the metric `accuracy`.
        train: Training digits.
        validation: Images and labels measured after each epoch.
        schedule: How long.
        folder: Where the checkpoint is kept.
        provenance: Of the digits.
        verbose: 0 for no progress bar.

    Raises:
        SVHNError: The schedule is empty, the model is not compiled with that metric, it could not be loaded once it is
            stored, or its loss ceased to be a number; the checkpoint is then still that of the last epoch before.
    """
    _check(name, model, schedule)
    recipe = recipe_of(model, train, schedule)
    plan = plan_of(model, train, schedule, provenance)
    train = replace(train, labels=as_targets(train.labels, model))
    batches = Batches(train, schedule.batch_size, schedule.steps_per_epoch, schedule.seed)
    checkpoint = Checkpoint(Path(folder) / f"{name}.keras", plan)
    model = checkpoint.resume() or model
    done = len(checkpoint.curves["loss"])
    if verbose and done:
        print(f"going on after epoch {done}, where an earlier training stopped")
    images, labels = validation
    whole = len(labels) - len(labels) % devices()  # Each device gets as many of a batch.
    with tqdm(
        total=schedule.epochs * schedule.steps_per_epoch, initial=done * schedule.steps_per_epoch, desc=name,
        unit="batch", mininterval=1, file=sys.stderr, disable=not verbose,
    ) as bar:  # fmt: skip
        model.fit(
            batches,
            validation_data=(model_input(images[:whole]), as_targets(labels[:whole], model)),
            validation_batch_size=_VALIDATION_BATCH - _VALIDATION_BATCH % devices(),
            epochs=schedule.epochs,
            initial_epoch=done,
            shuffle=False,  # `Batches` has its own order; Keras's would be another one after an interruption.
            verbose=0,
            callbacks=[_EpochOf(batches), _Finite(name), checkpoint, Progress(bar)],
        )
    return Trained(model, checkpoint.curves, recipe, checkpoint.seconds, checkpoint.path)


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
    except Exception as error:  # Whatever a layer, loss or schedule raises that Keras cannot make anew.
        raise SVHNError(
            f"{name}: once stored, the model or its checkpoint could not be loaded ({one_line(error)}); "
            "use Keras's own parts, or register yours with keras.saving.register_keras_serializable"
        ) from error


class _EpochOf(keras.callbacks.Callback):
    """Tells the batches which epoch it is: Keras counts epochs from the one resumed, but asks for batches by number."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.batches.epoch = epoch


class _Finite(keras.callbacks.Callback):
    """Ends a training whose loss is no number any more, before the checkpoint is replaced: no later batch mends it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._check(logs, "loss", f"at batch {batch + 1} of epoch {self.epoch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # The last batch of an epoch may spoil the weights after its own loss was measured.
        self._check(logs, "val_loss", f"after epoch {epoch + 1}")

    def _check(self, logs: dict[str, Any] | None, key: str, place: str) -> None:
        loss = float((logs or {}).get(key, 0))
        if not math.isfinite(loss):
            raise SVHNError(
                f"{self.name}: {key} is {loss} {place}, so the training stops and stores nothing; choose a lower "
                "learning rate, and check that preprocessing and augmentation give finite numbers"
            )


class Progress(keras.callbacks.Callback):
    """One bar for a whole training: batches done, time left, and the last epoch's accuracies."""

    def __init__(self, bar: tqdm) -> None:
        super().__init__()
        self.bar = bar

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the bar."""
        self.bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Shows the epoch's figures."""
        logs = logs or {}
        self.bar.set_postfix_str(
            f"epoch {epoch + 1}: accuracy {logs['accuracy']:.1%}, validation {logs['val_accuracy']:.1%}"
        )


class Checkpoint(keras.callbacks.Callback):
    """Stores network, optimizer, curves and seconds of training after each epoch, in one file, atomically.

    Args:
        path: The file, `.keras`.
        plan: What is being trained on what, in JSON's types; a checkpoint of another plan is not resumed.
    """

    def __init__(self, path: Path, plan: dict[str, Any]) -> None:
        super().__init__()
        self.path = path
        self.plan = plan
        self.curves: dict[str, list[float]] = {key: [] for key in CURVES}
        self.seconds = 0.0
        self._since = time.monotonic()

    def resume(self) -> keras.Model | None:
        """The model after the last finished epoch of this very plan, None where there is none."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                state = json.loads(archive.read(_STATE))
            if state["plan"] != self.plan:
                return None
            model = keras.saving.load_model(self.path)
            self.curves, self.seconds = state["curves"], state["seconds"]
            return model
        except FileNotFoundError:
            return None
        except Exception as error:  # Keras and zipfile raise whatever they run into.
            # A checkpoint only saves time: without it, all begins anew, and nothing else is lost.
            print(f"{self.path} is damaged ({one_line(error)}); training from the start", file=sys.stderr)
            return None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self._since = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stores the state after one more epoch."""
        for key in CURVES:
            self.curves[key].append(round(float((logs or {})[key]), 6))
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now
        state = {"plan": self.plan, "curves": self.curves, "seconds": self.seconds}
        with atomic_path(self.path) as temporary:
            keras.saving.save_model(self.model, temporary)
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.writestr(_STATE, json.dumps(state))


def plan_of(
    model: keras.Model, train: Augmented, schedule: Schedule, provenance: dict[str, Any] | None
) -> dict[str, Any]:
    """What tells one training from any other, in JSON's types: network, recipe, digits, and how they are altered."""
    train = replace(train, labels=as_targets(train.labels, model))
    batches = Batches(train, schedule.batch_size, schedule.steps_per_epoch, schedule.seed)
    return {
        "recipe": recipe_of(model, train, schedule),
        "data": provenance or _digest(train.images),
        "train": len(train.images),
        "first_batch": _outline(*batches[0]),
        "network": hashlib.sha256(model.to_json().encode()).hexdigest(),
        **({} if precision() == FLOAT32 else {"precision": precision()}),
    }


def recipe_of(model: keras.Model, train: Augmented, schedule: Schedule) -> dict[str, Any]:
    """How a model is trained, in JSON's types: schedule, augmentation, optimizer and loss."""
    serialize = keras.saving.serialize_keras_object
    recipe = {
        **asdict(schedule),
        "augmentation": None if train.augment is unaltered else function_name(train.augment),
        "optimizer": serialize(model.optimizer),
        "loss": model.loss if isinstance(model.loss, str) else serialize(model.loss),
    }
    return json.loads(json.dumps(recipe, default=float))  # NumPy's numbers become plain ones.
