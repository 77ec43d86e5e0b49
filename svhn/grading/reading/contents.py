"""The files of one hand-in: which are read, which of them lie elsewhere than they belong, and which are not read."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from types import MappingProxyType

from svhn.errors import SVHNError, listed
from svhn.files import sha256
from svhn.grading.reading.files import (
    ANYTHING,
    MODELS,
    TEXTS,
    Unread,
    find_unread,
    reason_to_refuse,
    regular_files,
    told,
    walk,
)
from svhn.grading.reading.names import (
    NETWORKS,
    is_aside,
    is_model,
    is_notebook,
    is_of_interest,
    kind_of_name,
    model_of,
    shown_name,
)
from svhn.learning.records import MOST_BYTES

TEXT_BYTES = 60_000_000
_MOST_FINDINGS = 40
# Folders that are called by their kind of content, and not by who handed them in.
_OF_CONTENT = re.compile(
    r"jupyter|notebook|model|weight|saved|trained|keras|histor|curve|src|source|code|python|script|text|answer|docs?\b|report"
    r"|output|result|data|assignment|deliverable|final|submission|\bnb\b|\bpy\b|(?:part|question|q|week|ex)[ _.-]?\d",
    re.I,
)


@dataclass
class HandIn:
    """The files of a hand-in that grading looks at; none has been opened yet.

    Attributes:
        folder: Where they lie.
        notebooks: `*.ipynb` in the folder itself.
        written: `answers.py`, `solution.py` and files of similar names, `answers.py` last.
        models: Every file of a model, its weights or its curves, in the folder or in `models/`.
            Notebooks, written answers, networks and curves that are not there are those of the first other folder.
        unread: Files and folders that are there and are not read, such as a SavedModel folder.
        findings: A line for the report for each file that was left unopened or found elsewhere.
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

    def of_model(self, model: str) -> list[Path]:
        """The files of a model, those where they belong first."""
        return [path for path in self.models if model_of(str(path.relative_to(self.folder))) == model]

    @property
    def texts_unread(self) -> list[str]:
        """The names of unread files that may hold a notebook or answers."""
        return [self.shown(one.path) for one in self.unread if one.holds != MODELS]

    def shown(self, path: Path) -> str:
        """A file's name for people; bytes that are no text become question marks."""
        return shown_name(path.relative_to(self.folder) if path.is_relative_to(self.folder) else path.name)

    @property
    def fingerprint(self) -> str:
        """First 16 hexadecimal digits of SHA-256 over names, contents and findings."""
        return self._digest(self.files)

    def whole_fingerprint(self, leave_out: Path | None = None) -> str:
        """The same over every regular file but those in the folder of results, for running the hand-in.

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


def list_files(folder: Path, packed: Mapping[Path, str] = MappingProxyType({})) -> HandIn:
    """Lists the files of a hand-in.

    Args:
        folder: That holds it.
        packed: Where the files would lie that were left in the archive that it came in, and why they were.

    Raises:
        SVHNError: It holds several hand-ins.
    """
    root = descend(folder)
    handin = HandIn(root)
    places = [root, root / "models"]
    inside = [path for place in places if place.is_dir() for path in sorted(place.iterdir())]
    chosen = [
        path
        for path in inside
        if not path.is_dir() and (is_model(path.name) or (path.parent == root and is_of_interest(path.name)))
    ]
    elsewhere = _elsewhere(root, _found(chosen, root))
    for place in sorted({path.parent for path in elsewhere}):
        names = listed([shown_name(path.name) for path in elsewhere if path.parent == place])
        handin.findings.append(f"read from {handin.shown(place)}/, as there are none where they belong: {names}")
    refused = list[Unread]()
    for path in sorted(chosen + elsewhere, key=lambda path: path.name.lower() == "answers.py"):
        kind = kind_of_name(str(path.relative_to(root)))
        if reason := reason_to_refuse(path, root, MOST_BYTES if kind == "models" else TEXT_BYTES):
            holds = MODELS if kind == "models" else TEXTS
            refused.append(Unread(path, f"was not opened: {reason}", holds, model_of(str(path.relative_to(root)))))
        else:
            getattr(handin, kind).append(path)
    handin.findings += [f"{handin.shown(one.path)} {one.reason}" for one in refused[:_MOST_FINDINGS]]
    if len(refused) > _MOST_FINDINGS:
        handin.findings.append(f"and {len(refused) - _MOST_FINDINGS:,} more files were not opened")
    read = {model for path in handin.models if (model := model_of(str(path.relative_to(root))))}
    found = find_unread(root, read, bool(handin.notebooks or handin.written))
    beyond = [
        Unread(path, reason, _holds(path.name))
        for path, reason in packed.items()
        if not (path.is_relative_to(root) and os.path.lexists(path))
    ]
    handin.findings += told((shown_name(one.path.relative_to(folder))[:80], one) for one in beyond)
    handin.findings += told((handin.shown(one.path), one) for one in found)
    handin.unread = refused + found + beyond
    return handin


def _holds(name: str) -> str:
    """The possible content of a file that was left packed."""
    return MODELS if is_model(name) else TEXTS if is_of_interest(name) else ANYTHING


def _kind(path: Path, root: Path) -> tuple[str, ...]:
    """The kind of a file: notebook, written answers, or a model's network, curves or JSON, which may be either."""
    name, suffix = str(path.relative_to(root)), path.suffix.lower()
    kind = kind_of_name(name)
    part = "network" if suffix in NETWORKS else "json" if suffix == ".json" else "curves"
    return (kind, model_of(name) or "", part) if kind == "models" else (kind,)


def _found(paths: list[Path], root: Path) -> set[tuple[str, ...]]:
    """The kinds of file that need not be looked for elsewhere."""
    found = {_kind(path, root) for path in paths}
    for path in paths:
        kind = _kind(path, root)
        # A whole network needs no description: the JSON beside it is its record, with its curves.
        if kind[-1] == "network" and "weights" not in path.name.lower():
            json, curves = (*kind[:2], "json"), (*kind[:2], "curves")
            found |= {json, curves} if found & {json, curves} else set()
    return found


def _elsewhere(root: Path, found: set[tuple[str, ...]]) -> list[Path]:
    """The files of each kind that was not found, in the first other folder that has some.

    Raises:
        SVHNError: Several folders hold work, and nothing says that it is of one hand-in.
    """
    paths: dict[tuple[str, ...], list[Path]] = {}
    for folder, paths_here in sorted(walk(root), key=lambda place: is_aside(place[0].relative_to(root))):
        aside, here = is_aside(folder.relative_to(root)), dict[tuple[str, ...], list[Path]]()
        saved = any(path.name == "saved_model.pb" for path in paths_here)
        for path in () if saved else paths_here:
            if (is_model(str(path.relative_to(root))) and not aside) or is_text(path.name):
                here.setdefault(_kind(path, root), []).append(path)
        for key in here.keys() - found - paths.keys():
            paths[key] = here[key]
    if not found & {("notebooks",), ("written",)}:
        _check_one(root)
    return [path for key in sorted(paths) for path in paths[key]]


def _check_one(root: Path) -> None:
    """Refuses a folder whose folders hold the work of several people, or of one person several times."""
    work = {
        folder: [path.name for path in paths if is_of_interest(path.name)]
        for folder, paths in walk(root)
        if folder != root and not is_aside(folder.relative_to(root))
    }
    # Of folders inside each other the outer one counts.
    folders = [folder for folder, names in work.items() if names and not any(map(work.get, folder.parents))]
    owners = {_owner(folder.relative_to(root)) for folder in folders} - {None}
    notebooks = [folder for folder in folders if any(map(is_notebook, work[folder]))]
    if len(owners) > 1 or len(notebooks) > 1:
        names = listed([shown_name(folder.relative_to(root)) for folder in folders], 3)
        raise SVHNError(
            f"it holds {len(folders)} folders with work ({names}), and nothing says which of them is handed in; keep "
            "one of them, or give each hand-in a folder of its own"
        )


def _owner(folder: PurePath) -> PurePath | None:
    """The outermost folder of a path that is not called by its content, None where all are."""
    ends = range(1, len(folder.parts) + 1)
    return next((PurePath(*folder.parts[:end]) for end in ends if not _OF_CONTENT.search(folder.parts[end - 1])), None)


def descend(folder: Path) -> Path:
    """Where the files are: an archive often holds one folder that holds everything, and some odd files beside it."""
    for _ in range(5):
        if holds_work(folder):
            break
        folders = [path for path in visible(folder) if path.is_dir() and not path.is_symlink()]
        inside = [path for path in folders if holds_work(path)] or folders
        others = [path for path in folders if path not in inside and not is_aside(Path(path.name))]
        if len(inside) != 1 or any(is_text(file.name) for path in others for file in regular_files(path)):
            break
        folder = inside[0]
    return folder


def visible(folder: Path) -> list[Path]:
    """The visible content of a folder, by name; macOS puts files of its own beside it."""
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "__MACOSX"))]


def is_text(name: str) -> bool:
    """Whether a file of that name is a notebook or written answers."""
    return is_of_interest(name) and kind_of_name(name) != "models"


def holds_work(folder: Path) -> bool:
    """Whether anything that is read lies in a folder or in its `models/`."""
    with suppress(OSError):
        return any(is_of_interest(path.name) for path in folder.iterdir()) or is_models_folder(folder)
    return False


def is_models_folder(folder: Path) -> bool:
    """Whether a folder has a folder `models/` with models in it."""
    return (folder / "models").is_dir() and any(is_model(path.name) for path in (folder / "models").iterdir())
