"""The assignment's fixed split into training, validation and test digits."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from svhn.data.provenance import Extension, Provenance
from svhn.data.sources import drawn_digits
from svhn.digits import Digits, let_go
from svhn.errors import SVHNError
from svhn.settings import EXTENSION_SEED

SPLIT_SEED = 1
TRAIN_SIZE = 0.8
# From so many real training digits on, drawn ones are not needed.
ENOUGH_REAL = 50_000


@dataclass(frozen=True)
class Split:
    """Digits divided by the protocol; images stay uint8 (n, 32, 32, 3), labels are digits 0..9.

    Attributes:
        digits: The digits that were divided.
        X_train, X_val, X_test: The images of each part.
        y_train, y_val, y_test: Their labels.
        drawn: The drawn digits that extend the training digits, if any; they come after the real ones.
    """

    digits: Digits
    X_train: np.ndarray
    X_val: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_val: np.ndarray
    y_test: np.ndarray
    drawn: Digits | None = None

    @property
    def n_train(self) -> int:
        """The number of training digits without the extension: the first rows of `X_train`."""
        return len(self.y_train) - (len(self.drawn) if self.drawn else 0)

    @property
    def rows(self) -> np.ndarray:
        """The rows of the training digits in one pass.

        Real digits teach more than drawn ones. Where drawn digits outnumber them, each real one is shown several times
        in a pass, and together they make up half of it.
        """
        rows = np.arange(len(self.y_train))
        if self.drawn is None:
            return rows
        real = self.n_train
        copies = max(1, round(len(self.drawn) / real))
        return np.concatenate([np.tile(rows[:real], copies), rows[real:]])

    @property
    def provenance(self) -> Provenance:
        """The entry about these digits in a record."""
        given, extension = self.n_train, len(self.y_train) - self.n_train
        return Provenance(
            name=self.digits.name,
            real=self.digits.real,
            digits=len(self.digits),
            fingerprint=self.digits.fingerprint,
            split_seed=SPLIT_SEED,
            train=len(self.y_train),
            validation=len(self.y_val),
            test=len(self.y_test),
            train_real=given if self.digits.real else 0,
            train_drawn=extension if self.digits.real else given,
            drawn=Extension(name=self.drawn.name, fingerprint=self.drawn.fingerprint) if self.drawn else None,
        )


def split_digits(digits: Digits) -> Split:
    """Divides digits 64 : 16 : 20 into training, validation and test, stratified by label.

    It makes the two calls of scikit-learn's `train_test_split` that every hand-in makes, but over row numbers, so that
    a memory-mapped data set is read once.

    Args:
        digits: Digits with enough of each label for all parts; six will do.

    Returns:
        The split. For the whole of OpenML 41081 its parts have 63,544, 15,887 and 19,858 digits.

    Raises:
        SVHNError: There are too few digits of a label to divide.
    """
    try:
        train, val, test = split_rows(digits.labels)
    except ValueError as error:
        raise SVHNError(f"{digits.name}: {len(digits)} digits are too few to split ({error}); use more") from error
    y = digits.labels
    X_train, X_val, X_test = (_copied(digits.images, rows) for rows in (train, val, test))
    return Split(digits, X_train, X_val, X_test, y[train], y[val], y[test])


def _copied(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    copied = images[rows]
    let_go(images)
    return copied


def split_rows(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The row numbers of training, validation and test digits, given the labels (n,) of all.

    Raises:
        ValueError: There are too few digits of a label to divide.
    """
    # The import takes over a second, and most commands need no split.
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(labels))
    train_all, test = train_test_split(rows, stratify=labels, train_size=TRAIN_SIZE, random_state=SPLIT_SEED)
    train, val = train_test_split(train_all, stratify=labels[train_all], train_size=TRAIN_SIZE, random_state=SPLIT_SEED)
    return train, val, test


def extend_training(split: Split, count: int, folder: Path = Path("data")) -> Split:
    """Adds drawn digits to the training digits, where these are real and fewer than `ENOUGH_REAL`.

    Validation and test digits stay as they are, and so does a split of drawn digits.

    Args:
        split: The split to extend.
        count: The number of digits to add.
        folder: The data folder, which keeps the drawn digits.

    Returns:
        The extended split, or `split` itself.

    Raises:
        SVHNError: `folder` cannot be written to.
    """
    if count == 0 or not split.digits.real or split.n_train >= ENOUGH_REAL:
        return split
    drawn = drawn_digits(count, EXTENSION_SEED, folder)
    X_train, y_train = np.concatenate([split.X_train, drawn.images]), np.concatenate([split.y_train, drawn.labels])
    return replace(split, X_train=X_train, y_train=y_train, drawn=drawn)
