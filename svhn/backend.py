"""The one place at which Keras enters: quietly, and with no setting but the project's; tells the versions in use.

`from svhn.backend import keras` is how every module gets it.
"""

import functools
import importlib.abc
import importlib.metadata
import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from svhn.errors import SVHNError, one_line
from svhn.settings import BFLOAT16, FLOAT32

_PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "scipy", "scikit-learn")

# The loader's words where a limit on memory leaves no room for a library.
_NO_MEMORY = "failed to map segment", "Cannot allocate memory", "cannot allocate memory"
_TOO_LITTLE = "there is too little memory to load Keras; free some, or raise its limit: ulimit -v unlimited"
# Bytes of address space. With less, TensorFlow dies or tries for ever, between its import and its first batch.
_LEAST = 4_000_000_000


# The beginning of the line that states the precision of networks.
COMPUTED = "Networks compute in"
# TensorFlow's name for it, and Linux's names for the processors' instructions.
_OPTION = "auto_mixed_precision_onednn_bfloat16"
_INSTRUCTIONS = {"amx_bf16", "avx512_bf16"}
_PROCESSOR = Path("/proc/cpuinfo")


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


class _NoJAX(importlib.abc.MetaPathFinder):
    """Refuses JAX to TensorFlow, which would import it for a converter that is of no use here, at 100 MB."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        """Raises for JAX where it is TensorFlow that asks; otherwise finds nothing."""
        if name == "jax" and "tensorflow.lite.python.util" in sys.modules:
            raise ImportError(name)


@contextmanager
def _without_jax() -> Iterator[None]:
    finder = _NoJAX()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


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
    os.environ.pop("TF_XLA_FLAGS", None)  # One that TensorFlow does not know would end this process without a word.
    try:
        with silence(), _without_jax():
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


def use_precision(wanted: str, processor: Path = _PROCESSOR) -> str:
    """Chooses the precision in which networks compute from now on, in this process.

    Args:
        wanted: "float32", "bfloat16", or "auto": bfloat16 where the processor computes in it, float32 elsewhere.
        processor: The file in which Linux describes the processor.

    Returns:
        The precision chosen: "float32" or "bfloat16". Weights are float32 either way.

    Raises:
        SVHNError: bfloat16 is wanted, and the processor or the backend does not compute in it.
    """
    lack = "" if wanted == FLOAT32 else _lack_of_bfloat16(processor)
    if wanted == BFLOAT16 and lack:
        raise SVHNError(f"precision is bfloat16, and {lack}; set it to float32, or to auto")
    chosen = FLOAT32 if wanted == FLOAT32 or lack else BFLOAT16
    _compute_in(chosen)
    return chosen


@contextmanager
def computing_in(chosen: str) -> Iterator[str]:
    """Networks that are built or loaded within the block compute in `chosen`, as `use_precision` returns it.

    Yields:
        The precision before the block, which is that after it as well.
    """
    before = precision()
    _compute_in(chosen)
    try:
        yield before
    finally:
        _compute_in(before)


def _compute_in(chosen: str) -> None:
    if keras_backend() == "tensorflow" and chosen != precision():
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({_OPTION: chosen == BFLOAT16})


def use_devices(count: int) -> None:
    """Spreads every batch over several devices from now on, in this process; what is built before stays on one.

    Args:
        count: The number of devices of each host: GPUs, where the backend finds some.

    Raises:
        SVHNError: There are not so many, or the backend is not JAX.
    """
    distribution = load_keras().distribution
    _, hosts = host()
    if count == hosts == 1:
        compute_alone()
        return
    if keras_backend() != "jax":
        raise SVHNError(
            f"devices is {count}, and only JAX spreads batches here; set KERAS_BACKEND=jax, or devices to 1"
        )
    there = distribution.list_devices()
    each = len(there) // hosts
    if count > each:
        raise SVHNError(f"devices is {count}, and there are {each} ({', '.join(there[:each])}); set it to no more")
    chosen = [device for first in range(0, len(there), each) for device in there[first : first + count]]
    distribution.set_distribution(distribution.DataParallel(devices=chosen, auto_shard_dataset=False))


def compute_alone() -> None:
    """Spreads batches no longer: networks that are built or loaded from now on compute on one device of this host."""
    if devices() > 1:
        load_keras().distribution.set_distribution(None)


def devices() -> int:
    """The number of devices over which each batch is spread, those of other hosts included."""
    spread = load_keras().distribution.distribution()
    return getattr(spread, "num_model_replicas", 1)


def host() -> tuple[int, int]:
    """The number of this host, and of how many that train together: (0, 1) where it is alone."""
    if keras_backend() != "jax":
        return 0, 1
    import jax

    return jax.process_index(), jax.process_count()


def keras_backend() -> str:
    """The name of Keras's backend: "tensorflow", "jax" or "torch"."""
    return load_keras().backend.backend()


def precision() -> str:
    """The precision in which networks compute in this process: "float32", unless `use_precision` chose "bfloat16"."""
    if keras_backend() != "tensorflow":
        return FLOAT32
    import tensorflow as tf

    return BFLOAT16 if tf.config.optimizer.get_experimental_options().get(_OPTION) else FLOAT32


def _lack_of_bfloat16(processor: Path) -> str:
    """The reason why networks cannot compute in bfloat16 here; empty where they can."""
    if keras_backend() != "tensorflow":
        return "only TensorFlow computes in it here (KERAS_BACKEND=tensorflow)"
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        return "TensorFlow computes in it with oneDNN only, which TF_ENABLE_ONEDNN_OPTS=0 turns off"
    try:
        lines = processor.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # As on macOS and Windows.
        return f"nothing says whether this processor computes in it ({processor} cannot be read)"
    flags = {flag for line in lines if line.startswith("flags") for flag in line.partition(":")[2].split()}
    return "" if flags & _INSTRUCTIONS else "this processor does not compute in it (neither amx_bf16 nor avx512_bf16)"


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
