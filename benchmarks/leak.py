"""The leak of the random split: accuracy on held-out digits whose photo also has training digits, and on others.

    python benchmarks/leak.py                               every stored model, on the given real digits
    python benchmarks/leak.py --digits digits.npz           on digits of your own, with an array `house`

Writes `benchmarks/leak.md`. Intervals are Wilson's, 95 %; validation and test digits are pooled.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from given import REAL_DIGITS
from scipy.stats import binomtest
from tqdm import tqdm

from svhn.data.protocol import split_rows
from svhn.data.sources import load_digits
from svhn.errors import SVHNError
from svhn.files import write_text
from svhn.learning.batches import Preprocessed, predict
from svhn.learning.records import stored_names
from svhn.learning.stored import load_model
from svhn.notebook.cells import load_definitions

ROOT = Path(__file__).resolve().parents[1]

TABLE = ROOT / "benchmarks" / "leak.md"


def compare(path: Path, models: Path) -> str:
    """The table of each stored model on held-out digits of photos that training shares, and of others."""
    digits = load_digits(path)
    with np.load(path) as archive:
        if "house" not in archive:
            raise SVHNError(f"{path} has no array house, the photo of each digit; name one that has")
        houses = archive["house"]
    train, val, test = split_rows(digits.labels)
    held_out = np.concatenate([val, test])
    shared = np.isin(houses[held_out], houses[train])
    definitions = load_definitions(ROOT / "Assignment3.ipynb")
    lines = [
        "# What the random split gives away",
        "",
        f"Written by `benchmarks/leak.py`: accuracy on the {len(held_out):,} real validation and test digits of",
        f"{digits.name}, {shared.sum():,} of photos that also have training digits, {(~shared).sum():,} of photos that",
        "have none; in brackets Wilson's 95 % interval, and how the SHA-256 of the model's file begins.",
        "",
        "| model | photo also in training | photo not in training | difference, points |",
        "|---|---|---|---|",
    ]
    for name in tqdm(stored_names(models), unit="model"):
        model, record = load_model(models, name)
        if record.data is None or record.data.fingerprint != digits.fingerprint:
            raise SVHNError(
                f"{name} was trained on a split of other digits than {path}; name the digits it learned from"
            )
        images = digits.images[held_out]
        view = Preprocessed(images, definitions[record.preprocessing]) if record.preprocessing else images
        right = predict(model, view).argmax(axis=1) == digits.labels[held_out]
        shares = []
        cells = [f"{name} ({record.sha256[:8]})"]
        for group in (right[shared], right[~shared]):
            interval = binomtest(int(group.sum()), len(group)).proportion_ci(method="wilson")
            shares.append(group.mean())
            cells.append(f"{group.mean():.1%} ({interval.low:.1%} to {interval.high:.1%})")
        lines.append(f"| {' | '.join([*cells, f'{100 * (shares[0] - shares[1]):+.1f}'])} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measures, writes and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--digits", type=Path, default=REAL_DIGITS)
    options = parser.parse_args()
    try:
        if not options.digits.is_file():
            raise SVHNError(f"{options.digits} is missing; name real digits with --digits")
        table = compare(options.digits, ROOT / "models")
    except SVHNError as error:
        print(f"leak: {error}", file=sys.stderr)
        return 2
    write_text(TABLE, table)
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
