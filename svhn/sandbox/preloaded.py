"""The imports that the forking process makes once for all forks.

It computes nothing: a backend that computed before a fork would wait for ever for threads that the fork lacks. Where
an import fails, each fork tries it again, and can report the error.
"""

from contextlib import suppress

import cv2  # noqa: F401
import h5py  # noqa: F401
import numpy as np  # noqa: F401

with suppress(Exception):
    import keras  # noqa: F401
