"""Loads Keras and its backend without the backend's news of drivers and processor; tells the versions in use."""

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

from svhn.errors import SVHNError, one_line

_PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "scipy", "scikit-learn")


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


def versions() -> dict[str, str]:
    """The versions of Python and of the installed libraries that figures depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def print_versions() -> None:
    """Prints the backend and the versions, one a line."""
    import keras

    print(f"Keras backend: {keras.backend.backend()}")
    for name, number in versions().items():
        print(f"{name} {number}")
