"""Progress bars of long work: on standard output in a notebook, on standard error in a command."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from svhn.errors import Interrupted

# Shorter work shows no bar.
_SECONDS = 2
# Each of these variables says that a notebook is executed for a copy that is read later, where bars are of no use.
_NO_BARS = ("TQDM_DISABLE", "NBGRADER_EXECUTION")


@contextmanager
def progress_bar(
    total: int | None, task: str, unit: str = "digit", shown: bool = True, leave: bool = False, **options: Any
) -> Iterator[tqdm]:
    """Shows a bar during a block of code, and closes it however the block ends, so that the next bar has its own line.

    Args:
        total: The amount of work; None where it is not known.
        task: The text before the bar.
        unit: The unit of the amount.
        shown: Whether there is a bar at all.
        leave: Whether the bar stays when the work is done.
        **options: Further options of tqdm.

    Yields:
        The bar; its `update` moves it.
    """
    disable = not shown or any(os.environ.get(name) for name in _NO_BARS)
    file = sys.stdout if _in_notebook() else sys.stderr
    bar = tqdm(
        total=total,
        desc=task,
        unit=unit,
        leave=leave,
        delay=_SECONDS,
        mininterval=0.5,
        disable=disable,
        file=file,
        **options,
    )
    try:
        yield bar
    finally:
        bar.close()


def skip(bar: tqdm, amount: int) -> None:
    """Moves a bar over the work of an earlier run, which does not count for the time left."""
    if not bar.disable:
        bar.initial += amount
        bar.n += amount


def interrupted(name: str, kept: str) -> Interrupted:
    """Makes the exception to raise when a person stops a training.

    Args:
        name: The training's name.
        kept: The part of it that is kept, in words.
    """
    again = "run this cell again" if _in_notebook() else "give the command again"
    return Interrupted(f"{name}: stopped; {kept}; to go on from there, {again}")


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None
