"""Progress of long work with the time left: plain output in a notebook, standard error of a command."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from svhn.errors import Interrupted

# Work that is done sooner shows no bar.
_SECONDS = 2
# Where one of these is set, a notebook is executed for a copy that is read later, in which bars would only stand about.
_NO_BARS = ("TQDM_DISABLE", "NBGRADER_EXECUTION")


@contextmanager
def progress_bar(
    total: int | None, task: str, unit: str = "digit", shown: bool = True, leave: bool = False, **options: Any
) -> Iterator[tqdm]:
    """A bar over a block of code, closed whichever way the block ends, so that the next bar has a line of its own.

    Args:
        total: How much there is to do; None where that is not known.
        task: Shown before the bar.
        unit: Of what is counted.
        shown: Whether there is a bar at all.
        leave: Whether the bar stays when the work is done.
        **options: Further ones of tqdm.

    Yields:
        The bar, to be moved by `update`.
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
    """Moves a bar over work that an earlier run had done, which says nothing of the time left."""
    if not bar.disable:
        bar.initial += amount
        bar.n += amount


def interrupted(name: str, kept: str) -> Interrupted:
    """The exception to raise when a person stops a training.

    Args:
        name: Of the training.
        kept: The part of it that is kept, in words.
    """
    again = "run this cell again" if _in_notebook() else "give the command again"
    return Interrupted(f"{name}: stopped; {kept}; to go on from there, {again}")


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None
