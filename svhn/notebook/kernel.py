"""The kernel in which a notebook is executed: this very Python, without the person's own settings."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from svhn.errors import SVHNError, one_line

# A person's settings for their own sessions, which would change or break a run, or fill its outputs with logs.
# Of Python's variables a kernel gets those that say where its files lie.
_PERSONAL = ("PYTHON", "TF_CPP_", "MPLSTYLE")
_OF_FILES = ("PYTHONHOME", "PYTHONNOUSERSITE", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
# The formats of plots: PNG for notebook and report, both for files.
_FORMATS = ("png", "svg")
_PACKAGE = Path(__file__).parents[1]
# A busy machine, or one that was just started, reads the libraries slowly.
STARTUP_SECONDS = 300


class _ThisPython(AsyncKernelManager):
    """Starts this Python in place of the kernel that Jupyter would find by the notebook's kernel name."""

    @property
    def kernel_spec(self) -> KernelSpec:
        arguments = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=arguments, display_name="Python 3", language="python")


class Kernel:
    """The surroundings in which a notebook is executed.

    Attributes:
        settings: Arguments of nbclient's `NotebookClient`.
        start: Arguments of its `execute`: the environment, and a file for the kernel's own complaints.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], temporary: Path) -> None:
        self._complaints = temporary / "complaints"
        log = logging.getLogger(__name__)
        log.setLevel(logging.CRITICAL + 1)  # nbclient raises its complaints as well.
        self.settings: dict[str, Any] = {
            "kernel_manager_class": _ThisPython,
            "startup_timeout": STARTUP_SECONDS,
            "extra_arguments": [
                "--log-level=ERROR",  # Kernel and client are on one machine, and need no warning of open connections.
                "--matplotlib=inline",  # Whatever drew before, as in a `sitecustomize`, plots land in the notebook.
                *(f"--InlineBackend.figure_formats={one}" for one in _FORMATS),
            ],
            "log": log,
        }
        kept = {
            name: value for name, value in environment.items() if name in _OF_FILES or not name.startswith(_PERSONAL)
        }
        paths = [str(folder.resolve()), str(_PACKAGE.parent), environment.get("PYTHONPATH")]
        changed = {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "IPYTHONDIR": str(temporary),
            "JUPYTER_RUNTIME_DIR": str(temporary),
            "MATPLOTLIBRC": str(Path(matplotlib.get_data_path()) / "matplotlibrc"),
            # The kernel's plots go into the notebook, whatever backend this process draws with.
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "TQDM_DISABLE": "1",  # The executed copy would keep every state of every bar.
        }
        self.start: dict[str, Any] = {"env": kept | changed, "stderr": self._complaints.open("wb")}

    def complaint(self) -> str:
        """The last line that the kernel wrote before it had a notebook to write into, or nothing."""
        self.start["stderr"].flush()
        lines = self._complaints.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


@contextmanager
def kernel(folder: Path, environment: Mapping[str, str]) -> Iterator[Kernel]:
    """Prepares a kernel that a person's settings of Jupyter, Python, IPython and Matplotlib do not reach.

    Args:
        folder: The notebook's folder; its modules can be imported.
        environment: The environment variables to start from.

    Yields:
        The kernel's surroundings.

    Raises:
        SVHNError: There is no folder for temporary files.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix="svhn-kernel-", ignore_cleanup_errors=True)
    except OSError as error:
        raise SVHNError(
            f"a kernel needs temporary files ({one_line(error)}); set TMPDIR to a folder you may write to"
        ) from error
    with made as temporary:
        prepared = Kernel(folder, environment, Path(temporary))
        try:
            yield prepared
        finally:
            prepared.start["stderr"].close()
