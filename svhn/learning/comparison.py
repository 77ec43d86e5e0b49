"""Variants of one network under the same conditions: what a technique is worth."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import keras
import pandas as pd

from svhn.data.protocol import Split
from svhn.errors import SVHNError
from svhn.files import write_json
from svhn.learning.evaluation import build_and_fit, digits_of, in_nbgrader, one_pass, provenance_of, unpack
from svhn.learning.training import Schedule


def run_comparison(
    name: str,
    builders: dict[str, Callable[[], keras.Model]],
    data: tuple,
    base_dir: str | Path,
    train: bool = True,
    generator: bool = False,
    epochs: int = 3,
    batch_size: int = 32,
    steps_per_epoch: int = 60,
    split: Split | None = None,
) -> pd.DataFrame:
    """Trains variants of a network, keeps their curves but not their weights, and prints how they ended.

    Args:
        name: Of the stored comparison, `NAME.json` in `base_dir`.
        builders: A builder a variant, under the name that the table is to show.
        data: As for `run_evaluation`.
        base_dir: The folder of the stored models.
        train: Whether to train; otherwise the stored comparison is loaded.
        generator: Whether the training digits are augmented.
        epochs: Passes, or rounds of `steps_per_epoch` batches; the same for all.
        batch_size: Digits a batch.
        steps_per_epoch: Batches an epoch; only with `generator`.
        split: Where the data come from.

    Returns:
        One row a variant: training and validation accuracy after the last epoch.

    Raises:
        SVHNError: There is no stored comparison to load, or it is damaged.
    """
    path = Path(base_dir) / f"{name}.json"
    if train and not in_nbgrader():
        training, X_val, y_val = unpack(name, data, generator)
        schedule = Schedule(epochs, batch_size, steps_per_epoch if generator else one_pass(training, batch_size))
        # Each keeps its own checkpoint until all are done, so that a killed comparison repeats no finished variant.
        trained = {
            variant: build_and_fit(f"{name}, {variant}", build, (training, X_val, y_val), base_dir, schedule, split)
            for variant, build in builders.items()
        }
        provenance = provenance_of(split, training)
        variants = {variant: result.learning_curves for variant, result in trained.items()}
        conditions = {"data": provenance, **asdict(schedule), "backend": keras.backend.backend()}
        write_json(path, {"name": name, **conditions, "variants": variants})
        for result in trained.values():
            result.checkpoint.unlink(missing_ok=True)
    return _show(name, path)


def _show(name: str, path: Path) -> pd.DataFrame:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        rows = {
            variant: {"training": curves["accuracy"][-1], "validation": curves["val_accuracy"][-1]}
            for variant, curves in stored["variants"].items()
        }
        held_out = digits_of(stored).removeprefix(", ") or "those held out"
        print(f"Accuracy after {stored['epochs']} epochs. Training: of the digits as shown; validation: of {held_out}")
    except FileNotFoundError:
        raise SVHNError(f"{path} is missing; train it: make train MODEL={name}") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise SVHNError(f"{path} is damaged ({error}); train it again (make train MODEL={name})") from error
    table = pd.DataFrame(rows).T
    print(table.to_string(float_format="{:.2%}".format))
    return table
