"""Executes a hand-in's notebook in the sandbox, training off, and tells its attempts in plain words."""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import nbformat

from svhn.data.sources import source_files
from svhn.errors import SVHNError
from svhn.files import temporary_folder
from svhn.grading.facts import Execution
from svhn.grading.staging import (
    bare_notebook,
    find_notebook,
    foreign_harness,
    harmless_copy,
    plain_line,
    printable,
    stage,
)
from svhn.notebook.execution import write_notebook
from svhn.sandbox.bubblewrap import Confined, run_confined, sandbox_problem
from svhn.sandbox.inside.outputs import clean_output
from svhn.sandbox.inside.runner import HAND_IN
from svhn.sandbox.mounts import HARNESS, WORK, inside_python
from svhn.sandbox.watch import SHORT_OF_MEMORY, Limits
from svhn.settings import Settings, variable_of

EXECUTED = "executed.ipynb"
_MOST_FINDINGS = 40
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
# Causes in the sandbox of a cell's error.
_CAUSES = (
    (r"MemoryError|bad_alloc|Cannot allocate memory|Unable to allocate", "the limit on memory"),
    (r"No space left on device|File too large", "the limit on disk"),
    (r"Resource temporarily unavailable|can't start new thread", "the limit on processes and threads"),
    (r"Network is unreachable|Connection refused|URLError|gaierror|Name or service|resolution", "no network"),
    (r"OSError: \[Errno 95\]|Address family|Protocol not supported", "no such network"),
    (r"Read-only file system", "nothing outside its own folder can be changed"),
    (r"Operation not permitted|Permission denied", "the sandbox allows no such thing"),
)
_TRAINING = re.compile(r"^(?:\x1b\[\d+m)?(?:Training the model|Epoch 1/\d+)", re.M)


def execute_hand_in(hand_in: Path, out: Path, limits: Limits | None = None, source: str | None = None) -> Execution:
    """Executes a hand-in's notebook in a sandbox and writes the executed copy, EXECUTED, to `out`.

    The cells run on the digits of the source, with the grader's own harness and training turned off;
    after a cell that fails, the next is run. Everything in the result comes from untrusted code: show it as text.

    Args:
        hand_in: The folder handed in. Nothing in it is changed.
        out: Where the executed copy is written to.
        limits: Of the execution, None for the defaults.
        source: Of the digits, as `load_digits` takes it; None for that of the environment.

    Raises:
        SVHNError: There is no working sandbox, or `out` cannot be written to.
    """
    if problem := sandbox_problem():
        raise SVHNError(problem)
    digits = _digits(source)
    started = time.monotonic()
    try:
        path, several = find_notebook(hand_in)
        notebook = bare_notebook(path)
        with temporary_folder("svhn-hand-in-") as staged:
            stage(hand_in, staged)
            write_notebook(notebook, staged / path.name)
            (staged / path.name).chmod(0o644)
            findings = several + foreign_harness(staged)
            confined = _run(staged, path.name, digits, limits or Limits())
    except SVHNError as error:
        if problem := sandbox_problem():
            raise SVHNError(problem) from error
        reason = printable(f"not executed: {error}")
        return Execution(ran=False, seconds=0.0, findings=[reason], notebook=None)
    events = _lines_of_json(confined.output)
    notebook = harmless_copy(notebook)
    running = _fill(notebook, events)
    end = _end(confined, events)
    faults = _failed_cells(notebook) + _endings(notebook, confined, running, end, events)
    # A hand-in can make as many attempts as it likes; they must not push out faults.
    findings += [*faults, *_trained(notebook), *_attempts(confined)]
    seconds = round(time.monotonic() - started, 1)
    notebook.metadata["svhn"] = {"seconds": seconds}
    write_notebook(notebook, Path(out) / EXECUTED)
    if len(findings) > _MOST_FINDINGS:
        findings[_MOST_FINDINGS:] = [f"and {len(findings) - _MOST_FINDINGS} more findings"]
    return Execution(
        ran=end == "done" and not faults,
        seconds=seconds,
        findings=findings,
        notebook=EXECUTED,
        faults=int(confined.stopped == SHORT_OF_MEMORY),
    )


def _digits(source: str | None) -> tuple[str, dict[Path, Path]]:
    """The setting of the digits inside, and where inside their files are, {path inside: path outside}."""
    setting, files = source_files(source or Settings.choose().data)
    if setting.endswith((".npz", ".parquet")):
        if not files:
            raise SVHNError(f"{setting}: no such file; check the path, or use openml, mat or drawn")
        inside = Path("/digits") / files[0].name
        return str(inside), {inside: files[0].resolve()}
    return setting, {WORK / "data" / path.name: path.resolve() for path in files}


def _run(folder: Path, name: str, digits: tuple[str, dict[Path, Path]], limits: Limits) -> Confined:
    setting, files = digits
    environment = {
        variable_of("data"): setting,
        "PYTHONPATH": str(HARNESS),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "TQDM_DISABLE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # A choice of the grader's, and no secret.
    environment |= {name: os.environ[name] for name in ("KERAS_BACKEND",) if name in os.environ}
    # The check of a notebook's form would spend two seconds on the grammar of web addresses.
    skip = "sys.modules['rfc3987_syntax'] = None"
    start = "from svhn.sandbox.inside.runner import main; main()"
    code = f"import sys; {skip}; sys.path.insert(0, {str(HARNESS)!r}); {start}"
    command: list[str | Path] = [inside_python(), "-I", "-c", code, name, str(limits.output // 2)]
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


def _end(confined: Confined, events: list[dict[str, Any]]) -> str | None:
    """The last word of the program that runs the cells; None where it did not end by itself."""
    said = [str(event["end"]) for event in events if "end" in event]
    return said[-1] if said and not confined.stopped and confined.status == 0 else None


def _is_startup_note(output: nbformat.NotebookNode) -> bool:
    """Whether an output is nothing but TensorFlow's news, at its import, of drivers and the processor."""
    news = ("absl::InitializeLog", "Could not find cuda drivers", "oneDNN custom operations are on")
    lines = output.text.splitlines() if output.get("name") == "stderr" else [""]
    return all(any(part in line for part in news) for line in lines)


def _is_code_cell(notebook: nbformat.NotebookNode, index: Any) -> bool:
    return type(index) is int and 0 <= index < len(notebook.cells) and notebook.cells[index].cell_type == "code"


def _failed_cells(notebook: nbformat.NotebookNode) -> list[str]:
    """A finding for each cell that failed by itself; cells that failed only because of it are counted."""
    findings: dict[int, str] = {}
    followers: dict[int, list[int]] = {}
    roots: dict[int, int] = {}  # Each failed cell's first cause, in the order of the cells.
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type != "error":
                continue
            text = f"{output.ename}: {output.evalue}"
            missing = re.match(r"NameError: name '(\w+)' is not defined", text)
            origin = next((at for at in roots if missing and _names(notebook.cells[at], missing[1])), None)
            if origin is None:
                cause = next((f" ({cause})" for pattern, cause in _CAUSES if re.search(pattern, text)), "")
                findings[index] = f"{_place(notebook, index)} failed with {plain_line(text)}{cause}"
                roots[index] = index
            else:
                followers.setdefault(roots[origin], []).append(index)
                roots.setdefault(index, roots[origin])
    return [finding + _followers(notebook, followers.get(index, [])) for index, finding in findings.items()]


def _names(cell: nbformat.NotebookNode, name: str) -> bool:
    return re.search(rf"\b{name}\b", cell.source) is not None


def _followers(notebook: nbformat.NotebookNode, cells: list[int]) -> str:
    places = [_place(notebook, index) for index in cells]
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return f"; what it would have defined is missing in {', '.join(places[:3])}{more}" if places else ""


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
        return [f"{place} could not be executed: {plain_line(str(reason))}"]
    return [f"{place} ended the program that runs it (exit status {confined.status}); the cells after it did not run"]


def _attempts(confined: Confined) -> list[str]:
    """The attempts that the kernel saw, each once."""
    findings: dict[str, None] = {}
    for event in _lines_of_json(confined.errors):
        sentence = _ATTEMPTS.get(str(event.get("attempt")))
        if sentence:
            findings[sentence.format(plain_line(str(event.get("what"))))] = None
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
    return f"code cell {number}" + (f" ({plain_line(tags[-1])})" if tags else "")
