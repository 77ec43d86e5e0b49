"""Callbacks between the batches and epochs of a training: checks, progress and checkpoints."""

import json
import math
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from svhn.backend import keras
from svhn.errors import SVHNError, one_line
from svhn.files import atomic_path
from svhn.learning.batches import Batches
from svhn.learning.records import CURVES

_STATE = "training.json"


class EpochOf(keras.callbacks.Callback):
    """Tells the batches the epoch: Keras counts epochs from the one resumed, but asks for batches by number."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Tells it."""
        self.batches.epoch = epoch


class Finite(keras.callbacks.Callback):
    """Ends a training whose loss is no number any more, before the checkpoint is replaced: no later batch mends it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes the epoch, for the line that an end of the training shows."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks the training loss."""
        self._check(logs, "loss", f"at batch {batch + 1} of epoch {self.epoch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks the validation loss."""
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
    """Moves a bar by each batch, and shows the last epoch's accuracies."""

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
    """Stores network, optimizer, random states, curves and seconds after each epoch, in one file, atomically.

    Args:
        path: The file, `.keras`.
        plan: Of the training, in JSON's types; a checkpoint of another plan is not resumed.
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
            state = state_of(self.path)
            if state["plan"] != self.plan:
                return None
            model = keras.saving.load_model(self.path)
            for variable, value in zip(_random_states(model), state["random"], strict=True):
                variable.assign(value)
            self.curves, self.seconds = state["curves"], state["seconds"]
            return model
        except FileNotFoundError:
            return None
        except Exception as error:  # Keras and zipfile raise many kinds.
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
        random = [np.asarray(variable).tolist() for variable in _random_states(self.model)]
        state = {"plan": self.plan, "curves": self.curves, "seconds": self.seconds, "random": random}
        with atomic_path(self.path) as temporary:
            keras.saving.save_model(self.model, temporary)
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.writestr(_STATE, json.dumps(state))


def _random_states(model: keras.Model) -> list[keras.Variable]:
    """The states of dropout's random numbers, which Keras does not store with a model."""
    stored = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in stored]


def state_of(checkpoint: Path) -> dict[str, Any]:
    """The state of the training in a checkpoint, beside the network."""
    with zipfile.ZipFile(checkpoint) as archive:
        return json.loads(archive.read(_STATE))
