"""Reading house numbers: the harness around the assignment's notebook."""

import os

# Both are set before TensorFlow is first imported. The first hides its start-up notes.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow sets the second itself on some processors only. On others with AVX2 it trains VGG16 several times faster.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def __getattr__(name: str) -> object:
    # `svhn.draw` is the drawer's front door. It is loaded on demand: most of the package needs no OpenCV.
    if name == "draw":
        from svhn.drawn.drawing import draw

        return draw
    raise AttributeError(f"module 'svhn' has no attribute {name!r}")
