"""Prepares a hand-in for the sandbox: its notebook's sources and a copy of its files."""

import errno
import filecmp
import re
import shutil
from pathlib import Path

import nbformat

from svhn.errors import SVHNError, one_line
from svhn.grading.reading.answers import which_notebook
from svhn.grading.reading.files import walk
from svhn.grading.reading.names import is_notebook
from svhn.notebook.cells import NOTEBOOK, read_notebook
from svhn.sandbox.inside.outputs import clean_markdown
from svhn.sandbox.process import Limits, run_isolated

MOST_NOTEBOOK = 50_000_000  # Bytes of a notebook as handed in.
MOST_BYTES, MOST_FILES = 2_000_000_000, 5_000  # Of a whole hand-in.
# Converters write tags into pages unseen, and the format allows neither empty nor repeated ones.
_TAG = re.compile(r"[\w.: -]{1,200}")
# Of the process that reads a notebook.
_READING = Limits(seconds=120, memory=1_000_000_000)


def find_notebook(hand_in: Path) -> tuple[Path, list[str]]:
    """The notebook of a hand-in that is graded, in its folder or else in the first other one that has some.

    Returns:
        Its path, and where there are several a finding that says so.

    Raises:
        SVHNError: There is none, it is not clear which of several is handed in, or it is too large.
    """
    places = ((parent, [path for path in paths if is_notebook(path.name)])
              for parent, paths in walk(hand_in))  # fmt: skip
    found = next((sorted(paths) for _, paths in sorted(places, key=lambda place: place[0] != hand_in) if paths), [])
    if not found:
        raise SVHNError("there is no notebook")
    path, findings = found[0], []
    if len(found) > 1:
        names = ", ".join(plain_line(path.name) for path in found[:5])
        chosen = run_isolated(which_notebook, found, limits=_READING).get("result")
        # One that is far too large to be read is named below.
        named = [Path(chosen)] if chosen else [path for path in found if path.name == NOTEBOOK.name]
        if not named:
            raise SVHNError(f"there are several notebooks ({names}), and it is not clear which is handed in; keep one")
        path = named[0]
        findings.append(f"{len(found)} notebooks were handed in ({names}): {plain_line(path.name)} was executed")
    if path.stat().st_size > MOST_NOTEBOOK:
        raise SVHNError(f"{path.name} has {path.stat().st_size:,} bytes, over {MOST_NOTEBOOK:,}; clear its outputs")
    return path, findings


def stage(hand_in: Path, folder: Path) -> None:
    """Copies a hand-in's regular files, readable by all, to `folder`; links, whose ends may lie anywhere, are left out.

    Raises:
        SVHNError: It is too large, or cannot be read.
    """
    count = size = 0
    try:
        for parent, originals in walk(hand_in):
            copy = folder / parent.relative_to(hand_in)
            copy.mkdir(exist_ok=True)
            copy.chmod(0o755)
            for original in originals:
                count, size = count + 1, size + original.stat().st_size
                if count > MOST_FILES or size > MOST_BYTES:
                    raise SVHNError(f"it has more than {MOST_FILES:,} files or {MOST_BYTES / 1e9:.0f} GB")
                shutil.copyfile(original, copy / original.name)
                (copy / original.name).chmod(0o644)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise SVHNError(f"it cannot be copied: {error}") from error


def foreign_harness(hand_in: Path) -> list[str]:
    """The finding that a staged hand-in brings a harness of its own, where it differs from the grader's."""
    own, theirs = Path(__file__).parents[1], hand_in / "svhn"
    changed = []
    for path in sorted(path for path in theirs.glob("**/*.py") if path.is_file()):
        counterpart = own / path.relative_to(theirs)
        if not counterpart.is_file() or not filecmp.cmp(path, counterpart, shallow=False):
            changed.append(plain_line(str(path.relative_to(hand_in))))
    if not changed:
        return []
    names = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    return [f"brings its own version of the course's harness ({names}); the grader's was used instead"]


def bare_notebook(path: Path) -> nbformat.NotebookNode:
    """The notebook's sources and tags in a form that is surely valid.

    Stored outputs were put out by nobody knows what: neither the sandbox nor the executed copy gets them.
    """
    reply = run_isolated(_sources, path, limits=_READING)
    if "fault" in reply:
        raise RuntimeError(plain_line(reply["fault"]))
    if "refused" in reply:
        raise SVHNError(reply["refused"])
    bare = nbformat.v4.new_notebook()
    bare.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    makers = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    for index, (kind, source, tags) in enumerate(reply["result"]):
        make = makers.get(kind, nbformat.v4.new_raw_cell)
        bare.cells.append(make(source, id=f"cell-{index}", metadata={"tags": tags} if tags else {}))
    return bare


def harmless_copy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A bare notebook whose texts, too, can do nothing to a page that shows them.

    A converter would put raw cells into its pages as they are; of a type that none of them makes, it leaves them out.
    """
    harmless = nbformat.from_dict(notebook)
    for cell in harmless.cells:
        if cell.cell_type == "markdown":
            cell.source = clean_markdown(cell.source)
        elif cell.cell_type == "raw":
            cell.metadata["raw_mimetype"] = "text/plain"
    return harmless


def _sources(path: Path) -> list[tuple[str, str, list[str]]]:
    """Each cell's kind, source and tags; in a process of its own, as a file of few megabytes may ask for gigabytes."""
    try:
        notebook = read_notebook(path)
    except SVHNError as error:
        raise SVHNError(f"{path.name} is not a readable notebook") from error
    cells = []
    try:
        for cell in notebook.cells:
            tags = cell.get("metadata", {}).get("tags") or []
            tags = [tag for tag in tags if isinstance(tag, str) and _TAG.fullmatch(tag)] if type(tags) is list else []
            cells.append((str(cell["cell_type"]), str(cell["source"]), list(dict.fromkeys(tags))))
    except (AttributeError, KeyError, TypeError) as error:
        raise SVHNError(f"the notebook's cells are not as the format has them ({one_line(error)})") from error
    return cells


def plain_line(text: str) -> str:
    """Untrusted text as part of one line: printable, and cut where it is long."""
    return one_line(printable(text))


def printable(text: str) -> str:
    """Untrusted text with a space for every character that is no sign on paper, half a pair of surrogates included."""
    return "".join(character if character.isprintable() else " " for character in text)
