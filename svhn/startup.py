"""Loads Keras and its backend without the backend's news of drivers and processor, which would drown what matters."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from svhn.errors import SVHNError, one_line


@contextmanager
def silence() -> Iterator[None]:
    """Keeps standard error empty, also of what C++ writes to it."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def load_keras() -> None:
    """Imports Keras for the first time: to be called before anything else does.

    Raises:
        SVHNError: Its backend is not installed, or there is none of that name.
    """
    try:
        with silence():
            import keras  # noqa: F401
    except (ImportError, ValueError) as error:
        raise SVHNError(
            f"Keras cannot load its backend, {os.environ.get('KERAS_BACKEND') or 'that of its settings'} "
            f"({one_line(error)}); install that, or set KERAS_BACKEND=tensorflow"
        ) from error
