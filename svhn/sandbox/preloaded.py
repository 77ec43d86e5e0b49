"""What the forking process imports once, so that no fork has to.

Only imports: a backend that has computed anything before a fork has threads that the fork lacks, and waits for them
for ever. Where one of them fails, each fork tries for itself, and can say so.
"""

from contextlib import suppress

import cv2  # noqa: F401
import h5py  # noqa: F401
import numpy as np  # noqa: F401

with suppress(Exception):
    import keras  # noqa: F401
