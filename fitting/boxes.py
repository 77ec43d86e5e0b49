"""Fits the tables of house numbers: their lengths, digits, sizes, spacing and slope.

    python fitting/boxes.py train-boxes.csv.gz

It reads the boxes of the digits in SVHN's training photos and writes `svhn/drawn/fitted/house_numbers.json`, a few
hundred figures: shares, and quantiles at equal steps of probability.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from svhn.files import write_json

ROOT = Path(__file__).resolve().parents[1]

TABLE = ROOT / "svhn" / "drawn" / "fitted" / "house_numbers.json"
STEPS = 41
# One number in three thousand is longer.
LONGEST = 4


def quantiles(values: pd.Series) -> list[float]:
    """The values at STEPS equally spaced probabilities, without the outermost half per cent on either side."""
    return np.quantile(values, np.linspace(0.005, 0.995, STEPS)).round(4).tolist()


def main() -> None:
    """Fits and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("boxes", type=Path, help="train-boxes.csv.gz")
    boxes = pd.read_csv(parser.parse_args().boxes)
    boxes["width"], boxes["height"] = boxes.right - boxes.left, boxes.bottom - boxes.top
    boxes = boxes[(boxes.width > 0) & (boxes.height > 0)]
    boxes["length"] = boxes.groupby("photo").digit.transform("size")
    boxes = boxes[boxes.length <= LONGEST].sort_values(["photo", "position"])
    following = boxes.groupby("photo").shift(-1)
    across = (following.left + following.right - boxes.left - boxes.right) / 2
    down = (following.top + following.bottom - boxes.top - boxes.bottom) / 2
    side_by_side = across > 0.15 * boxes.height
    lengths = boxes.groupby("photo").length.first().value_counts(normalize=True).sort_index()
    tables = {
        "length_shares": lengths.round(5).tolist(),
        # Row [length - 1][position] has the share of each digit there.
        "digit_shares": [
            [
                boxes[(boxes.length == length) & (boxes.position == position)]
                .digit.value_counts(normalize=True)
                .reindex(range(10), fill_value=0)
                .round(5)
                .tolist()
                for position in range(length)
            ]
            for length in range(1, LONGEST + 1)
        ],
        "box_height": quantiles(boxes.height),
        # Boxes elsewhere are as high as in the training photos, until `fitting/photos.py` has measured them.
        "size_factor": 1.0,
        "size_power": 1.0,
        # The distance between neighbours' middles in box heights, and the drop to the next per distance.
        "spacing": quantiles((across / boxes.height)[side_by_side]),
        "slope": quantiles((down / across)[side_by_side]),
        # The boxes' widths by digit, in box heights: a 1 is marked narrower than the rest.
        "box_width": [quantiles((boxes.width / boxes.height)[boxes.digit == digit]) for digit in range(10)],
    }
    write_json(TABLE, tables)
    print(f"{len(boxes):,} boxes of {boxes.photo.nunique():,} photos -> {TABLE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
