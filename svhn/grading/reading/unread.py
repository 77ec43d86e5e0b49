"""What is in a hand-in and is not read: named with the reason, never passed over."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from svhn.errors import listed
from svhn.grading.reading.archives import CACHES, is_archive
from svhn.grading.reading.causes import cause_of
from svhn.grading.reading.names import FOREIGN, MODEL_SUFFIXES, NETWORKS, model_of

HAND_IN_INSTEAD = "hand in the model as model.save('model_X_Y.keras') or model.save('model_X_Y.h5') stores it"


@dataclass(frozen=True)
class Unread:
    """A file or folder of a hand-in that is there and is not read.

    Attributes:
        path: Of it.
        reason: Why, and what to hand in instead; completes "NAME ...".
        model: Of which model it is, None where that is unclear.
    """

    path: Path
    reason: str
    model: str | None = None


def walk(folder: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Every folder of a hand-in and its regular files, in a fixed order.

    Links, whose ends may lie anywhere, and caches are left out.
    """
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in CACHES)
        paths = (Path(parent, name) for name in sorted(names))
        yield Path(parent), [path for path in paths if path.is_file() and not path.is_symlink()]


def regular_files(folder: Path) -> Iterator[Path]:
    """Every file that `walk` finds."""
    for _, paths in walk(folder):
        yield from paths


def find_unread(root: Path, read: set[str | None]) -> list[Unread]:
    """What of a hand-in looks like a model or its curves and is not read."""
    found = []
    for folder, paths in walk(root):
        if any(path.name in ("saved_model.pb", "keras_metadata.pb") for path in paths):
            reason = f"is a SavedModel folder, a program of TensorFlow's, which is not run here; {HAND_IN_INSTEAD}"
            found.append(Unread(folder, reason, model_of(folder.name)))
            continue
        for path in paths:
            suffix, model = path.suffix.lower(), model_of(path.name)
            if suffix in FOREIGN and model:
                found.append(Unread(path, f"is {FOREIGN[suffix]}, which is not read here; {HAND_IN_INSTEAD}", model))
            elif is_archive(path) and model:
                found.append(Unread(path, "is an archive in the hand-in; hand in what is in it", model))
            elif model is None and (
                suffix in NETWORKS or ("history" in path.name.lower() and suffix in MODEL_SUFFIXES)
            ):
                found.append(Unread(path, "is of no question by its name; call it model_X_Y, as of question X.Y"))
    return [item for item in found if item.model is None or item.model not in read or item.path.is_dir()]


def told(unread: list[tuple[str, str]]) -> list[str]:
    """A finding for each reason, with the names of what it holds for."""
    reasons: dict[str, list[str]] = {}
    for name, reason in unread:
        reasons.setdefault(reason, []).append(name)
    return [f"not read: {listed(names)}, which {reason}" for reason, names in reasons.items()]


def reason_to_refuse(path: Path, root: Path, limit: int) -> str | None:
    """Why a file is not opened, a link out of the hand-in or one over a limit of bytes; None where it is."""
    try:
        if not path.resolve(strict=True).is_relative_to(root.resolve()):
            return "it is a link to a place outside the hand-in"
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return "it is not an ordinary file"
        if status.st_size > limit:
            return f"its {status.st_size:,} bytes are over the limit of {limit // 1_000_000} MB"
        with path.open("rb"):
            return None
    except (OSError, RuntimeError) as error:
        return f"it cannot be read ({cause_of(getattr(error, 'strerror', None) or error)})"
