"""The errors that are meant for the person at the keyboard."""

from collections.abc import Sequence


class SVHNError(Exception):
    """A fault that its reader can mend: one line that names the thing and the remedy.

    Commands print its text and exit with status 2. The notebook shows its text. Any other exception is a defect of
    this package.
    """

    def _render_traceback_(self) -> list[str]:
        """The lines that Jupyter shows in a cell in place of a traceback."""
        return [f"SVHNError: {self}"]


def one_line(error: Exception | str) -> str:
    """An error's text without line breaks, cut where it is long."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def listed(names: Sequence[object], most: int = 5) -> str:
    """The first few names in a row, and the number of the others."""
    shown = ", ".join(map(str, names[:most]))
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


class Interrupted(KeyboardInterrupt):
    """An interruption of work that can be resumed: one line that says which part is kept."""

    def _render_traceback_(self) -> list[str]:
        """The lines that Jupyter shows in a cell in place of a traceback."""
        return [str(self)]
