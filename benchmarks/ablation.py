"""What each technique is worth: one network, the same number of updates, one thing added at a time, two seeds.

    python benchmarks/ablation.py --published weights.npz          model_1_2's network: 20 minutes on two cores
    python benchmarks/ablation.py --updates 500                    a rehearsal, whose table lies in output/ablation/
    KERAS_BACKEND=torch python benchmarks/ablation.py              the same on another backend

Writes `benchmarks/ablation.md`: validation accuracy on real digits, mean and every seed. Test digits are not looked at.
A killed run goes on with the variant that it was at; what is finished lies in `output/ablation/`.
"""

import argparse
import functools
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from svhn.data.protocol import Split, extend_training, split_digits  # noqa: E402
from svhn.data.sources import EXTENSION_DIGITS, EXTENSION_SEED, drawn_digits, load_digits  # noqa: E402
from svhn.errors import SVHNError  # noqa: E402
from svhn.files import write_json, write_text  # noqa: E402
from svhn.learning.batches import Augmented, Preprocessed, unaltered  # noqa: E402
from svhn.learning.evaluation import accuracy, build_and_fit  # noqa: E402
from svhn.learning.teacher import soften_labels  # noqa: E402
from svhn.learning.training import Schedule  # noqa: E402
from svhn.notebook.cells import load_definitions, read_notebook, tagged_cells  # noqa: E402

TABLE, FINISHED = ROOT / "benchmarks" / "ablation.md", ROOT / "output" / "ablation"
SHARED = ROOT.parent / "shared"
SEEDS = (1, 2)
BATCH = 128
PEAK_RATE = 1e-3


@dataclass(frozen=True)
class Variant:
    """How one row of the table trains.

    Attributes:
        split: The digits and what is learnt of them.
        augment: How each is altered when shown.
        targets: In place of the split's.
        halved: Whether real digits are shown so often that they make up half.
        averaged: Whether the weights are averaged over the last updates (an exponential mean).
    """

    split: Split
    augment: Callable[[np.ndarray, np.random.Generator], np.ndarray] = unaltered
    targets: np.ndarray | None = None
    halved: bool = True
    averaged: bool = False


def variants(options: argparse.Namespace, vary: Callable[..., np.ndarray]) -> dict[str, Variant]:
    """The rows: five that build on each other, then others by themselves."""
    plain = split_digits(load_digits(options.real))
    extended = extend_training(plain, drawn_digits(EXTENSION_DIGITS, EXTENSION_SEED, ROOT / "data"))
    taught = soften_labels(extended, options.published, ROOT / "data")
    smooth = np.eye(10, dtype=np.float32)[extended.y_train] * 0.9 + 0.01

    def mirrored(batch: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        flipped = generator.random(len(batch)) < 0.5
        return vary(np.where(flipped[:, None, None, None], batch[:, :, ::-1], batch), generator)

    real = len(plain.y_train)
    taught_alone = replace(plain, soft_labels=taught.targets[:real], teacher=taught.teacher)
    return {
        f"plain: {real:,} real digits": Variant(plain),
        "+ varied": Variant(plain, vary),
        f"+ {EXTENSION_DIGITS:,} drawn digits, half of what is shown": Variant(extended, vary),
        "+ teacher": Variant(taught, vary),
        "+ averaged weights": Variant(taught, vary, averaged=True),
        "teacher, but no drawn digits": Variant(taught_alone, vary),
        "teacher and drawn digits, not varied": Variant(taught),
        "teacher and drawn digits, real ones shown no more often": Variant(taught, vary, halved=False),
        "teacher and drawn digits, moved by half as much again": Variant(taught, functools.partial(vary, strength=1.5)),
        "teacher and drawn digits, not moved": Variant(taught, functools.partial(vary, strength=0)),
        "teacher and drawn digits, not inverted": Variant(taught, functools.partial(vary, inverted=0)),
        "teacher and drawn digits, half of them mirrored": Variant(taught, mirrored),
        "label smoothing (0.1) in place of the teacher": Variant(extended, vary, targets=smooth),
    }


def measure(name: str, variant: Variant, seed: int, updates: int, definitions: dict) -> float:
    """Validation accuracy after a training; kept, so that it need not be measured again."""
    split = variant.split
    key = f"{name}, seed {seed}, {updates} updates"
    conditions = [key, BATCH, PEAK_RATE, keras.backend.backend(), split.provenance, definitions["sources"]]
    path = FINISHED / f"{hashlib.sha256(json.dumps(conditions).encode()).hexdigest()[:16]}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))["validation"]
    grey = definitions["contrast_grey"]
    targets = split.targets if variant.targets is None else variant.targets
    training = Augmented(
        Preprocessed(split.X_train, grey), targets, variant.augment, split.rows if variant.halved else None
    )
    X_val = Preprocessed(split.X_val, grey)

    def build() -> keras.Model:
        model = definitions["dense_pyramid"]((32, 32, 1), "ablation")
        rate = definitions["one_cycle"](peak=PEAK_RATE, steps=updates)
        optimizer = keras.optimizers.Adam(rate, use_ema=variant.averaged, ema_momentum=0.998)
        return definitions["compile_classifier"](model, optimizer)

    epochs = 5
    schedule = Schedule(epochs, BATCH, updates // epochs, seed)
    trained = build_and_fit(key, build, (training, X_val, split.y_val), FINISHED, schedule, split)
    measured = accuracy(trained.model, X_val, split.y_val)
    write_json(path, {"variant": key, "validation": measured})
    trained.checkpoint.unlink(missing_ok=True)
    return measured


def main() -> int:
    """Measures, writes and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--real", type=Path, default=SHARED / "svhn" / "svhn-8k.npz", help="real digits")
    parser.add_argument("--published", type=Path, default=SHARED / "pretrained" / "simplenet-310k-svhn.npz")
    parser.add_argument("--updates", type=int, default=2000, help="of 128 digits (default: 2000)")
    options = parser.parse_args()
    try:
        definitions = load_definitions(ROOT / "Assignment3.ipynb")
        cells = tagged_cells(read_notebook(ROOT / "Assignment3.ipynb"), "definitions")
        # What was measured under other definitions is not taken for the same.
        defined = ("def vary(", "def contrast_grey(", "def dense_pyramid(")
        definitions["sources"] = [cell.source for cell in cells if any(name in cell.source for name in defined)]
        rows = variants(options, definitions["vary"])
        validation = len(next(iter(rows.values())).split.y_val)
        lines = [
            "# What each technique is worth",
            "",
            f"Written by `benchmarks/ablation.py`: model_1_2's network, {options.updates:,} updates of {BATCH} digits,",
            f"accuracy on {validation:,} real validation digits; two seeds. The first five rows build on each other.",
            "One standard error of a single figure is about one point; both seeds read the same digits, which makes",
            "differences surer than that. Rows with the teacher rest, through it, on SVHN's whole training set.",
            "Varied: moved (turned, slanted, resized, shifted), contrast and brightness changed, half inverted.",
            "",
            "| variant | mean | seeds |",
            "|---|---|---|",
        ]
        for name, variant in rows.items():
            shares = [measure(name, variant, seed, options.updates, definitions) for seed in SEEDS]
            lines.append(f"| {name} | {np.mean(shares):.1%} | {', '.join(f'{share:.1%}' for share in shares)} |")
            print(lines[-1])
    except SVHNError as error:
        print(f"ablation: {error}", file=sys.stderr)
        return 2
    rehearsed = any(getattr(options, name) != parser.get_default(name) for name in ("real", "updates"))
    write_text(FINISHED / TABLE.name if rehearsed else TABLE, "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
