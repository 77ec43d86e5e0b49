"""A stranger's files: their real kinds, and the reasons why some are not read."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from svhn.errors import SVHNError, listed
from svhn.grading.reading.archives import CACHES
from svhn.grading.reading.causes import cause_of
from svhn.grading.reading.names import (
    DOCUMENTS,
    FOREIGN,
    NETWORKS,
    answered_by,
    is_archive,
    is_aside,
    is_model,
    is_notebook,
    is_of_interest,
    model_of,
)

WHOLE_MODEL = "hand in the model whole, as model.save('model_X_Y.keras') or model.save('model_X_Y.h5') stores it"
MODELS, TEXTS, ANYTHING = "models", "texts", "anything"
_DEEPEST = 100
_SAVED = {"saved_model.pb", "keras_metadata.pb"}
_OF_TEXTS = re.compile(r"answer|antwoord|assignment|opdracht|solution|explanation|verslag", re.I)
_SET = re.compile(r"^(\w+)[^=\n]{0,80}=(?!=)", re.M)
_HEAD = 4096
# Bytes of a module that are looked through for answers.
_MODULE = 200_000
_MAGIC = {
    b"\x89HDF\r\n\x1a\n": "hdf5",
    b"PK\x03\x04": "zip",
    b"\x93NUMPY": "npy",
    b"\x1f\x8b": "gzip",
    b"Rar!": "rar",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"\x89PNG": "picture",
    b"version https://git-lfs": "lfs",
}
_NO_DATA = {
    "empty": "is an empty file: its upload or download was cut off",
    "html": "is a web page and not what its name says: a download failed and its error page was saved",
    "lfs": "is a pointer of Git LFS and not the file itself, which `git lfs pull` fetches",
    "annex": "is a pointer of git-annex and not the file itself, which `git annex get` fetches",
}


@dataclass(frozen=True)
class Unread:
    """A file or folder of a hand-in that is there and is not read.

    Attributes:
        path: Of it.
        reason: Why, and what to hand in instead; completes "NAME ...".
        holds: Its possible content: `MODELS`, `TEXTS` or `ANYTHING`.
        model: Of which model it is, None where that is unclear.
    """

    path: Path
    reason: str
    holds: str
    model: str | None = None

    @property
    def bytes(self) -> int:
        """Its size, 0 inside an archive."""
        return self.path.lstat().st_size if os.path.lexists(self.path) else 0

    def may_hold(self, model: str) -> bool:
        """Whether it may be the file of a model."""
        return self.model == model or (self.model is None and self.holds != TEXTS)


def walk(folder: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Every folder of a hand-in and its regular files, in a fixed order.

    Links, whose ends may lie anywhere, and caches are left out.

    Raises:
        SVHNError: Its folders are nested too deeply.
    """
    depth = len(folder.parts) + _DEEPEST
    for parent, folders, names in os.walk(folder):
        if len(Path(parent).parts) > depth:
            raise SVHNError(f"its folders are nested more than {_DEEPEST} deep; put its files into fewer of them")
        folders[:] = sorted(name for name in folders if name not in CACHES)
        paths = (Path(parent, name) for name in sorted(names))
        yield Path(parent), [path for path in paths if path.is_file() and not path.is_symlink()]


def regular_files(folder: Path) -> Iterator[Path]:
    """Every file that `walk` finds."""
    for _, paths in walk(folder):
        yield from paths


def find_unread(root: Path, read: set[str], texts: bool) -> list[Unread]:
    """The files that look like a model, its curves or texts of a hand-in and are not read.

    Args:
        root: Its folder.
        read: The models of which files are read.
        texts: Whether a notebook or written answers are read.
    """
    found, saved = list[Unread](), list[Path]()
    for folder, paths in walk(root):
        if any(folder.is_relative_to(parent) for parent in saved):
            continue
        if any(path.name in _SAVED for path in paths):
            reason = f"is a SavedModel folder, a program of TensorFlow's, which is not run here; {WHOLE_MODEL}"
            found.append(Unread(folder, reason, MODELS, model_of(str(folder.relative_to(root)))))
            saved.append(folder)
            continue
        found += [item for path in paths if (item := _unread(path, str(path.relative_to(root)), texts))]
    if not texts:
        reason = "is a copy that Jupyter keeps for itself; hand in the notebook"
        found += [Unread(path, reason, TEXTS) for path in sorted((root / ".ipynb_checkpoints").glob("*.ipynb"))]
    return [one for one in found if one.model not in read or one.path.is_dir() or is_archive(one.path.name)]


def _unread(path: Path, name: str, texts: bool) -> Unread | None:
    """Why a file that looks like part of a hand-in is not read; None where it is, or looks like nothing of it."""
    suffix, model = path.suffix.lower(), model_of(name)
    if is_archive(path.name):
        holds = MODELS if model or re.search(r"model|weight|histor", path.name, re.I) else ANYTHING
        return Unread(path, "is an archive in the hand-in; hand in what is in it", holds, model)
    if model and (suffix in FOREIGN or suffix.startswith(".data-")):
        return Unread(path, f"is {FOREIGN.get(suffix, FOREIGN['.ckpt'])}, which is not read here; {WHOLE_MODEL}",
                      MODELS, model)  # fmt: skip
    if model and is_model(name) and is_aside(PurePosixPath(name).parent):
        return Unread(path, "lies in a folder that seems put aside; put it beside the notebook", MODELS, model)
    if model is None and (suffix in NETWORKS or ("history" in path.name.lower() and is_model(f"model_1_1{suffix}"))):
        return Unread(path, "is of no question by its name; call it model_X_Y, as of question X.Y", MODELS)
    document = suffix in DOCUMENTS and not is_model(name) and not is_notebook(path.name)
    if document and (_OF_TEXTS.search(path.name) or not texts):
        return Unread(path, "is a document; answers are read from the notebook and from answers.py", TEXTS)
    if suffix == ".py" and not is_of_interest(path.name) and not is_aside(PurePosixPath(name)) and _sets_answers(path):
        return Unread(path, "sets answers, which are read from the notebook and from answers.py", TEXTS)
    return None


def _sets_answers(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            text = file.read(_MODULE).decode(errors="replace")
    except OSError:
        return False
    return any(answered_by(name) for name in _SET.findall(text))


def told(unread: Iterable[tuple[str, Unread]]) -> list[str]:
    """A finding for each reason, with the names of the files that it holds for."""
    reasons: dict[str, list[str]] = {}
    for name, item in unread:
        reasons.setdefault(item.reason, []).append(name)
    return [
        f"not opened: {listed(names, 3)}; where hand-ins are in there, unpack them and grade again"
        if all(is_archive(name) for name in names)
        else f"not read: {listed(names)}, {'each of which' if len(names) > 1 else 'which'} {reason}"
        for reason, names in reasons.items()
    ]


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


def kind_of(path: Path) -> str:
    """The kind of a file.

    Returns:
        "hdf5", "zip", "npy", "gzip", "rar", "7z", "picture", "lfs", "annex", "html", "empty", "pickle", "json", "text",
        or "unknown".
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        return "empty"
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    # HDF5 may start with a block of somebody else's.
    if any(_bytes_at(path, place, 8) == b"\x89HDF\r\n\x1a\n" for place in (512, 1024, 2048)):
        return "hdf5"
    if head[0] == 0x80 and len(head) > 1 and head[1] <= 5:
        return "pickle"
    return _kind_of_text(head)


def reason_for_no_data(path: Path) -> str | None:
    """Why a file holds nothing that could be read, whatever its name promises; None where it may."""
    if reason := _NO_DATA.get(kind_of(path)):
        return f"{path.name} {reason}; hand in the file itself"
    return None


def _bytes_at(path: Path, place: int, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(place)
        return file.read(count)


def _kind_of_text(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = text[:200].lower()
    if lower.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<body")):
        return "html"
    if b"/annex/objects/" in lower:
        return "annex"
    if text.startswith((b"{", b"[")):
        return "json"
    if (
        head.startswith((b"(dp", b"(lp", b"ccopy_reg", b"ccollections", b"cnumpy", b"cpandas", b"(i"))
        or b"\n." in head[-3:]
    ):
        return "pickle"
    return "text" if b"\0" not in head else "unknown"
