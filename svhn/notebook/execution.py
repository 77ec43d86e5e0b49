"""Executes the notebook, and writes its executed copy and its plots."""

import asyncio
import atexit
import base64
import copy
import hashlib
import json
import re
import signal
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from tqdm import tqdm

from svhn.digits import Digits
from svhn.errors import SVHNError, one_line
from svhn.files import CHECKPOINTS, atomic_path, write_json, write_text
from svhn.notebook.cells import NOTEBOOK, code_cells, load_definitions, parameters, read_notebook
from svhn.notebook.kernel import kernel
from svhn.settings import Settings, settled
from svhn.typed import read_json

CELL_SECONDS = 3600
_SVG = "image/svg+xml"
# The greatest size of an SVG in characters. Lines and letters take fewer; photos gain nothing over PNG.
_MOST_SVG = 150_000


def execute_notebook(path: Path = NOTEBOOK, settings: Settings | None = None) -> nbformat.NotebookNode:
    """Executes a notebook in a fresh kernel, in the notebook's folder, with a progress bar over its cells.

    A cell may take an hour. A notebook that is set to train has no such limit.

    Args:
        path: The notebook; the file itself is left as it is.
        settings: The settings of the run, put into a cell of its own below the parameters cell; None means those of
            the parameters cell.

    Returns:
        The notebook with its outputs; `metadata.svhn` holds the seconds that it ran.

    Raises:
        SVHNError: A cell failed; the line names it and its error.
    """
    notebook = read_notebook(path)
    injected = _inject(notebook, settings, parameters(path)) if settings else None
    timeout = CELL_SECONDS if parameters(path).get("stop_training", True) else None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    started = time.monotonic()
    _execute(notebook, path, timeout)
    seconds = time.monotonic() - started
    if injected:
        notebook.cells.remove(injected)
    notebook.metadata["svhn"] = {"seconds": round(seconds, 2)}
    for cell in notebook.cells:
        # The times of the cells are of no use to a reader, and would make every execution differ from the last.
        cell.metadata.pop("execution", None)
    return notebook


def _execute(notebook: nbformat.NotebookNode, path: Path, timeout: int | None) -> None:
    total, begun = sum(cell.cell_type == "code" for cell in notebook.cells), []
    terminated = signal.getsignal(signal.SIGTERM)

    def begin(notebook: nbformat.NotebookNode) -> None:
        begun.append(notebook)
        # Ctrl-C and SIGTERM are for the caller. nbclient would handle them, and fail at that.
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)
        signal.signal(signal.SIGTERM, terminated)

    with (
        tqdm(total=total, desc="executing the notebook", unit="cell", file=sys.stderr) as bar,
        settled() as environment,
        kernel(path.parent, environment) as place,
    ):
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",
            resources={"metadata": {"path": str(path.parent)}},
            shutdown_kernel="immediate",  # A kernel that is asked to shut down may print a traceback.
            on_notebook_start=begin,
            on_cell_start=lambda cell, cell_index: bar.set_postfix_str(_tag(cell, "")),
            on_cell_executed=lambda cell, cell_index, execute_reply: bar.update(),
            **place.settings,
        )
        try:
            client.execute(**place.start)
        except (CellExecutionError, RuntimeError, OSError) as error:
            if not begun:
                # nbclient has cleaned up after the kernel. At the end of this process it would fail at a second time.
                atexit.unregister(client._cleanup_kernel)
                reason = one_line(place.complaint() or error)
                raise SVHNError(
                    f"{path}: its kernel does not start ({reason}); free some memory and disk, or delete .venv and "
                    "install again: make run"
                ) from error
            raise SVHNError(f"{path}, {_failed_cell(notebook)}: {_failure(error, path)}") from error


def _failure(error: Exception, path: Path) -> str:
    """The reason why a cell of a notebook failed, and the remedy."""
    if not isinstance(error, CellExecutionError):  # The death of a kernel is a RuntimeError.
        reason = "ran out of time" if isinstance(error, CellTimeoutError) else "the kernel died, out of memory?"
        return f"{reason}; run it in Jupyter to see more"
    # An SVHNError is one line already, and ends with its remedy.
    ours = error.ename == "SVHNError"
    return f"{error.ename}: {error.evalue if ours else f'{one_line(error.evalue)}; open {path} and run that cell'}"


def _inject(
    notebook: nbformat.NotebookNode, settings: Settings, written: dict[str, Any]
) -> nbformat.NotebookNode | None:
    """Inserts a cell with the settings that differ from the parameters cell, as papermill does; None without any."""
    lines = [f"{name} = {value!r}" for name, value in asdict(settings).items() if written.get(name) != value]
    places = [index for index, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
    if not lines or not places:
        return None
    cell = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": ["injected-parameters"]})
    notebook.cells.insert(places[0] + 1, cell)
    return cell


def train_models(names: list[str], digits: Digits, settings: Settings, path: Path = NOTEBOOK) -> None:
    """Trains models and comparisons by the notebook's `run` cells. After a kill it goes on with the first unfinished.

    Args:
        names: The names of the models and comparisons, in the order of `trainable_names`.
        digits: The digits that the notebook will train on.
        settings: The settings of the run.
        path: The notebook.
    """
    cells = [cell.source for cell in code_cells(path, "parameters")]
    plan = {"names": names, "digits": digits.fingerprint, "parameters": cells, **asdict(settings)}
    # Each plan has a note of its own: a killed training of all remembers its finished models, whatever is trained then.
    digest = hashlib.sha256(json.dumps(plan).encode()).hexdigest()
    note = Path("models") / CHECKPOINTS / f"training-{digest[:16]}.json"
    try:
        finished = read_json(note, list[str], "")
    except SVHNError:  # Nothing was finished before, or the note is damaged.
        finished = []
    if finished:
        print(f"finished before: {', '.join(finished)}; to train them anew, delete {note}")
    for name in [name for name in names if name not in finished]:
        with settled():
            load_definitions(path, "data", name, stop_training=False, **asdict(settings))
        finished.append(name)
        write_json(note, finished)
    note.unlink(missing_ok=True)


def write_notebook(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Writes a notebook, whole or not at all, without its plots' SVGs, which would double its size."""
    notebook = copy.deepcopy(notebook)
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        output.get("data", {}).pop(_SVG, None)
    write_text(path, nbformat.writes(notebook) + "\n")


def write_figures(notebook: nbformat.NotebookNode, folder: Path) -> list[Path]:
    """Writes every plot of an executed notebook as PNG and, if that is small, as SVG, and removes earlier ones.

    Args:
        notebook: The executed notebook.
        folder: The folder to write to, in files of the names of `named_plots`.

    Returns:
        The written files, in the notebook's order.

    Raises:
        SVHNError: The notebook shows no plot, because its execution went wrong.
    """
    plots = named_plots(notebook)
    if not plots:
        raise SVHNError("the executed notebook shows no plots as PNG, and none are replaced; restore it from git")
    written = []
    for name, output in plots:
        contents = {".png": base64.b64decode(output["data"]["image/png"])}
        drawn = output["data"].get(_SVG, "")
        if 0 < len(drawn) < _MOST_SVG and drawn.count("<image") <= 1:
            # The time of drawing would make another file of the same plot.
            contents[".svg"] = re.sub(r"<dc:date>.*?</dc:date>", "", drawn).encode()
        for suffix, content in contents.items():
            with atomic_path(folder / f"{name}{suffix}") as temporary:
                temporary.write_bytes(content)
            written.append(folder / f"{name}{suffix}")
    tags = {"figure"} | {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
    for path in (*folder.glob("*.png"), *folder.glob("*.svg")):
        # The cell of these draws fewer plots now, or none. Files of no cell stay.
        if path not in written and re.sub(r"-\d+$", "", path.stem) in tags:
            path.unlink()
    return written


def named_plots(notebook: nbformat.NotebookNode) -> list[tuple[str, nbformat.NotebookNode]]:
    """The plots among a notebook's outputs, in order, each with the name of its file: its cell's last tag.

    Several plots of one name are numbered.
    """
    plots = [
        (_tag(cell, "figure"), output)
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    of_a_name = Counter(tag for tag, _ in plots)
    so_far: Counter[str] = Counter()
    named = []
    for tag, output in plots:
        so_far[tag] += 1
        named.append((f"{tag}-{so_far[tag]}" if of_a_name[tag] > 1 else tag, output))
    return named


def last_modified(*paths: Path) -> str:
    """The time of the last change to any of some files, YYYY-MM-DD HH:MM:SS."""
    youngest = max(path.stat().st_mtime for path in paths if path.exists())
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(youngest))


def _failed_cell(notebook: nbformat.NotebookNode) -> str:
    """The place where an execution stopped: the last executed cell, and the heading above it."""
    heading, place = "the top", "the top"
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := re.findall(r"^#+ (.+)$", cell.source, re.M)):
            heading = found[-1]
        elif cell.cell_type == "code" and cell.get("execution_count"):
            place = f"section {heading!r}, cell {_tag(cell, '?')!r}"
    return place


def _tag(cell: nbformat.NotebookNode, without: str) -> str:
    """A cell's last tag, by which people know it. JupyterLab leaves an empty list where a tag was removed."""
    return (cell.metadata.get("tags") or [without])[-1]
