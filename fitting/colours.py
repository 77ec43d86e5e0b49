"""Fits the colours of digits and of their grounds.

    PYTHONPATH=benchmarks python fitting/colours.py digits.npz

It looks at the protocol's training digits alone and writes `svhn/drawn/fitted/colours.json`: a mixture of normal
distributions over six figures, the ground's red, green and blue and the ink's difference from each.
"""

import argparse
from pathlib import Path

import numpy as np
from appearance import ink_and_ground
from sklearn.mixture import GaussianMixture

from svhn.data.protocol import split_digits
from svhn.data.sources import load_digits
from svhn.files import write_json
from svhn.typed import to_json

ROOT = Path(__file__).resolve().parents[1]

TABLE = ROOT / "svhn" / "drawn" / "fitted" / "colours.json"
COMPONENTS = 24


def main() -> None:
    """Fits and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("digits", help="real digits: openml, mat or the path of an .npz file")
    split = split_digits(load_digits(parser.parse_args().digits))
    ink, ground = ink_and_ground(split.X_train, split.y_train)
    mixture = GaussianMixture(COMPONENTS, reg_covar=4.0, random_state=1, n_init=2)
    mixture.fit(np.hstack([ground, ink - ground]))
    order = np.argsort(-mixture.weights_)
    factors = np.linalg.cholesky(mixture.covariances_[order])
    table = {
        "digits": to_json(split.provenance),
        "shares": mixture.weights_[order].round(4).tolist(),
        "means": mixture.means_[order].round(1).tolist(),
        # A standard normal vector times a component's lower triangle has its covariance.
        "factors": factors.round(2).tolist(),
    }
    write_json(TABLE, table)
    print(f"{len(ink):,} digits -> {TABLE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
