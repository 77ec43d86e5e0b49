"""Where to find what was given with the assignment: in `../shared`, or in the folder that SVHN_SHARED names.

It is no part of the project. Tests and benchmarks read it; the package knows nothing of it.
"""

import os
from pathlib import Path

SHARED = Path(os.environ.get("SVHN_SHARED") or Path(__file__).resolve().parents[2] / "shared")
REAL_DIGITS = SHARED / "svhn" / "svhn-8k.npz"
PRETRAINED = SHARED / "pretrained"
SUBMISSION = SHARED / "submission"
CASES = SHARED / "cases" / "hand-ins"
