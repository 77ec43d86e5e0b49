"""Runs a hand-in's notebook cell by cell, inside the sandbox, and reports each cell's outputs on standard output.

Each line is a JSON object. Whatever ends the sandbox, the cells that had run by then are known outside.
"""

import ctypes
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

from svhn.sandbox.inside.outputs import clean_output

HAND_IN = Path("/hand-in")  # The hand-in's path inside, read-only.
TRAINING_OFF = "stop_training = True  # Set by the grader.\n"
MOST_OF_A_CELL = 3_000_000  # Characters of a cell's outputs that are kept.
_COPIED = 8_000_000  # Bytes. Larger files, such as stored models, become links to the original.
_KERNEL = "hand-in"
_PR_SET_DUMPABLE = 4


def main() -> None:
    """Runs the notebook that the first argument names. The second argument is the number of bytes it may put out."""
    # No process of the notebook can look into this one or write to its memory.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    channel = os.dup(1)
    os.dup2(2, 1)
    runner = _Runner(channel, int(sys.argv[2]))
    try:
        copy_hand_in(HAND_IN, Path.cwd())
        runner.run(training_off(nbformat.read(HAND_IN / sys.argv[1], as_version=4)))
    except DeadKernelError:
        runner.say(end="died")
    except Exception as error:  # A hand-in can make anything fail, and the grader outside tells its cause.
        runner.say(end="broken", reason=f"{type(error).__name__}: {error}"[:500])
    # The sandbox ends with this process, so there is no need to wait for the kernel.
    os._exit(0)


def copy_hand_in(source: Path, target: Path) -> None:
    """Copies a hand-in to the folder of its run, without its copy of the harness; existing files stay."""
    for folder, folders, names in os.walk(source):
        relative = Path(folder).relative_to(source)
        folders[:] = [name for name in folders if relative != Path() or name != "svhn"]
        (target / relative).mkdir(exist_ok=True)
        for name in names:
            original, copy = Path(folder, name), target / relative / name
            if os.path.lexists(copy):
                continue
            if original.stat().st_size > _COPIED:
                copy.symlink_to(original)
            else:
                shutil.copyfile(original, copy)


def training_off(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Sets `stop_training` at the end of every cell that holds the parameters; the kernel sets it at the start.

    No cell is added, so outputs can be given back to their cells.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code" and (
            "parameters" in cell.metadata.get("tags", []) or re.search(r"\bstop_training\b[^=\n]*=", cell.source)
        ):
            cell.source += f"\n{TRAINING_OFF}"
    return notebook


class _Runner:
    """Runs the cells and reports on `channel`, within a budget of bytes."""

    def __init__(self, channel: int, budget: int) -> None:
        self.channel, self.budget = channel, budget

    def say(self, **event: Any) -> None:
        content = json.dumps(event).encode() + b"\n"
        self.budget -= len(content)
        while content:
            content = content[os.write(self.channel, content) :]

    def run(self, notebook: nbformat.NotebookNode) -> None:
        os.environ["JUPYTER_DATA_DIR"] = str(_kernel_description())
        client = _Client(notebook, km=AsyncKernelManager(kernel_name=_KERNEL), timeout=None, allow_errors=True)
        client.most, client.flooded = 2 * self.budget, self._flooded
        client.on_cell_executed = _restore_error
        with client.setup_kernel():
            for index, cell in enumerate(notebook.cells):
                if cell.cell_type == "code" and cell.source.strip():
                    self.say(started=index)
                    client.start_cell()
                    client.execute_cell(cell, index)
                    self._tell(index, cell, client.left_out)
            self.say(end="done")

    def _tell(self, index: int, cell: nbformat.NotebookNode, left_out: int) -> None:
        outputs = [kept for output in cell.outputs if (kept := clean_output(output))]
        if left_out:
            note = f"\n[{left_out:,} more characters of output were left out]\n"
            outputs.append({"output_type": "stream", "name": "stderr", "text": note})
        if len(json.dumps(outputs)) > self.budget - 1_000_000:
            # A person must see errors even then.
            note = "\n[outputs were left out: those of all cells before take up the room]\n"
            outputs = [output for output in outputs if output["output_type"] == "error"][:1]
            outputs.append({"output_type": "stream", "name": "stderr", "text": note})
        self.say(cell=index, execution_count=cell.execution_count, outputs=outputs)

    def _flooded(self) -> None:
        self.say(end="flooded")
        os._exit(0)


class _Client(NotebookClient):
    """nbclient with limits on the outputs that it keeps of a cell and receives of all."""

    most = sys.maxsize
    flooded: Callable[[], None]  # Called past `most`.
    received = kept = left_out = 0

    def start_cell(self) -> None:
        self.kept = self.left_out = 0

    def process_message(self, msg: dict[str, Any], cell: nbformat.NotebookNode, cell_index: int) -> Any:
        if msg["msg_type"] not in ("status", "execute_input"):
            size = _characters(msg["content"])
            self.received += size
            if self.received > self.most:
                self.flooded()
            if msg["msg_type"].startswith("comm"):
                return None  # Widgets have nobody to talk to.
            if self.kept + size > MOST_OF_A_CELL and msg["msg_type"] != "error":
                self.left_out += size
                return None
            self.kept += size + 100  # An empty output takes room, too.
        return super().process_message(msg, cell, cell_index)


def _restore_error(cell: nbformat.NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:
    """Restores the error that ended a cell where its message was lost: a kernel out of memory sends no output."""
    content = execute_reply["content"]
    if content.get("status") == "error" and not any(output.output_type == "error" for output in cell.outputs):
        lines = content.get("traceback") or []
        output = {"ename": content.get("ename", "error"), "evalue": content.get("evalue", ""), "traceback": lines}
        cell.outputs.append(nbformat.v4.new_output("error", **output))


def _characters(content: Any) -> int:
    if isinstance(content, dict):
        return sum(map(_characters, content.values()))
    return (
        sum(map(_characters, content)) if isinstance(content, list) else len(content) if isinstance(content, str) else 8
    )


def _kernel_description() -> Path:
    """Writes Jupyter's description of the watched kernel; returns the data folder that it lies in."""
    data = Path.home() / "jupyter"
    folder = data / "kernels" / _KERNEL
    folder.mkdir(parents=True)
    code = "from svhn.sandbox.inside.kernel import main; main()"
    arguments = [sys.executable, "-c", code, "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(json.dumps({"argv": arguments, "display_name": _KERNEL, "language": "python"}))
    return data
