"""Measures how well drawn digits pass for real ones: speed, difficulty, a two-sample test, transfer and gain.

    python benchmarks/drawing.py                                        speed, difficulty, two-sample: minutes
    python benchmarks/drawing.py transfer --note "92 typefaces"         what a network learns from drawn digits alone
    python benchmarks/drawing.py gain --updates 1600 --network small    extended against plain training
    KERAS_BACKEND=torch python benchmarks/drawing.py transfer           the same on another backend

Every run adds its figures to `benchmarks/drawing.json` under the drawer's edition and writes the table
`benchmarks/drawing.md`. Figures on other real digits than the default, or on fewer digits or after fewer updates than
the stored ones, are printed only. All but the speed need real digits, `--real`. The difficulty needs the published
network as well.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from given import PRETRAINED, REAL_DIGITS

from svhn.data.protocol import split_digits
from svhn.data.sources import load_digits
from svhn.digits import Digits
from svhn.drawn.drawing import EDITION, draw
from svhn.errors import SVHNError
from svhn.files import write_json, write_text

ROOT = Path(__file__).resolve().parents[1]

STORED, TABLE = ROOT / "benchmarks" / "drawing.json", ROOT / "benchmarks" / "drawing.md"
# These differ from the seeds of the project's data sets.
TRAINING_SEED, TEST_SEED = 11, 12
# Networks of 1.17 and of 0.29 million parameters.
CHANNELS = {"small": (32, 64, 128, 256), "tiny": (16, 32, 64, 128)}
# The notebook's convolutional network, which takes longest, and the size of its batches.
RECIPE, RECIPE_BATCH = "model_2_1", 32


def speed(options: argparse.Namespace) -> dict[str, Any]:
    """Digits a second on this machine, in a process of its own, with the start of the workers."""
    program = f"from svhn.drawn.drawing import draw; draw({options.digits}, 3)"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    rate = options.digits / (time.perf_counter() - start)
    return {"digits a second": round(rate), "cores": len(os.sched_getaffinity(0)), "of": options.digits}


def difficulty(options: argparse.Namespace) -> dict[str, Any]:
    """The published network's accuracy and confusions on drawn digits and on real ones."""
    from published import published_network

    from svhn.learning.batches import predict

    network = published_network(options.published)
    figures: dict[str, Any] = {}
    matrices = []
    for kind, digits in (("drawn", _drawn(options, TEST_SEED)), ("real", _real(options))):
        probabilities = predict(network, digits.images)
        read = probabilities.argmax(axis=1)
        matrix = np.zeros((10, 10), int)
        np.add.at(matrix, (digits.labels, read), 1)
        matrices.append(matrix)
        wrong = Counter(f"{a} as {b}" for a, b in zip(digits.labels, read, strict=True) if a != b)
        figures[kind] = {
            "digits": len(digits),
            "accuracy": round(float((read == digits.labels).mean()), 4),
            "confidence": round(float(probabilities.max(axis=1).mean()), 4),
            "confusions": dict(wrong.most_common(8)),
        }
    off_diagonal = ~np.eye(10, dtype=bool)
    shapes = [(matrix / matrix.sum(axis=1, keepdims=True))[off_diagonal] for matrix in matrices]
    figures["correlation of the confusions"] = round(float(np.corrcoef(*shapes)[0, 1]), 3)
    return figures


def two_sample(options: argparse.Namespace) -> dict[str, Any]:
    """Trains a small network to tell drawn digits from real ones: its area under the ROC curve on other digits."""
    import keras
    from readers import fit_network, small_classifier
    from sklearn.metrics import roc_auc_score

    split = split_digits(_real(options))
    real = np.concatenate([split.X_train, split.X_val])
    drawn = draw(len(real), TEST_SEED).images if options.drawn is None else _drawn(options, TEST_SEED).images
    n = min(len(real), len(drawn))
    images = np.concatenate([real[:n], drawn[:n]])
    labels = np.repeat([0, 1], n)
    order = np.random.default_rng(1).permutation(2 * n)
    images, labels = images[order], labels[order]
    seen = 3 * len(images) // 4
    keras.utils.set_random_seed(1)
    network = small_classifier((32, 32, 3), (24, 48, 64, 64), 2)
    fit_network(network, images[:seen], labels[:seen], options.updates or 400, "two-sample", _mirrored)
    scores = network.predict(images[seen:].astype(np.float32) / 255, batch_size=256, verbose=0)
    area = roc_auc_score(labels[seen:], scores[:, 1])
    return {
        "area under curve": round(float(area), 3),
        "held out": len(images) - seen,
        "updates": options.updates or 400,
    }


def transfer(options: argparse.Namespace) -> dict[str, Any]:
    """Trains a small network on drawn digits alone, and measures it on real ones."""
    import keras
    from readers import augmented, fit_network, grey, small_classifier

    _known_network(options.network)
    keras.utils.set_random_seed(1)
    drawn = _drawn(options, TRAINING_SEED, options.training)
    network = small_classifier((32, 32, 1), CHANNELS[options.network], 10)
    updates = options.updates or 1600
    fit_network(network, grey(drawn.images), drawn.labels, updates, "transfer", augmented)
    real = _real(options)
    read = network.predict(grey(real.images).astype(np.float32) / 255, batch_size=256, verbose=0).argmax(axis=1)
    return {
        "network": options.network,
        "accuracy": round(float((read == real.labels).mean()), 4),
        "real digits": len(real),
        "trained on": len(drawn),
        "updates": updates,
        "parameters": network.count_params(),
    }


def gain(options: argparse.Namespace) -> dict[str, Any]:
    """Compares one recipe and number of updates on real digits alone and on the extended set, three seeds each."""
    import keras
    from readers import BATCH, augmented, fit_network, grey, small_classifier

    _known_network(options.network, RECIPE)
    plain = split_digits(_real(options))
    drawn = _drawn(options, TRAINING_SEED, options.training)
    X_train, y_train = np.concatenate([plain.X_train, drawn.images]), np.concatenate([plain.y_train, drawn.labels])
    extended = replace(plain, X_train=X_train, y_train=y_train, drawn=drawn)
    updates = options.updates or 3000
    own = options.network == RECIPE
    batch_size = RECIPE_BATCH if own else BATCH
    figures: dict[str, Any] = {"network": options.network, "updates": updates, "batch size": batch_size}
    figures |= {"validation": len(plain.y_val), "shown": "half real"}
    for name, split in (("real alone", plain), ("real and drawn", extended)):
        accuracies = []
        for seed in (1, 2, 3):
            keras.utils.set_random_seed(seed)
            if not own:
                prepare: Callable[[np.ndarray], np.ndarray] = grey
                network = small_classifier((32, 32, 1), CHANNELS[options.network], 10)
            else:
                from svhn.notebook.cells import load_definitions

                definitions = load_definitions(ROOT / "Assignment3.ipynb")
                prepare, network = definitions["contrast_grey"], definitions[f"build_{RECIPE}"](steps=updates)
            augment = None if own else augmented
            title = f"{name}, seed {seed}"
            images, labels = prepare(split.X_train)[split.rows], split.y_train[split.rows]
            fit_network(network, images, labels, updates, title, augment, seed, batch_size)
            X_val = prepare(split.X_val).astype(np.float32) / 255
            read = network.predict(X_val, batch_size=256, verbose=0).argmax(axis=1)
            accuracies.append(round(float((read == split.y_val).mean()), 4))
        figures[name] = {"training digits": len(split.y_train), "accuracies": accuracies}
    return figures


MEASURES = {"speed": speed, "difficulty": difficulty, "two-sample": two_sample, "transfer": transfer, "gain": gain}


def _known_network(name: str, *others: str) -> None:
    known = [*CHANNELS, *others]
    if name not in known:
        raise SVHNError(f"there is no network {name!r} for this measure; choose of {', '.join(known)}")


def _mirrored(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return images[:, :, ::-1] if rng.random() < 0.5 else images


def _drawn(options: argparse.Namespace, seed: int, n: int | None = None) -> Digits:
    return load_digits(options.drawn) if options.drawn else draw(n or options.digits, seed)


def _real(options: argparse.Namespace) -> Digits:
    if not Path(options.real).exists():
        raise SVHNError(f"{options.real} is missing; name real digits with --real")
    return load_digits(options.real)


def _effort(figures: Any) -> list[int]:
    """The numbers of digits and updates that a measure rests on, in a fixed order."""
    counts = ("of", "digits", "training digits", "trained on", "held out", "real digits", "updates")
    found = []
    for key, value in figures.items() if isinstance(figures, dict) else ():
        found += [value] if key in counts else _effort(value)
    return found


def _store(name: str, version: str, note: str, figures: dict[str, Any]) -> None:
    """Adds figures to those of the drawer's version and writes the table anew, unless there are better founded ones."""
    rows = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else []
    row = next((row for row in rows if row["drawer"] == version), None)
    if row is None:
        row = {"drawer": version, "note": note}
        rows.append(row)
    row["note"] = note or row["note"]
    # Figures of different networks do not compare, so each network keeps its own.
    place, key = (row.setdefault(name, {}), figures["network"]) if "network" in figures else (row, name)
    kept = place.get(key, figures)
    if any(new < old for new, old in zip(_effort(figures), _effort(kept), strict=True)):
        print(f"{TABLE.relative_to(ROOT)} keeps its figures, which rest on more digits or updates")
        return
    place[key] = figures
    write_json(STORED, rows)
    write_text(TABLE, _table(rows))
    print(f"written to {TABLE.relative_to(ROOT)}")


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "# How well drawn digits pass for real ones",
        "",
        "Written by `benchmarks/drawing.py`, one row a version of the drawer; all figures, and what they were",
        "measured on, are in `drawing.json`. Difficulty: accuracy of the published SimpleNet-310k on drawn digits (on",
        "the 8,001 real ones of svhn-8k: 97.6 %). Two-sample: area under the curve of a small network, 0.5 is perfect.",
        "Transfer: trained on drawn digits alone, read the 8,001 real ones; only figures of one network, of as many",
        "digits and updates, compare. Gain: validation accuracy without drawn digits and with them, mean and spread",
        "of three seeds. Networks: tiny has 0.29 million parameters, small 1.17 million.",
        "",
        "| drawer | what is new | digits/s | difficulty | two-sample | transfer | gain |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["drawer"], row["note"]]
        cells.append(f"{row['speed']['digits a second']:,}" if "speed" in row else "")
        cells.append(f"{row['difficulty']['drawn']['accuracy']:.1%}" if "difficulty" in row else "")
        cells.append(f"{row['two-sample']['area under curve']:.3f}" if "two-sample" in row else "")
        form = "{accuracy:.1%} ({network}: {trained on:,} digits, {updates:,} updates)"
        cells.append("; ".join(form.format_map(figures) for figures in row.get("transfer", {}).values()))
        cells.append("; ".join(_gain_cell(figures) for figures in row.get("gain", {}).values()))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _gain_cell(figures: dict[str, Any]) -> str:
    sides = [figures[name]["accuracies"] for name in ("real alone", "real and drawn")]
    spread = " -> ".join(f"{np.mean(side):.1%} ({min(side):.1%} to {max(side):.1%})" for side in sides)
    updates = f"{figures['updates']:,} updates of {figures['batch size']}"
    return f"{spread}, {figures['network']}, {updates}, {figures['shown']}"


def main() -> int:
    """Measures, stores and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    quick = ["speed", "difficulty", "two-sample"]  # The speed is this drawer's, whosever digits are measured.
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"{', '.join(MEASURES)} (default: {quick})")
    parser.add_argument("--real", default=str(REAL_DIGITS), help="real digits")
    parser.add_argument("--published", type=Path, default=PRETRAINED / "simplenet-310k-svhn.npz")
    parser.add_argument("--drawn", help="an .npz of digits drawn by another drawer, in place of this one's")
    parser.add_argument("--version", help="what to call that drawer")
    parser.add_argument("--digits", type=int, default=6000, help="drawn digits to measure on (default: 6000)")
    parser.add_argument("--training", type=int, default=58_424, help="drawn digits to train on (default: 58424)")
    parser.add_argument("--updates", type=int, help="of the network that is trained")
    parser.add_argument("--network", default="small", help="small (default), tiny, or for gain model_2_1's recipe")
    parser.add_argument("--note", default="", help="what is new in this version of the drawer")
    options = parser.parse_args()
    version = options.version or f"edition {EDITION}"
    try:
        if (options.drawn is None) != (options.version is None) or (options.drawn and "speed" in options.measures):
            raise SVHNError(
                "--drawn and --version go together, with measures other than speed, which times this drawer"
            )
        for name in options.measures or quick[bool(options.drawn) :]:
            if name not in MEASURES:
                raise SVHNError(f"there is no measure {name!r}; choose of {', '.join(MEASURES)}")
            figures = MEASURES[name](options)
            print(name, json.dumps(figures))
            if options.real != parser.get_default("real") and name != "speed":
                print(f"measured on {options.real}: not for {TABLE.relative_to(ROOT)}")
            else:
                _store(name, version, options.note, figures)
    except SVHNError as error:
        print(f"drawing: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
