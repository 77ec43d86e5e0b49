"""Held-out digits in files that every process maps and none loads."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from svhn.data.protocol import Split
from svhn.data.provenance import Provenance
from svhn.errors import SVHNError
from svhn.files import temporary_folder


@dataclass(frozen=True)
class MeasuredDigits:
    """The digits that models are measured on.

    Attributes:
        folder: Of the files.
        provenance: What `Split.provenance` says, with the numbers of digits used.
        description: For people.
    """

    folder: str
    provenance: Provenance
    description: str

    def part(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Images uint8 (n, 32, 32, 3) and labels uint8 (n,) of "validation" or "test"."""
        images, labels = (np.load(Path(self.folder) / f"{name}-{kind}.npy", mmap_mode="r") for kind in ("X", "y"))
        return images, np.asarray(labels)


@contextmanager
def measured_digits(split: Split, limit: int | None = None, place: Path | None = None) -> Iterator[MeasuredDigits]:
    """Lays out a split's validation and test digits, or the first `limit` of each, for as long as the block lasts.

    Args:
        split: The digits.
        limit: Of each part, None for all.
        place: Where to, None for where temporary files lie.
    """
    with temporary_folder("svhn-digits-", place) as folder:
        used = {}
        for name, images, labels in (
            ("validation", split.X_val, split.y_val),
            ("test", split.X_test, split.y_test),
        ):
            try:
                np.save(folder / f"{name}-X.npy", images[:limit])
                np.save(folder / f"{name}-y.npy", labels[:limit])
            except OSError as error:
                raise SVHNError(
                    f"cannot lay out the digits in {folder.parent}: {error.strerror}; free some space or set TMPDIR"
                ) from error
            used[name] = len(labels[:limit])
        yield MeasuredDigits(
            str(folder),
            replace(split.provenance, validation=used["validation"], test=used["test"]),
            split.digits.description,
        )
