"""A stored comparison: mean and spread over seeds, and a paired test on the same digits. It needs no Keras."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from svhn.data.provenance import Provenance
from svhn.typed import read_json


@dataclass(frozen=True, kw_only=True)
class Run:
    """One variant trained with one seed.

    Attributes:
        accuracy: The accuracy on the training digits in the last epoch.
        val_accuracy: The accuracy on the validation digits.
        right: A bit for each validation digit, 1 where it is read right, in hexadecimal.
    """

    accuracy: float
    val_accuracy: float
    right: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Variants of one network under the same conditions.

    Attributes:
        name: The comparison's name.
        reference: The variant that the others are compared with.
        data: The digits, or None where no split was named.
        validation: The number of validation digits.
        epochs, batch_size, steps_per_epoch: The schedule of each training.
        backend, precision: Those of the computation.
        variants: The runs of each variant, by its name and the seed.
    """

    name: str
    reference: str
    data: Provenance | None
    validation: int
    epochs: int
    batch_size: int
    steps_per_epoch: int
    backend: str
    precision: str | None = None
    variants: dict[str, dict[str, Run]]

    def __post_init__(self) -> None:
        """Checks the conditions that types do not express.

        Raises:
            ValueError: The reference is missing, or a variant has no runs or too few digits.
        """
        if self.reference not in self.variants:
            raise ValueError(f"variants has no {self.reference}")
        for label, runs in self.variants.items():
            if not runs or any(8 * len(bytes.fromhex(run.right)) < self.validation for run in runs.values()):
                raise ValueError(f"variants.{label} does not say of each digit whether it was read")

    @property
    def batches(self) -> int:
        """The number of batches of each training."""
        return self.epochs * self.steps_per_epoch

    @property
    def seeds(self) -> int:
        """The number of times that the reference was trained."""
        return len(self.variants[self.reference])

    def table(self) -> pd.DataFrame:
        """The table that `svhn.learning.comparison.run_comparison` describes, one row a variant."""
        read = {label: self._times_read(label) for label in self.variants}
        rows, base = {}, read[self.reference]
        for label, runs in self.variants.items():
            shares = [run.val_accuracy for run in runs.values()]
            gained, lost = int(np.sum(read[label] > base)), int(np.sum(read[label] < base))
            rows[label] = {
                "mean": np.mean(shares),
                "least": min(shares),
                "greatest": max(shares),
                "difference": (read[label].sum() - base.sum()) / self.validation / len(shares),
                "gained": gained,
                "lost": lost,
                "p": binomtest(gained, gained + lost).pvalue if gained + lost else 1.0,
            }
        return pd.DataFrame(rows).T.astype({"gained": int, "lost": int})

    def _times_read(self, label: str) -> np.ndarray:
        """The number of seeds with which each validation digit is read right, int (n,)."""
        read = [np.frombuffer(bytes.fromhex(run.right), np.uint8) for run in self.variants[label].values()]
        return np.sum([np.unpackbits(bits, count=self.validation) for bits in read], axis=0, dtype=int)


def load_comparison(path: Path) -> Comparison:
    """Loads a stored comparison.

    Raises:
        SVHNError: It is missing or damaged.
    """
    return read_json(path, Comparison, f"train it: make train MODEL={path.stem}")
