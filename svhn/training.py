"""A training that may be killed: it goes on from its last finished epoch."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from svhn.batches import Augmented, Batches, Images, model_input
from svhn.files import atomic_path
from svhn.stored import CURVES

_STATE = "training.json"


class Progress(keras.callbacks.Callback):
    """One bar for a whole training: batches done, time left, and the last epoch's accuracies."""

    def __init__(self, name: str, first: int, epochs: int, steps: int) -> None:
        super().__init__()
        self.bar = tqdm(
            total=epochs * steps, initial=first * steps, desc=name, unit="batch", mininterval=1, file=sys.stderr
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the bar."""
        self.bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Shows the epoch's figures."""
        logs = logs or {}
        self.bar.set_postfix_str(
            f"epoch {epoch + 1}: accuracy {logs['accuracy']:.1%}, validation {logs['val_accuracy']:.1%}"
        )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leaves the finished bar standing."""
        self.bar.close()


class Checkpoint(keras.callbacks.Callback):
    """Stores network, optimizer, curves and seconds of training after each epoch, in one file, atomically.

    Args:
        path: The file, `.keras`.
        plan: What is being trained on what; a checkpoint of another plan is not resumed.
    """

    def __init__(self, path: Path, plan: dict[str, Any]) -> None:
        super().__init__()
        self.path = path
        self.plan = plan
        self.curves: dict[str, list[float]] = {key: [] for key in CURVES}

    def resume(self) -> keras.Model | None:
        """The model of the last finished epoch of this very plan, None where there is none."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                state = json.loads(archive.read(_STATE))
            if state["plan"] != self.plan:
                return None
            model = keras.saving.load_model(self.path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            # A checkpoint only saves time: from a damaged one nothing is resumed, and nothing is lost.
            return None
        self.curves = state["curves"]
        return model

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stores the state after one more epoch."""
        for key in CURVES:
            self.curves[key].append(round(float((logs or {})[key]), 6))
        with atomic_path(self.path) as temporary:
            keras.saving.save_model(self.model, temporary)
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.writestr(_STATE, json.dumps({"plan": self.plan, "curves": self.curves}))


def fit(
    model: keras.Model,
    name: str,
    train: Augmented,
    validation: tuple[Images, np.ndarray],
    checkpoint: Checkpoint,
    epochs: int,
    batch_size: int,
    steps: int | None,
    seed: int,
    verbose: int,
) -> tuple[keras.Model, dict[str, list[float]]]:
    """Trains a compiled model for a number of epochs, or goes on where a killed run of the same plan stopped.

    Args:
        model: As its builder returns it, compiled with the metric `accuracy`.
        name: For the progress bar.
        train: Training digits.
        validation: Images and labels measured after each epoch.
        checkpoint: Where the state is kept.
        epochs: In all.
        batch_size: Digits a batch.
        steps: Batches an epoch, None for one pass.
        seed: Of order and augmentation.
        verbose: 0 for no progress bar.

    Returns:
        The trained model and its four learning curves.
    """
    model = checkpoint.resume() or model
    done = len(checkpoint.curves["loss"])
    batches = Batches(train, batch_size, steps, seed, epoch=done)
    if keras.backend.backend() == "tensorflow":
        # XLA on a CPU trains these networks several times slower than TensorFlow's own kernels.
        import tensorflow

        model.jit_compile = bool(tensorflow.config.list_physical_devices("GPU"))
    images, labels = validation
    model.fit(
        batches,
        validation_data=(model_input(images[:]), labels),
        validation_batch_size=128,
        epochs=epochs,
        initial_epoch=done,
        verbose=0,
        callbacks=[checkpoint, *([Progress(name, done, epochs, batches.steps)] if verbose else [])],
    )
    return model, checkpoint.curves
