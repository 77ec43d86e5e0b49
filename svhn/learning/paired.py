"""The table of a stored comparison: mean and spread over seeds, and a paired test on the same digits."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest


def comparison_table(stored: dict[str, Any]) -> pd.DataFrame:
    """The table of `run_comparison`, out of what it stored."""
    count = stored["validation"]
    read = {label: _times_read(runs, count) for label, runs in stored["variants"].items()}
    rows, base = {}, read[stored["reference"]]
    for label, runs in stored["variants"].items():
        shares = [run["val_accuracy"] for run in runs.values()]
        gained, lost = int(np.sum(read[label] > base)), int(np.sum(read[label] < base))
        rows[label] = {
            "mean": np.mean(shares),
            "least": min(shares),
            "greatest": max(shares),
            "difference": (read[label].sum() - base.sum()) / count / len(shares),
            "gained": gained,
            "lost": lost,
            "p": binomtest(gained, gained + lost).pvalue if gained + lost else 1.0,
        }
    return pd.DataFrame(rows).T.astype({"gained": int, "lost": int})


def _times_read(runs: dict[str, Any], count: int) -> np.ndarray:
    """With how many of the seeds each validation digit was read right, (n,)."""
    rows = [np.unpackbits(np.frombuffer(bytes.fromhex(run["right"]), np.uint8), count=count) for run in runs.values()]
    return np.sum(rows, axis=0, dtype=int)
