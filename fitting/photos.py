"""Reads from real digits the size and the compression of the photos that they were cut from.

    python fitting/photos.py digits.npz

A digit that was enlarged to 32x32 lies, but for rounding, in the span of its original pixels. The remainder outside the
span for each size betrays the size. Then the enlargement is undone. Photos that were stored as JPEG show it: each
frequency of their 8x8 blocks is a multiple of its quantisation step.

It looks at the protocol's training digits alone, prints how often each JPEG quality explains them, and adds to
`svhn/drawn/fitted/house_numbers.json` the relation between box heights in these photos and in the training photos.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.fft import dctn
from tqdm import tqdm

from svhn.data.protocol import split_digits
from svhn.data.sources import load_digits
from svhn.digits import LUMA
from svhn.drawn.camera import SIDE, bicubic
from svhn.drawn.drawing import draw
from svhn.files import write_json

ROOT = Path(__file__).resolve().parents[1]

TABLE = ROOT / "svhn" / "drawn" / "fitted" / "house_numbers.json"
# Larger sizes leave too little outside their span.
SIZES = range(9, 30)
# The greatest variance that may be left outside the span, down and across. Rounding to 8 bits alone leaves 1/12.
MOST_DOWN, MOST_ACROSS = 0.25, 0.15
# JPEG's table for brightness at quality 50 (Annex K of its standard).
QUANTISATION = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
QUALITIES = range(50, 96)


def box_sizes(images: np.ndarray) -> np.ndarray:
    """The side of each digit's box in pixels of the photo, int (n,); 0 where it cannot be told."""
    green = images[..., 1].astype(np.float32)
    least, found = np.full((2, len(green)), np.inf), np.zeros((2, len(green)), int)
    for size in SIZES:
        basis, _ = np.linalg.qr(bicubic(size))
        outside = np.eye(SIDE) - basis @ basis.T
        for axis, left in enumerate((outside @ green, green @ outside)):
            variance = (left**2).sum(axis=(1, 2)) / SIDE / (SIDE - size)
            # A larger size explains a little more by chance.
            better = variance < 0.97 * least[axis]
            least[axis][better], found[axis][better] = variance[better], size
    certain = (least[0] < MOST_DOWN) & (least[1] < MOST_ACROSS) & (found[0] == found[1])
    return np.where(certain, found[0], 0)


def quantisation(quality: int) -> np.ndarray:
    """The steps of libjpeg's quality, 50 or more, float (8, 8)."""
    return np.clip((QUANTISATION * (200 - 2 * quality) + 50) // 100, 1, 255).astype(float)


def blocks_of(image: np.ndarray, size: int) -> np.ndarray:
    """The frequencies of all 8x8 blocks for each place of their grid, float (64, blocks, 8, 8)."""
    back = np.linalg.pinv(bicubic(size), rcond=1e-2)
    photo = back @ (image.astype(np.float32) @ LUMA - 128) @ back.T
    count = (size - 7) // 8
    grids = [photo[y : y + 8 * count, x : x + 8 * count] for y in range(8) for x in range(8)]
    cut = np.stack(grids).reshape(64, count, 8, count, 8).transpose(0, 1, 3, 2, 4).reshape(64, -1, 8, 8)
    return dctn(cut, axes=(2, 3), norm="ortho")


def agreement(frequencies: np.ndarray, steps: np.ndarray, pull: float = 6.0) -> np.ndarray:
    """The closeness of frequencies (..., blocks, 8, 8) to multiples of their steps, float (...), at most 1."""
    counted = (np.abs(frequencies) > 0.6 * steps) & (steps >= 5)
    counted[..., 0, 0] = False
    return (counted * np.cos(2 * np.pi * frequencies / steps)).sum((-3, -2, -1)) / (counted.sum((-3, -2, -1)) + pull)


def report_compression(images: np.ndarray, sizes: np.ndarray) -> None:
    """Prints how many photos each quality explains, and which earlier qualities explain the rest."""
    votes, kept = dict.fromkeys(QUALITIES, 0), []
    for i in tqdm(np.flatnonzero(sizes >= 23), desc="compression", unit="digit"):
        blocks = blocks_of(images[i], sizes[i])
        scores = np.array([agreement(blocks, quantisation(quality)) for quality in QUALITIES])
        best, place = np.unravel_index(scores.argmax(), scores.shape)
        if scores.max() > 0.5:
            votes[QUALITIES[best]] += 1
            kept.append(blocks[place])
    print("stored at quality:", {quality: count for quality, count in votes.items() if count})
    last = max(votes, key=votes.get)
    steps = quantisation(last)
    stored = np.rint(np.concatenate(kept) / steps) * steps
    # Frequencies that were quantised before lie near multiples of the first step as well, where it is the coarser one.
    earlier = {}
    for quality in range(50, last - 6):
        first = quantisation(quality)
        tested = (np.abs(stored) > 0.6 * first) & (first > 1.6 * steps)
        tested[..., 0, 0] = False
        earlier[quality] = float(np.cos(2 * np.pi * stored / first)[tested].mean())
    ranked = sorted(earlier, key=earlier.get, reverse=True)[:5]
    print(
        f"before quality {last}, agreement with multiples of the first step:",
        {quality: round(earlier[quality], 3) for quality in ranked},
    )


def main() -> None:
    """Measures, prints and completes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("digits", help="real digits: openml, mat or the path of an .npz file")
    split = split_digits(load_digits(parser.parse_args().digits))
    sizes = box_sizes(split.X_train)
    report_compression(split.X_train, sizes)
    tables = json.loads(TABLE.read_text(encoding="utf-8"))
    heights = np.array(tables["box_height"])
    # Not every small box is found. This share of drawn digits, whose sizes are known, is.
    drawn_heights = tables["size_factor"] * heights ** tables["size_power"]
    below = np.interp(SIZES[-1] + 0.5, drawn_heights, np.linspace(0, 1, len(heights)))
    found = (box_sizes(draw(3000, 7).images) > 0).mean() / below
    shares = np.array([((sizes > 0) & (sizes <= size)).mean() for size in SIZES]) / found
    fitted = np.array(SIZES) >= 14
    in_training_photos = np.interp(shares[fitted], np.linspace(0, 1, len(heights)), heights)
    power, intercept = np.polyfit(np.log(in_training_photos), np.log(np.array(SIZES)[fitted] + 0.5), 1)
    tables["size_factor"], tables["size_power"] = round(float(np.exp(intercept)), 3), round(float(power), 3)
    write_json(TABLE, tables)
    print(f"{(sizes > 0).mean():.1%} of {len(sizes):,} digits told their size; of drawn ones below it {found:.1%} do")
    print(f"box height = {tables['size_factor']} * (height in training photos) ** {tables['size_power']}")


if __name__ == "__main__":
    main()
