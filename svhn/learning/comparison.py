"""Comparisons: variants of one network under the same conditions, over several seeds."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from svhn.backend import keras, precision
from svhn.data.protocol import Split
from svhn.errors import SVHNError
from svhn.files import CHECKPOINTS, write_json
from svhn.learning.batches import Augmented, Images, predict, provenance_of, unpack
from svhn.learning.evaluation import in_nbgrader
from svhn.learning.paired import Comparison, Run, load_comparison
from svhn.learning.training import Schedule, build, fit, plan_of, schedule_of
from svhn.progress import interrupted, progress_bar, skip
from svhn.typed import read_json, to_json

SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Variant:
    """One of the networks that are compared.

    Attributes:
        build: Returns a new compiled model; a parameter `steps`, if it has one, is the number of batches.
        data: The data, in either form of `run_evaluation`.
    """

    build: Callable[..., keras.Model]
    data: tuple


def run_comparison(
    name: str,
    variants: dict[str, Variant],
    reference: str,
    base_dir: str | Path,
    train: bool = True,
    epochs: int = 1,
    batch_size: int = 32,
    steps_per_epoch: int | None = None,
    seeds: Sequence[int] = SEEDS,
    split: Split | None = None,
    length: float = 1.0,
) -> pd.DataFrame:
    """Trains variants of a network, each with every seed, and compares their readings of the validation digits.

    Weights are not kept. A killed comparison goes on after the last training that it finished.

    Args:
        name: The stored comparison's name, `NAME.json` in `base_dir`.
        variants: The variants by the names that the table shows; all have the same validation digits.
        reference: The variant that the others are compared with.
        base_dir: The folder of the stored models.
        train: Whether to train; otherwise the stored comparison is loaded.
        epochs: Rounds of training, the same for all.
        batch_size: Digits a batch.
        steps_per_epoch: Batches an epoch; None means one pass.
        seeds: The seeds of weights, order and augmentation.
        split: The split that the data come from.
        length: A factor on the number of batches of an epoch.

    Returns:
        One row a variant: `mean`, `least` and `greatest` share of the validation digits read over the seeds;
        `difference` of its mean from the reference's; `gained` and `lost`, the numbers of digits that the variant reads
        with more, or fewer, of the seeds than the reference; `p` of an exact binomial test on these two (with one seed,
        McNemar's test).

    Raises:
        SVHNError: There is no stored comparison to load, or it is damaged.
        Interrupted: The person stopped the training.
    """
    path = Path(base_dir) / f"{name}.json"
    if train and not in_nbgrader():
        runs = []
        for label, variant in variants.items():
            data = unpack(name, variant.data, isinstance(variant.data[0], Augmented), split)
            schedule = schedule_of(data[0], epochs, batch_size, steps_per_epoch, length)
            runs += [_Run(name, label, variant.build, data, replace(schedule, seed=seed), split) for seed in seeds]
        note = Path(base_dir) / CHECKPOINTS / f"{name}.json"
        write_json(path, to_json(_train(name, reference, runs, note)))
        note.unlink(missing_ok=True)
    return _show(load_comparison(path))


@dataclass(frozen=True)
class _Finished:
    """A finished training in the note of a comparison: the digest of its plan, and its outcome."""

    plan: str
    result: Run


@dataclass(frozen=True)
class _Run:
    """The training of one variant with one seed."""

    comparison: str
    label: str
    build: Callable[..., keras.Model]
    data: tuple[Augmented, Images, np.ndarray]
    schedule: Schedule
    split: Split | None

    @property
    def batches(self) -> int:
        return self.schedule.epochs * self.schedule.steps_per_epoch

    def finish(self, finished: dict[str, _Finished], note: Path, bar: tqdm) -> Run:
        """Trains the variant and adds its outcome to `note`, unless that is among `finished` already."""
        training, X_val, y_val = self.data
        name = f"{self.comparison}, {self.label}, seed {self.schedule.seed}"
        model = build(self.build, self.schedule)
        provenance = provenance_of(self.split, training)
        plan = hashlib.sha256(json.dumps(plan_of(model, training, self.schedule, provenance)).encode()).hexdigest()
        if (known := finished.get(name)) and known.plan == plan:
            skip(bar, self.batches)
            return known.result
        trained = fit(name, model, training, (X_val, y_val), self.schedule, note.parent, provenance, bar)
        right = predict(trained.model, X_val).argmax(axis=1) == y_val
        result = Run(
            accuracy=trained.learning_curves["accuracy"][-1],
            val_accuracy=float(np.mean(right)),
            right=np.packbits(right).tobytes().hex(),
        )
        finished[name] = _Finished(plan, result)
        write_json(note, to_json(finished))
        trained.checkpoint.unlink(missing_ok=True)
        return result


def _train(name: str, reference: str, runs: Sequence[_Run], note: Path) -> Comparison:
    """Trains all runs that are not finished.

    Raises:
        Interrupted: The person stopped it; the line says how many trainings are kept.
    """
    variants: dict[str, dict[str, Run]] = {run.label: {} for run in runs}
    done = 0
    try:
        finished = read_json(note, dict[str, _Finished], "")
    except SVHNError:  # Nothing was finished before, or the note is damaged.
        finished = {}
    try:
        with progress_bar(sum(run.batches for run in runs), name, "batch", leave=True) as bar:
            for run in runs:
                variants[run.label][str(run.schedule.seed)] = run.finish(finished, note, bar)
                done += 1
    except KeyboardInterrupt:
        raise interrupted(name, f"{done} of {len(runs)} trainings are kept") from None
    training, X_val, _ = runs[-1].data
    return Comparison(
        name=name,
        reference=reference,
        data=provenance_of(runs[-1].split, training),
        validation=len(X_val),
        epochs=runs[-1].schedule.epochs,
        batch_size=runs[-1].schedule.batch_size,
        steps_per_epoch=runs[-1].schedule.steps_per_epoch,
        backend=keras.backend.backend(),
        precision=precision(),
        variants=variants,
    )


def _show(stored: Comparison) -> pd.DataFrame:
    table = stored.table()
    held_out = stored.data.description if stored.data else "those held out"
    print(
        f"{stored.batches:,} batches of {stored.batch_size} each, {stored.seeds} seeds; "
        f"{stored.validation:,} validation digits of {held_out}"
    )
    percent, points = "{:.1%}".format, lambda share: f"{100 * share:+.1f}"
    formats = {"mean": percent, "least": percent, "greatest": percent, "difference": points, "p": "{:.2g}".format}
    print(table.to_string(formatters=formats))
    print(
        f"difference: from {stored.reference!r}, in percentage points; gained, lost: digits read with more, or "
        "fewer, of the seeds; p: exact binomial test on these two"
    )
    return table
