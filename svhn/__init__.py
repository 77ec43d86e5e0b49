"""Reading house numbers: the harness around the assignment's notebook."""

import os

# Set before TensorFlow is first imported: its start-up notes would drown what a person came to see.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
