"""Finds hand-ins and their files, in folders and archives; reads nothing that lies outside a hand-in."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from svhn.errors import SVHNError, listed
from svhn.files import temporary_folder
from svhn.grading.reading.archives import CACHES, names_in, unpack
from svhn.grading.reading.contents import (
    HandIn,
    descend,
    holds_work,
    is_models_folder,
    is_text,
    list_files,
    visible,
)
from svhn.grading.reading.names import file_name, is_archive, is_notebook, is_of_interest, is_wanted, shown_name

# The names of the course's own files, beside which each hand-in has a folder of its name.
_RESULTS = ("manual.csv", "grades.csv", "index.html")
# As "doejane_12345_678_Assignment3.ipynb".
_OF_A_PLATFORM = re.compile(r"(?:^|[ _-])(\d{5,})[ _-].*\w")


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
        if path.is_file() and not is_archive(path.name):
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
    with suppress(OSError, SVHNError):  # Why a folder cannot be read is told when the hand-in is opened.
        if folder.is_dir() and not folder.is_symlink() and not holds_work(descend(folder)):
            archives = [path for path in visible(folder) if _is_archive(path)]
            return archives[0] if len(archives) == 1 else None
    return None


@contextmanager
def opened(path: Path, whole: bool = False) -> Iterator[HandIn]:
    """The files of a hand-in; those of an archive are unpacked for as long as the block lasts.

    Args:
        path: A folder or an archive.
        whole: Whether to unpack also files that grading does not read, for running the hand-in.

    Raises:
        SVHNError: It is a link or hidden, or holds several hand-ins, or the archive is damaged, of a kind that is not
            unpacked, or unpacking it would do harm.
    """
    if path.is_symlink():
        raise SVHNError("it is a link to another place, which is not followed; put the folder itself here")
    if path.is_dir() and path.name.startswith("."):
        raise SVHNError("it is a hidden folder, which is not looked into; call it by a name that starts with no dot")
    if path.is_dir():
        yield list_files(path)
        return
    with temporary_folder("svhn-handin-") as temporary:
        findings, packed = unpack(path, temporary, is_wanted, whole)
        handin = list_files(temporary, packed)
        handin.findings += findings
        yield handin


def _course(path: Path, leave_out: Path | None) -> list[Path]:
    skipped = leave_out.resolve() if leave_out else None
    chosen = [item for item in sorted(path.iterdir()) if item != skipped and _is_entry(item)]
    return chosen or [path]


def _is_entry(item: Path) -> bool:
    """Whether something in a course's folder was handed in, be it in a form that is refused."""
    if item.name.startswith("__MACOSX") or item.name in CACHES or item.name.startswith("._"):
        return False
    if item.is_symlink():
        return not item.exists() or item.is_dir() or is_archive(item.name)
    if item.name.startswith("."):
        return item.is_dir() and holds_work(item)
    return item.is_dir() or _is_archive(item)


def _is_archive(path: Path) -> bool:
    return is_archive(path.name) and path.is_file() and not path.is_symlink()


def _is_handin(folder: Path) -> bool:
    """Whether a folder is a hand-in.

    Raises:
        SVHNError: It is one and holds hand-ins as well, so that one of them would be graded and the others not; or it
            holds the notebooks of several people, as a learning platform names them.
    """
    notebooks = [path.name for path in visible(folder) if is_notebook(path.name)]
    loose = {name: found[1] for name in notebooks if (found := _OF_A_PLATFORM.search(name))}
    if len(set(loose.values())) > 1:
        raise SVHNError(
            f"{shown_name(folder)}: {len(loose)} notebooks in it are named as a learning platform names hand-ins "
            f"({listed([shown_name(name) for name in loose], 3)}); put each into a folder of its own"
        )
    own = sorted(path.name for path in folder.iterdir() if path.is_file() and is_of_interest(path.name))
    inside = [path for path in visible(folder) if not path.is_symlink() and _has_texts(path)]
    if folder / "models" in inside and not own:
        return False  # Somebody's folder is called so.
    if (own or is_models_folder(folder)) and len(inside) > 1:
        what = own[0] if own else "models"
        raise SVHNError(
            f"{shown_name(folder)}: {shown_name(what)} in it makes it a hand-in, and so do {len(inside)} folders or "
            f"archives in it ({', '.join(shown_name(path.name) for path in inside[:3])}); put {shown_name(what)} "
            "elsewhere, or name the hand-ins one by one"
        )
    return bool(own) or is_models_folder(folder) or not any(folder.iterdir())


def _has_texts(path: Path) -> bool:
    """Whether a folder or a `.zip` file holds a notebook or written answers, as a hand-in does."""
    if not path.is_dir():
        return _is_archive(path) and any(map(is_text, names_in(path)))
    with suppress(OSError):
        return any(is_text(item.name) for item in path.iterdir())
    return False
