"""The one place at which Keras enters: quietly, and with no setting but the project's; tells the versions in use.

`from svhn.backend import keras` is how every module gets it.
"""

import functools
import importlib.metadata
import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from svhn.errors import SVHNError, one_line

_PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "scipy", "scikit-learn")

# What the loader of libraries says where a limit on memory leaves no room for them.
_NO_MEMORY = "failed to map segment", "Cannot allocate memory", "cannot allocate memory"
_TOO_LITTLE = "there is too little memory to load Keras; free some, or raise its limit: ulimit -v unlimited"
# Bytes of address space. With less, TensorFlow dies or tries for ever, between its import and its first batch.
_LEAST = 4_000_000_000


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


@functools.cache
def load_keras() -> ModuleType:
    """Imports Keras and returns it; the first time, this comes before any other import of it.

    Which backend it uses is a person's choice. Nothing else of their `keras.json` or environment counts: images with
    their channels first, half precision or a greatest number of batches would change figures in silence.

    Raises:
        SVHNError: Its backend is not installed, or there is none of that name, or its settings cannot be read; or the
            memory that this process may use is not enough.
    """
    _check_memory()
    try:
        with silence():
            import keras

            keras.ops.zeros(())  # The first of them would otherwise tell of drivers that are not there.
    except Exception as error:  # A backend or a damaged keras.json raises what it happens to run into.
        if isinstance(error, MemoryError) or any(sign in str(error) for sign in _NO_MEMORY):
            raise SVHNError(_TOO_LITTLE) from error
        raise SVHNError(
            f"Keras cannot load its backend, {os.environ.get('KERAS_BACKEND') or 'that of its settings'} "
            f"({one_line(error)}); install that, or set KERAS_BACKEND=tensorflow, or move ~/.keras/keras.json away"
        ) from error
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)
    # It would warn of every batch of another size than the last, which a page with one digit at a time is full of.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return keras


def _check_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < _LEAST:
        raise SVHNError(f"{_TOO_LITTLE} (it is {limit / 1e9:.1f} GB, and at least {_LEAST / 1e9:.0f} are needed)")


def __getattr__(name: str) -> Any:
    # Loaded when asked for: most commands are done before they need it.
    if name == "keras":
        return load_keras()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


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
    load_keras()
    import keras

    print(f"Keras backend: {keras.backend.backend()}")
    for name, number in versions().items():
        print(f"{name} {number}")
