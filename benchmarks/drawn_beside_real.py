"""A page that shows drawn digits beside real ones: grids, distributions, and the differences between the two.

    python benchmarks/drawn_beside_real.py [--real DIGITS.npz] [--digits 5120]

It writes `output/drawn-beside-real.html`, which holds real digits and therefore stays out of version control, and two
figures that hold none: `distributions.png` and the labelled `sample.png` in `figures/drawn/`.
"""

import argparse
import base64
import io
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from appearance import measures
from given import REAL_DIGITS
from PIL import Image
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import confusion_matrix, roc_auc_score

from svhn.data.protocol import split_digits
from svhn.data.sources import load_digits
from svhn.digits import Digits
from svhn.drawn.drawing import EDITION, draw
from svhn.errors import SVHNError
from svhn.files import atomic_path, write_text
from svhn.learning.figures import plot_images

ROOT = Path(__file__).resolve().parents[1]

PAGE = ROOT / "output" / "drawn-beside-real.html"
FIGURES = ROOT / "figures" / "drawn"
SAMPLE = 40
DRAWN, REAL = "#d1495b", "#1f5fa8"
SHOWN, COLUMNS, SCALE = 160, 16, 2


def grid(images: np.ndarray) -> Image.Image:
    """Images in rows of COLUMNS, enlarged, a white line between."""
    rows = len(images) // COLUMNS
    framed = np.full((rows * COLUMNS, 34, 34, 3), 255, np.uint8)
    framed[:, 1:33, 1:33] = images[: rows * COLUMNS]
    sheet = framed.reshape(rows, COLUMNS, 34, 34, 3).transpose(0, 2, 1, 3, 4).reshape(rows * 34, COLUMNS * 34, 3)
    return Image.fromarray(sheet).resize((COLUMNS * 34 * SCALE, rows * 34 * SCALE), Image.Resampling.NEAREST)


def distributions(drawn: dict[str, np.ndarray], real: dict[str, np.ndarray], title: str) -> plt.Figure:
    """Plots the distributions of drawn and real digits, one panel a measure."""
    figure, panels = plt.subplots(2, 4, figsize=(12, 5), layout="constrained")
    for panel, name in zip(panels.flat, real, strict=True):
        low, high = np.percentile(np.concatenate([drawn[name], real[name]]), [0.5, 99.5])
        bins = np.linspace(low, high, 40)
        for values, colour, style, label in ((real[name], REAL, "-", "real"), (drawn[name], DRAWN, "--", "drawn")):
            panel.hist(values, bins, density=True, histtype="step", lw=1.8, ls=style, color=colour, label=label)
        panel.set_title(name)
        panel.set_yticks([])
        panel.spines[["top", "right", "left"]].set_visible(False)
    panels.flat[0].legend(frameon=False)
    figure.suptitle(title)
    return figure


def told_apart(drawn: dict[str, np.ndarray], real: dict[str, np.ndarray]) -> str:
    """Trains boosted trees to tell the two apart by the measures: their success and main measures, as HTML."""
    names = list(real)
    rows = np.concatenate([np.column_stack([kind[name] for name in names]) for kind in (real, drawn)])
    labels = np.repeat([0, 1], [len(real[names[0]]), len(drawn[names[0]])])
    order = np.random.default_rng(1).permutation(len(rows))
    rows, labels = rows[order], labels[order]
    seen = 3 * len(rows) // 4
    trees = HistGradientBoostingClassifier(max_iter=80, random_state=1).fit(rows[:seen], labels[:seen])
    scores = trees.predict_proba(rows[seen:])[:, 1]
    matrix = confusion_matrix(labels[seen:], scores > 0.5)
    importance = permutation_importance(
        trees, rows[seen:], labels[seen:], scoring="roc_auc", n_repeats=3, random_state=1
    ).importances_mean
    by_worth = ", ".join(f"{names[i]} ({importance[i]:.3f})" for i in np.argsort(-importance))
    return f"""
<p>Area under the ROC curve on {len(labels) - seen:,} held-out digits: {roc_auc_score(labels[seen:], scores):.3f} (0.5:
cannot be told apart). What it is worth to the trees, as loss of area when shuffled: {by_worth}.</p>
<table><tr><th></th><th>taken for real</th><th>taken for drawn</th></tr>
<tr><th>real</th><td>{matrix[0, 0]:,}</td><td>{matrix[0, 1]:,}</td></tr>
<tr><th>drawn</th><td>{matrix[1, 0]:,}</td><td>{matrix[1, 1]:,}</td></tr></table>"""


def embedded(picture: Image.Image | plt.Figure) -> str:
    """A picture as an HTML element that needs no file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG") if isinstance(picture, Image.Image) else picture.savefig(buffer, dpi=110)
    return f'<img src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'


def write_page(real: Digits, drawn: Digits) -> None:
    """Writes the page and the figure."""
    of_real, of_drawn = measures(real.images, real.labels), measures(drawn.images, drawn.labels)
    figure = distributions(of_drawn, of_real, f"{len(drawn):,} drawn digits and {real.name}")
    with atomic_path(FIGURES / "distributions.png") as temporary:
        figure.savefig(temporary, dpi=110)
    plot_images(drawn.images[:SAMPLE], drawn.labels[:SAMPLE], "Drawn by this project: not photos, not SVHN")
    with atomic_path(FIGURES / "sample.png") as temporary:
        plt.savefig(temporary, dpi=80)
    grids = "".join(
        f"<figure><figcaption>{caption}</figcaption>{embedded(grid(digits.images[:SHOWN]))}</figure>"
        for caption, digits in (("drawn", drawn), ("real", real))
    )
    write_text(
        PAGE,
        f"""<!doctype html><meta charset="utf-8"><title>Drawn beside real</title>
<style>body{{font:16px/1.5 system-ui;margin:2rem auto;max-width:75rem;padding:0 1rem}} figure{{margin:0}}
.grids{{display:flex;flex-wrap:wrap;gap:1.5rem}} .grids figure{{flex:1 1 30rem}}
img{{width:100%;image-rendering:pixelated}}
td,th{{padding:.2rem .8rem;text-align:right}}</style>
<h1>Drawn digits beside real ones</h1>
<p>{drawn.description}, edition {EDITION}; {real.description}. Real digits are shown for comparison here and are
not to be passed on.</p>
<div class="grids">{grids}</div>
<h2>Distributions</h2>{embedded(figure)}
<h2>What tells them apart</h2>{told_apart(of_drawn, of_real)}
""",
    )
    print(f"written: {PAGE.relative_to(ROOT)}, {FIGURES.relative_to(ROOT)}/")


def main() -> int:
    """Draws, loads and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", default=str(REAL_DIGITS), help="real digits")
    parser.add_argument("--digits", type=int, default=5120, help="how many to draw (default: 5120)")
    options = parser.parse_args()
    try:
        if not Path(options.real).exists():
            raise SVHNError(f"{options.real} is missing; name real digits with --real")
        split = split_digits(load_digits(options.real))
        real = Digits(split.X_train, split.y_train, f"the training digits of {split.digits.name}", real=True)
        write_page(real, draw(options.digits, 12))
    except SVHNError as error:
        print(f"drawn_beside_real: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
