"""Reading house numbers: the harness around the assignment's notebook."""

import os

# All is set before TensorFlow is first imported. Its start-up notes would drown what a person came to see.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow asks for it by itself on some processors only; on others with AVX2 it trains VGG16 several times faster.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def __getattr__(name: str) -> object:
    # `svhn.draw` is the drawer's front door; loaded when asked for, as most of the package needs no OpenCV.
    if name == "draw":
        from svhn.drawn.drawing import draw

        return draw
    raise AttributeError(f"module 'svhn' has no attribute {name!r}")
