"""Executes a hand-in's notebook in the sandbox, training off, and says in plain words what it was up to."""

import errno
import filecmp
import json
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat

from svhn import isolation
from svhn.cell_outputs import clean_output
from svhn.cell_runner import HAND_IN
from svhn.errors import SVHNError, one_line
from svhn.execution import write_notebook
from svhn.handins import walk
from svhn.notebook import NOTEBOOK, read_notebook
from svhn.sandbox import (
    HARNESS,
    SHORT_OF_MEMORY,
    WORK,
    Confined,
    Limits,
    inside_python,
    run_confined,
    sandbox_problem,
)
from svhn.sources import SOURCE_VARIABLE, source_files

EXECUTED = "executed.ipynb"
MOST_NOTEBOOK = 50_000_000  # Bytes of a notebook as handed in.
MOST_BYTES, MOST_FILES = 2_000_000_000, 5_000  # Of a whole hand-in.
_MOST_FINDINGS = 40
# Of the process that reads a notebook.
_READING = isolation.Limits(seconds=120, memory=1_000_000_000)
_ATTEMPTS = {
    "read": "tried to read {}, which is not there in the sandbox",
    "process": "tried to look into another process ({})",
    "write": "tried to change {}, outside its folder; the sandbox has nothing there that can be changed",
    "harness": "tried to overwrite the course's harness ({}); the grader's own is read-only and was used",
    "connect": "tried to connect to {}; the sandbox has no network",
    "lookup": "asked the network for {}; the sandbox has none",
    "kill": "tried to kill {}; only processes of the sandbox can be reached",
    "run": "started another program, confined like itself: {}",
    "unpickle": "unpickled data that call {}, as no pickle of plain values does; the sandbox contained it",
}
# What an error of a cell says about the sandbox.
_CAUSES = (
    (r"MemoryError|bad_alloc|Cannot allocate memory|Unable to allocate", "the limit on memory"),
    (r"No space left on device|File too large", "the limit on disk"),
    (r"Resource temporarily unavailable|can't start new thread", "the limit on processes and threads"),
    (r"Network is unreachable|Connection refused|URLError|gaierror|Name or service|resolution", "no network"),
    (r"Read-only file system", "nothing outside its own folder can be changed"),
    (r"Operation not permitted|Permission denied", "the sandbox allows no such thing"),
)
_TRAINING = re.compile(r"^(?:\x1b\[\d+m)?(?:Training the model|Epoch 1/\d+)", re.M)


def execute_hand_in(hand_in: Path, out: Path, limits: Limits | None = None) -> dict[str, Any]:
    """Executes a hand-in's notebook in a sandbox and writes the executed copy, EXECUTED, to `out`.

    The cells run on the digits that this process would load, with the grader's own harness and training turned off;
    after a cell that fails, the next is run. Everything in the result comes from untrusted code: show it as text.

    Args:
        hand_in: The folder handed in. Nothing in it is changed.
        out: Where the executed copy is written to.
        limits: What the execution may use, None for the defaults.

    Returns:
        `ran`, whether all cells ran to the end without an error; `seconds`, how long it took; `findings`, one line for
        each fault, attack or limit; `notebook`, the executed copy's file name, None where there was nothing to execute;
        `faults`, how many of the findings may be this machine's doing.

    Raises:
        SVHNError: There is no working sandbox, or `out` cannot be written to.
    """
    if problem := sandbox_problem():
        raise SVHNError(problem)
    digits = _digits()
    started = time.monotonic()
    try:
        path = find_notebook(hand_in)
        notebook = _bare(path)
        with tempfile.TemporaryDirectory(prefix="svhn-hand-in-") as folder:
            staged = Path(folder)
            stage(hand_in, staged)
            write_notebook(notebook, staged / path.name)
            (staged / path.name).chmod(0o644)
            findings = foreign_harness(staged)
            confined = _run(staged, path.name, digits, limits or Limits())
    except SVHNError as error:
        if problem := sandbox_problem():
            raise SVHNError(problem) from error
        return {"ran": False, "seconds": 0.0, "findings": [f"not executed: {error}"], "notebook": None, "faults": 0}
    events = _lines_of_json(confined.output)
    running = _fill(notebook, events)
    end = next((str(event["end"]) for event in reversed(events) if "end" in event), None)
    faults = _failed_cells(notebook) + _endings(notebook, confined, running, end, events)
    findings += [*_attempts(confined), *faults, *_trained(notebook)]
    seconds = round(time.monotonic() - started, 1)
    notebook.metadata["svhn"] = {"seconds": seconds}
    write_notebook(notebook, Path(out) / EXECUTED)
    if len(findings) > _MOST_FINDINGS:
        findings[_MOST_FINDINGS:] = [f"and {len(findings) - _MOST_FINDINGS} more findings"]
    return {
        "ran": end == "done" and not faults,
        "seconds": seconds,
        "findings": findings,
        "notebook": EXECUTED,
        "faults": int(confined.stopped == SHORT_OF_MEMORY),
    }


def find_notebook(hand_in: Path) -> Path:
    """The notebook of a hand-in: the project's name for it, else the only one in its folder.

    Raises:
        SVHNError: There is none, there are several, or it is too large.
    """
    found = sorted(path for path in Path(hand_in).glob("*.ipynb") if path.is_file() and not path.is_symlink())
    path = next((path for path in found if path.name == NOTEBOOK.name), found[0] if len(found) == 1 else None)
    if path is None:
        names = ", ".join(path.name for path in found[:5])
        raise SVHNError(f"there are several notebooks ({names}); keep one" if found else "there is no notebook")
    if path.stat().st_size > MOST_NOTEBOOK:
        raise SVHNError(f"{path.name} has {path.stat().st_size:,} bytes, over {MOST_NOTEBOOK:,}; clear its outputs")
    return path


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
    own, theirs = Path(__file__).parent, hand_in / "svhn"
    changed = []
    for path in sorted(path for path in theirs.glob("**/*.py") if path.is_file()):
        counterpart = own / path.relative_to(theirs)
        if not counterpart.is_file() or not filecmp.cmp(path, counterpart, shallow=False):
            changed.append(_plain(str(path.relative_to(hand_in))))
    if not changed:
        return []
    names = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    return [f"brings its own version of the course's harness ({names}); the grader's was used instead"]


def _digits() -> tuple[str, dict[Path, Path]]:
    """The setting of the digits inside, and where inside their files are, {path inside: path outside}."""
    setting, files = source_files()
    if setting.endswith(".npz"):
        if not files:
            raise SVHNError(f"{setting}: no such file; check the path, or use openml, mat or drawn")
        inside = Path("/digits") / files[0].name
        return str(inside), {inside: files[0].resolve()}
    return setting, {WORK / "data" / path.name: path.resolve() for path in files}


def _run(folder: Path, name: str, digits: tuple[str, dict[Path, Path]], limits: Limits) -> Confined:
    setting, files = digits
    environment = {
        SOURCE_VARIABLE: setting,
        "PYTHONPATH": str(HARNESS),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # A choice of the grader's, and no secret.
    environment |= {name: os.environ[name] for name in ("KERAS_BACKEND",) if name in os.environ}
    # What checks a notebook's form would spend two seconds on the grammar of web addresses, did it find it.
    skip = "sys.modules['rfc3987_syntax'] = None"
    code = f"import sys; {skip}; sys.path.insert(0, {str(HARNESS)!r}); from svhn.cell_runner import main; main()"
    command = [inside_python(), "-I", "-c", code, name, str(limits.output // 2)]
    return run_confined(command, {HAND_IN: folder, **files}, environment, limits)


def _lines_of_json(content: bytes) -> list[dict[str, Any]]:
    """The JSON objects among untrusted lines; whatever else is there is passed over."""
    events = []
    for line in content.split(b"\n"):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def _bare(path: Path) -> nbformat.NotebookNode:
    """The notebook's sources and tags in a form that is surely valid.

    Stored outputs were put out by nobody knows what: neither the sandbox nor the executed copy gets them.
    """
    reply = isolation.run_isolated(_sources, path, limits=_READING)
    if "fault" in reply:
        raise RuntimeError(_plain(reply["fault"]))
    if "refused" in reply:
        raise SVHNError(reply["refused"])
    bare = nbformat.v4.new_notebook()
    bare.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    makers = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    for index, (kind, source, tags) in enumerate(reply["result"]):
        make = makers.get(kind, nbformat.v4.new_raw_cell)
        bare.cells.append(make(source, id=f"cell-{index}", metadata={"tags": tags} if tags else {}))
    return bare


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
            valid = isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)
            cells.append((str(cell["cell_type"]), str(cell["source"]), tags if valid else []))
    except (AttributeError, KeyError, TypeError) as error:
        raise SVHNError(f"the notebook's cells are not as the format has them ({one_line(error)})") from error
    return cells


def _fill(notebook: nbformat.NotebookNode, events: list[dict[str, Any]]) -> int | None:
    """Gives outputs to the cells they belong to; returns the cell that started and did not end, by index."""
    running = None
    for event in events:
        if _is_code_cell(notebook, event.get("started")):
            running = event["started"]
        elif _is_code_cell(notebook, event.get("cell")) and isinstance(event.get("outputs"), list):
            cell, count = notebook.cells[event["cell"]], event.get("execution_count")
            cell.execution_count = count if type(count) is int else None
            kept = [cleaned for output in event["outputs"] if (cleaned := clean_output(output))]
            outputs = map(nbformat.from_dict, kept)
            cell.outputs = [output for output in outputs if not _is_startup_note(output)]
            running = None
    return running


def _is_startup_note(output: nbformat.NotebookNode) -> bool:
    """Whether an output is nothing but TensorFlow's news, at its import, of drivers and the processor."""
    news = ("absl::InitializeLog", "Could not find cuda drivers", "oneDNN custom operations are on")
    lines = output.text.splitlines() if output.get("name") == "stderr" else [""]
    return all(any(part in line for part in news) for line in lines)


def _is_code_cell(notebook: nbformat.NotebookNode, index: Any) -> bool:
    return type(index) is int and 0 <= index < len(notebook.cells) and notebook.cells[index].cell_type == "code"


def _failed_cells(notebook: nbformat.NotebookNode) -> list[str]:
    findings = []
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                text = f"{output.ename}: {output.evalue}"
                cause = next((f" ({cause})" for pattern, cause in _CAUSES if re.search(pattern, text)), "")
                findings.append(f"{_place(notebook, index)} failed with {_plain(text)}{cause}")
    return findings


def _endings(
    notebook: nbformat.NotebookNode, confined: Confined, running: int | None, end: str | None, events: list[dict]
) -> list[str]:
    """Why the execution ended before the notebook did, if so."""
    place = _place(notebook, running) if running is not None else "the notebook"
    if confined.stopped:
        return [f"{place} was stopped: it {confined.stopped}"]
    if end == "done":
        return []
    if end == "flooded":
        return [f"{place} was stopped: it printed far more than anyone could read"]
    if end == "died":
        return [f"{place} killed its own kernel, or the kernel ran out of memory; the cells after it did not run"]
    if end == "broken":
        reason = next((event.get("reason") for event in reversed(events) if "reason" in event), "")
        return [f"{place} could not be executed: {_plain(str(reason))}"]
    return [f"{place} ended the program that runs it (exit status {confined.status}); the cells after it did not run"]


def _attempts(confined: Confined) -> list[str]:
    """What the kernel saw the notebook try, each once."""
    findings = {}
    for event in _lines_of_json(confined.errors):
        sentence = _ATTEMPTS.get(str(event.get("attempt")))
        if sentence:
            findings[sentence.format(_plain(str(event.get("what"))))] = None
    return list(findings)


def _trained(notebook: nbformat.NotebookNode) -> list[str]:
    cells = [
        _place(notebook, index)
        for index, cell in enumerate(notebook.cells)
        if any(_TRAINING.search(output.get("text", "")) for output in cell.get("outputs", []))
    ]
    return [f"{', '.join(cells[:5])} trained, although training is turned off"] if cells else []


def _place(notebook: nbformat.NotebookNode, index: int) -> str:
    """A cell as a reader finds it: its number among the code cells, and its last tag."""
    number = sum(cell.cell_type == "code" for cell in notebook.cells[: index + 1])
    tags = notebook.cells[index].metadata.get("tags")
    return f"code cell {number}" + (f" ({_plain(tags[-1])})" if tags else "")


def _plain(text: str) -> str:
    """Untrusted text as part of one line: printable, and cut where it is long."""
    return one_line("".join(character if character.isprintable() else " " for character in text))
