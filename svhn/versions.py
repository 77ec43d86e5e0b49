"""The versions that figures depend on."""

import importlib.metadata
import platform

import keras

_PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "scipy", "scikit-learn")


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
    print(f"Keras backend: {keras.backend.backend()}")
    for name, number in versions().items():
        print(f"{name} {number}")
