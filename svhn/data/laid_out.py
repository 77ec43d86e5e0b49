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
        folder: The folder of the files.
        provenance: The provenance of the split, with the numbers of digits used.
        description: One line for people, as `Digits.description`.
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
    """Writes a split's validation and test digits to files for the time of the block.

    Args:
        split: The digits.
        limit: The greatest number of digits of each part; None means all.
        place: The folder to write to; None means the folder of temporary files.

    Raises:
        SVHNError: There is no room for the files.
    """
    arrays = {
        "validation-X": split.X_val[:limit],
        "validation-y": split.y_val[:limit],
        "test-X": split.X_test[:limit],
        "test-y": split.y_test[:limit],
    }
    with temporary_folder("svhn-digits-", place) as folder:
        try:
            for name, array in arrays.items():
                np.save(folder / f"{name}.npy", array)
        except OSError as error:
            raise SVHNError(
                f"cannot lay out the digits in {folder.parent}: {error.strerror}; free some space or set TMPDIR"
            ) from error
        used = replace(split.provenance, validation=len(arrays["validation-y"]), test=len(arrays["test-y"]))
        yield MeasuredDigits(str(folder), used, split.digits.description)
