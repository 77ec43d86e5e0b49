"""Finds hand-ins and their files, in folders and archives; reads nothing that lies outside a hand-in."""

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from svhn.errors import SVHNError, one_line
from svhn.files import sha256
from svhn.grading.archives import CACHES, unopened, unpack
from svhn.learning.records import MOST_BYTES
from svhn.rubric.questions import MODELS

TEXT_BYTES = 60_000_000
MODEL_NAME = re.compile(rf"({'|'.join(MODELS)})(?:\D.*)?$")
_MODEL_SUFFIXES = {".keras", ".h5", ".hdf5", ".json", ".p", ".pkl", ".pickle"}
_WRITTEN = ("answers.py", "solution.py")
# What the course's own files are called, beside which each hand-in has a folder of its name.
_RESULTS = ("manual.csv", "grades.csv", "index.html")


@dataclass
class HandIn:
    """The files of a hand-in that grading looks at; none has been opened yet.

    Attributes:
        folder: Where they lie.
        notebooks: `*.ipynb` in the folder itself.
        written: `answers.py` and `solution.py`, where there.
        models: Every `model_X_Y` file, in the folder or in `models/`.
            Of a kind that is not there, those in the first other folder that has some.
        findings: What is missing or was left unopened, in words for the report.
    """

    folder: Path
    notebooks: list[Path] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    models: list[Path] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def files(self) -> list[Path]:
        """All of them, in a fixed order."""
        return [*self.notebooks, *self.written, *self.models]

    def shown(self, path: Path) -> str:
        """A file's name for people; bytes that are no text become question marks."""
        return str(path.relative_to(self.folder)).encode(errors="replace").decode()

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

    A `.zip` file is one hand-in. A folder is one where it holds a notebook, `answers.py`, `solution.py` or a model, or
    holds no folder and no archive; any other folder is a course, and each folder and `.zip` file in it is a hand-in.
    Where a folder of a course holds one `.zip` file and nothing else of a hand-in, as learning platforms store what was
    handed in, that is the hand-in, under the folder's name.

    Args:
        paths: Folders and `.zip` files.
        leave_out: A folder that is no hand-in though it may lie in a course: where grades are written.

    Returns:
        Folder or archive, by a name that is unique and fit for a file name, sorted by name. Equal names get that of the
        folder around them before their own.

    Raises:
        SVHNError: A path does not exist, or is neither a folder nor a `.zip` file.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise SVHNError(f"{path}: there is no such hand-in; name a folder, a folder of folders, or a .zip file")
        if path.is_file() and path.suffix.lower() != ".zip":
            raise SVHNError(f"{path}: is neither a folder nor a .zip file; name the folder that holds the hand-in")
        found += [path] if path.is_file() or _is_handin(path) else _course(path, leave_out)
    paths = list(dict.fromkeys(item.resolve() for item in found))
    names = Counter(_own_name(path) for path in paths)
    named: dict[str, Path] = {}
    for path in paths:
        name = own = _own_name(path)
        if names[own] > 1:
            name = _file_name(f"{path.parent.name}-{own}")
        if name in named:  # As where somebody unpacked an archive beside itself.
            name = _file_name(f"{path.parent.name}-{path.name}")
        if name in named:
            raise SVHNError(f"{path} and {named[name]} would be graded under one name; rename one of them")
        named[name] = path
    in_order = sorted(named.items(), key=lambda item: (item[0].casefold(), item[0]))
    return {name: _archive_alone(path) or path for name, path in in_order}


def _own_name(path: Path) -> str:
    return _file_name(path.stem if path.is_file() else path.name)


def _archive_alone(folder: Path) -> Path | None:
    """The only archive in a folder that holds no hand-in otherwise."""
    with suppress(OSError):  # What cannot be looked into is told when the hand-in is opened.
        if folder.is_dir() and not _holds_work(_descend(folder)):
            archives = [path for path in _visible(folder) if _is_archive(path)]
            return archives[0] if len(archives) == 1 else None
    return None


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


@contextmanager
def opened(path: Path, whole: bool = False) -> Iterator[HandIn]:
    """The files of a hand-in; those of an archive are unpacked for as long as the block lasts.

    Args:
        path: A folder or an archive.
        whole: Whether to unpack what grading does not read, too, for who runs the hand-in.

    Raises:
        SVHNError: The archive is damaged, or unpacking it would do harm.
    """
    if path.is_dir():
        yield _list_files(path)
        return
    with TemporaryDirectory(prefix="svhn-handin-") as temporary:
        left_out = unpack(path, Path(temporary), _is_of_interest, whole)
        handin = _list_files(Path(temporary))
        handin.findings += [finding for finding in left_out if finding not in handin.findings]
        yield handin


def _course(path: Path, leave_out: Path | None) -> list[Path]:
    skipped = leave_out.resolve() if leave_out else None
    chosen = [
        item
        for item in _visible(path)
        if (item.is_dir() or _is_archive(item)) and not item.is_symlink() and item.resolve() != skipped
    ]
    return chosen or [path]


def _visible(folder: Path) -> list[Path]:
    """What a person sees in a folder, by name; macOS puts files of its own beside that."""
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "__MACOSX"))]


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".zip" and path.is_file() and not path.is_symlink()


def _is_handin(folder: Path) -> bool:
    return _holds_work(folder) or not any(folder.iterdir())


def _holds_work(folder: Path) -> bool:
    return any(_is_of_interest(path.name) for path in folder.iterdir()) or _is_models_folder(folder)


def _is_models_folder(folder: Path) -> bool:
    return (folder / "models").is_dir() and any(MODEL_NAME.match(p.stem) for p in (folder / "models").iterdir())


def _is_of_interest(name: str) -> bool:
    return (name.endswith(".ipynb") and not name.startswith(".")) or name in _WRITTEN or _is_model(name)


def _kind(name: str) -> str:
    """Which of a hand-in's three kinds of file a file of interest is."""
    return "models" if _is_model(name) else "notebooks" if name.endswith(".ipynb") else "written"


def _is_model(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(MODEL_NAME.match(path.stem)) and path.suffix.lower() in _MODEL_SUFFIXES


def _file_name(name: str) -> str:
    plain = re.sub(r"[^\w .+@()-]", "_", name).strip(" .")[:100] or "handin"
    return f"{plain}_" if plain.casefold() in _RESULTS else plain


def _list_files(folder: Path) -> HandIn:
    root = _descend(folder)
    handin = HandIn(root)
    places = [root, root / "models"]
    inside = [path for place in places if place.is_dir() for path in sorted(place.iterdir())]
    chosen = [path for path in inside if _is_model(path.name) or (path.parent == root and _is_of_interest(path.name))]
    elsewhere = _elsewhere(root, {_kind(path.name) for path in chosen})
    for place in sorted({path.parent for path in elsewhere}):
        names = ", ".join(path.name for path in elsewhere if path.parent == place)
        handin.findings.append(f"read from {handin.shown(place)}/, as there are none where they belong: {names}")
    for path in chosen + elsewhere:
        limit = MOST_BYTES if _is_model(path.name) else TEXT_BYTES
        if reason := _reason_to_refuse(path, root, limit):
            handin.findings.append(f"{handin.shown(path)} was not opened: {reason}")
        else:
            getattr(handin, _kind(path.name)).append(path)
    if not chosen + elsewhere:
        handin.findings += unopened(handin.shown(path) for path in regular_files(root))
    return handin


def _elsewhere(root: Path, found: set[str]) -> list[Path]:
    """The files of a kind that was not found, in the first other folder that has some."""
    paths: dict[str, list[Path]] = {}
    for _, names in walk(root):
        for kind in ("notebooks", "written", "models"):
            here = [path for path in names if _is_of_interest(path.name) and _kind(path.name) == kind]
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


def _reason_to_refuse(path: Path, root: Path, limit: int) -> str | None:
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
        return f"it cannot be read ({one_line(getattr(error, 'strerror', None) or error)})"
