"""Finds hand-ins and their files, in folders and archives; reads nothing that lies outside a hand-in."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from svhn.errors import SVHNError, listed
from svhn.files import sha256, temporary_folder
from svhn.grading.reading.archives import CACHES, is_archive, names_in, unopened, unpack
from svhn.grading.reading.names import (
    file_name,
    is_model,
    is_of_interest,
    is_wanted,
    kind_of_name,
    model_of,
    shown_name,
)
from svhn.grading.reading.unread import Unread, find_unread, reason_to_refuse, regular_files, told, walk
from svhn.learning.records import MOST_BYTES

TEXT_BYTES = 60_000_000
_MOST_FINDINGS = 40
# What the course's own files are called, beside which each hand-in has a folder of its name.
_RESULTS = ("manual.csv", "grades.csv", "index.html")


@dataclass
class HandIn:
    """The files of a hand-in that grading looks at; none has been opened yet.

    Attributes:
        folder: Where they lie.
        notebooks: `*.ipynb` in the folder itself.
        written: `answers.py` and `solution.py`, where there.
        models: Every file of a model, its weights or its curves, in the folder or in `models/`.
            Of a kind that is not there, those in the first other folder that has some.
        unread: What is there and is not read, such as a SavedModel folder.
        findings: What is missing or was left unopened, in words for the report.
    """

    folder: Path
    notebooks: list[Path] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    models: list[Path] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def files(self) -> list[Path]:
        """All of them, in a fixed order."""
        return [*self.notebooks, *self.written, *self.models]

    def shown(self, path: Path) -> str:
        """A file's name for people; bytes that are no text become question marks."""
        return shown_name(path.relative_to(self.folder))

    @property
    def fingerprint(self) -> str:
        """First 16 hexadecimal digits of SHA-256 over names, contents and findings."""
        return self._digest(self.files)

    def whole_fingerprint(self, leave_out: Path | None = None) -> str:
        """The same over every regular file but those in the folder of results, for who runs the hand-in.

        Of files that are very large or cannot be read, size and time must do.
        """
        skipped = leave_out.resolve() if leave_out else None
        return self._digest(path for path in regular_files(self.folder) if skipped not in path.resolve().parents)

    def _digest(self, files: Iterable[Path]) -> str:
        digest = hashlib.sha256(repr(self.findings).encode())
        for path in files:
            status = path.stat()
            known_by: object = (status.st_size, status.st_mtime_ns)
            if status.st_size <= MOST_BYTES:
                with suppress(PermissionError):
                    known_by = sha256(path)
            digest.update(f"{path.relative_to(self.folder)}\0{known_by}\0".encode(errors="surrogateescape"))
        return digest.hexdigest()[:16]


def find_handins(paths: Iterable[Path], leave_out: Path | None = None) -> dict[str, Path]:
    """The hand-ins that some paths hold, by name.

    An archive is one hand-in. A folder is one where it holds a notebook, `answers.py`, `solution.py` or a model, or
    holds no folder and no archive; any other folder is a course, and each folder and archive in it is a hand-in, also
    what `opened` then refuses: a link, or an archive of a kind that is not unpacked. Where a folder of a course holds
    one archive and nothing else of a hand-in, as learning platforms store what was handed in, that is the hand-in,
    under the folder's name.

    Args:
        paths: Folders and archives.
        leave_out: A folder that is no hand-in though it may lie in a course: where grades are written.

    Returns:
        Folder or archive, by a name that is unique and fit for a file name, sorted by name. Equal names get that of the
        folder around them before their own.

    Raises:
        SVHNError: A path does not exist, is neither a folder nor an archive, or holds hand-ins and is one.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        shown = shown_name(path)
        if not path.exists():
            raise SVHNError(f"{shown}: there is no such hand-in; name a folder, a folder of folders, or a .zip file")
        if path.is_file() and not is_archive(path):
            raise SVHNError(f"{shown}: is neither a folder nor a .zip file; name the folder that holds the hand-in")
        found += [path.resolve()] if path.is_file() or _is_handin(path) else _course(path.resolve(), leave_out)
    named = _named(list(dict.fromkeys(found)))
    in_order = sorted(named.items(), key=lambda item: (item[0].casefold(), item[0]))
    return {name: _archive_alone(path) or path for name, path in in_order}


def _named(paths: list[Path]) -> dict[str, Path]:
    """Paths by names that differ even where no difference is made between small and capital letters."""
    names = Counter(_own_name(path) for path in paths)
    named: dict[str, Path] = {}
    taken: set[str] = set()
    for path in paths:
        own, around = _own_name(path), path.parent.name
        wanted = [own] if names[own] == 1 else [file_name(f"{around}-{own}", _RESULTS)]
        # As where somebody unpacked an archive beside itself; a digest where names differ only in what was cleaned.
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:6]
        wanted += [file_name(f"{around}-{path.name}", _RESULTS), file_name(f"{own}-{digest}", _RESULTS, keep=7)]
        name = next((name for name in wanted if name.casefold() not in taken), f"handin-{len(taken)}-{digest}")
        taken.add(name.casefold())
        named[name] = path
    return named


def _own_name(path: Path) -> str:
    name = re.sub(r"\.tar$", "", path.stem) if path.is_file() else path.name
    return file_name(name, _RESULTS)


def _archive_alone(folder: Path) -> Path | None:
    """The only archive in a folder that holds no hand-in otherwise."""
    with suppress(OSError):  # What cannot be looked into is told when the hand-in is opened.
        if folder.is_dir() and not folder.is_symlink() and not _holds_work(_descend(folder)):
            archives = [path for path in _visible(folder) if _is_archive(path)]
            return archives[0] if len(archives) == 1 else None
    return None


@contextmanager
def opened(path: Path, whole: bool = False) -> Iterator[HandIn]:
    """The files of a hand-in; those of an archive are unpacked for as long as the block lasts.

    Args:
        path: A folder or an archive.
        whole: Whether to unpack what grading does not read, too, for who runs the hand-in.

    Raises:
        SVHNError: It is a link or hidden, or the archive is damaged, of a kind that is not unpacked, or unpacking it
            would do harm.
    """
    if path.is_symlink():
        raise SVHNError("it is a link to another place, which is not followed; put the folder itself here")
    if path.is_dir() and path.name.startswith("."):
        raise SVHNError("it is a hidden folder, which is not looked into; call it by a name that starts with no dot")
    if path.is_dir():
        yield _list_files(path)
        return
    with temporary_folder("svhn-handin-") as temporary:
        left_out = unpack(path, temporary, is_wanted, whole)
        handin = _list_files(temporary)
        handin.findings += [finding for finding in left_out if finding not in handin.findings]
        yield handin


def _course(path: Path, leave_out: Path | None) -> list[Path]:
    skipped = leave_out.resolve() if leave_out else None
    chosen = [item for item in sorted(path.iterdir()) if item != skipped and _is_entry(item)]
    return chosen or [path]


def _is_entry(item: Path) -> bool:
    """Whether what lies in a course's folder was handed in, be it in a form that is refused."""
    if item.name.startswith("__MACOSX") or item.name in CACHES or item.name.startswith("._"):
        return False
    if item.is_symlink():
        return not item.exists() or item.is_dir() or is_archive(item)
    if item.name.startswith("."):
        return item.is_dir() and _holds_work(item)
    return item.is_dir() or _is_archive(item)


def _visible(folder: Path) -> list[Path]:
    """What a person sees in a folder, by name; macOS puts files of its own beside that."""
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "__MACOSX"))]


def _is_archive(path: Path) -> bool:
    return is_archive(path) and path.is_file() and not path.is_symlink()


def _is_handin(folder: Path) -> bool:
    """Whether a folder is a hand-in.

    Raises:
        SVHNError: It is one and holds hand-ins as well, so that one of them would be graded and the others not.
    """
    own = sorted(path.name for path in folder.iterdir() if path.is_file() and is_of_interest(path.name))
    inside = [path for path in _visible(folder) if not path.is_symlink() and _has_texts(path)]
    if folder / "models" in inside and not own:
        return False  # Somebody's folder is called so.
    if (own or _is_models_folder(folder)) and len(inside) > 1:
        what = own[0] if own else "models"
        raise SVHNError(
            f"{shown_name(folder)}: {shown_name(what)} in it makes it a hand-in, and so do {len(inside)} folders or "
            f"archives in it ({', '.join(shown_name(path.name) for path in inside[:3])}); put {shown_name(what)} "
            "elsewhere, or name the hand-ins one by one"
        )
    return bool(own) or _is_models_folder(folder) or not any(folder.iterdir())


def _has_texts(path: Path) -> bool:
    """Whether a folder or a `.zip` file holds a notebook or written answers, as a hand-in does."""
    if not path.is_dir():
        return _is_archive(path) and any(map(_is_text, names_in(path)))
    with suppress(OSError):
        return any(_is_text(item.name) for item in path.iterdir())
    return False


def _is_text(name: str) -> bool:
    return is_of_interest(name) and kind_of_name(name) != "models"


def _holds_work(folder: Path) -> bool:
    with suppress(OSError):
        return any(is_of_interest(path.name) for path in folder.iterdir()) or _is_models_folder(folder)
    return False


def _is_models_folder(folder: Path) -> bool:
    return (folder / "models").is_dir() and any(is_model(path.name) for path in (folder / "models").iterdir())


def _list_files(folder: Path) -> HandIn:
    root = _descend(folder)
    handin = HandIn(root)
    places = [root, root / "models"]
    inside = [path for place in places if place.is_dir() for path in sorted(place.iterdir())]
    chosen = [
        path
        for path in inside
        if not path.is_dir() and (is_model(path.name) or (path.parent == root and is_of_interest(path.name)))
    ]
    elsewhere = _elsewhere(root, {kind_of_name(path.name) for path in chosen})
    for place in sorted({path.parent for path in elsewhere}):
        names = listed([shown_name(path.name) for path in elsewhere if path.parent == place])
        handin.findings.append(f"read from {handin.shown(place)}/, as there are none where they belong: {names}")
    refused = []
    for path in chosen + elsewhere:
        limit = MOST_BYTES if is_model(path.name) else TEXT_BYTES
        if reason := reason_to_refuse(path, root, limit):
            refused.append(f"{handin.shown(path)} was not opened: {reason}")
        else:
            getattr(handin, kind_of_name(path.name)).append(path)
    handin.findings += refused[:_MOST_FINDINGS]
    if len(refused) > _MOST_FINDINGS:
        handin.findings.append(f"and {len(refused) - _MOST_FINDINGS:,} more files were not opened")
    handin.unread += find_unread(root, {model_of(path.name) for path in handin.models})
    handin.findings += unopened(handin.shown(path) for path in regular_files(root))
    handin.findings += told([(handin.shown(item.path), item.reason) for item in handin.unread])
    return handin


def _elsewhere(root: Path, found: set[str]) -> list[Path]:
    """The files of a kind that was not found, in the first other folder that has some."""
    paths: dict[str, list[Path]] = {}
    for _, paths_here in walk(root):
        for kind in ("notebooks", "written", "models"):
            here = [path for path in paths_here if is_of_interest(path.name) and kind_of_name(path.name) == kind]
            if here and kind not in found:
                paths.setdefault(kind, here)
    return [path for kind in paths for path in paths[kind]]


def _descend(folder: Path) -> Path:
    """Where the files are: an archive often holds one folder that holds everything, and some odd files beside it."""
    for _ in range(5):
        if _holds_work(folder):
            break
        folders = [path for path in _visible(folder) if path.is_dir() and not path.is_symlink()]
        inside = [path for path in folders if _holds_work(path)] or folders
        if len(inside) != 1:
            break
        folder = inside[0]
    return folder
