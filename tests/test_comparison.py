"""Comparisons of variants: their seeds, their test, and what a killed one repeats."""

import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom
from small_network import build, evaluation_split

from svhn.errors import SVHNError
from svhn.learning.batches import Augmented, unaltered
from svhn.learning.comparison import Variant, run_comparison
from svhn.learning.paired import Comparison, Run

ROOT = Path(__file__).parents[1]
# Trains two variants with two seeds each, notes each training that begins, and is killed as the n-th begins.
PROGRAM = """
import sys
from pathlib import Path

from small_network import build, die, evaluation_split

from svhn.learning.comparison import Variant, run_comparison
from svhn.learning import comparison

folder, deadly = Path(sys.argv[1]), int(sys.argv[2])
train, begun = comparison.fit, []


def noted(name, *arguments):
    begun.append(name)
    with (folder / "begun").open("a") as file:
        file.write(name + "\\n")
    if len(begun) == deadly:
        die()
    return train(name, *arguments)


comparison.fit = noted
split, data = evaluation_split()
variants = {"narrow": Variant(lambda: build(4), data), "wide": Variant(lambda: build(16), data)}
run_comparison("comparison_x", variants, "narrow", folder, batch_size=64, seeds=(1, 2), split=split)
"""


@pytest.fixture(scope="module")
def digits():
    return evaluation_split()


def compared(digits, folder, units=(4, 16), **options):
    split, data = digits
    variants = {f"{n} units": Variant(functools.partial(build, n), data) for n in units}
    reference = f"{units[0]} units"
    return run_comparison("comparison_x", variants, reference, folder, batch_size=64, split=split, **options)


def stored_of(**read):
    """A stored comparison out of what each variant's seeds read right, as rows of 0 and 1."""
    variants = {
        label: {
            str(seed): Run(accuracy=0.5, val_accuracy=float(np.mean(row)), right=np.packbits(row).tobytes().hex())
            for seed, row in enumerate(rows, start=1)
        }
        for label, rows in read.items()
    }
    return Comparison(
        name="comparison_x",
        reference=next(iter(read)),
        data=None,
        validation=len(next(iter(read.values()))[0]),
        epochs=1,
        batch_size=64,
        steps_per_epoch=1,
        backend="jax",
        variants=variants,
    )


def test_the_paired_test_is_mcnemar_s_on_a_table_counted_by_hand():
    # Of 20 digits both read 9 and neither 2; the variant alone reads 8, the reference alone 1.
    reference = [1] * 9 + [0] * 2 + [0] * 8 + [1]
    variant = [1] * 9 + [0] * 2 + [1] * 8 + [0]
    table = stored_of(reference=[reference], variant=[variant]).table()
    assert (table.loc["variant", "gained"], table.loc["variant", "lost"]) == (8, 1)
    # Exact and two-sided: as unequal as 8 to 1, or more so, in nine tosses of a coin: 2 * (9 + 1) / 2**9.
    assert table.loc["variant", "p"] == pytest.approx(20 / 512) == 2 * binom.cdf(1, 9, 0.5)
    assert table.loc["variant", "difference"] == pytest.approx(7 / 20)
    assert list(table.loc["reference", ["difference", "gained", "lost", "p"]]) == [0, 0, 0, 1]


def test_over_seeds_a_digit_counts_where_more_or_fewer_of_them_read_it():
    reference = [[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [1, 0, 0, 0, 1]]  # read 3, 1, 1, 0, 1 times
    variant = [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [0, 1, 0, 0, 1]]  # read 2, 3, 2, 0, 1 times
    table = stored_of(reference=reference, variant=variant).table()
    row = table.loc["variant"]
    assert (row["gained"], row["lost"], row["p"]) == (2, 1, 1)
    assert [row["mean"], row["least"], row["greatest"]] == pytest.approx([8 / 15, 2 / 5, 3 / 5])
    assert row["difference"] == pytest.approx((8 - 6) / 15)


def test_every_variant_is_trained_with_every_seed_under_one_set_of_conditions(digits, tmp_path, capsys):
    table = compared(digits, tmp_path, epochs=2)
    stored = json.loads((tmp_path / "comparison_x.json").read_text())
    assert {label: list(runs) for label, runs in stored["variants"].items()} == {
        "4 units": ["1", "2", "3"],
        "16 units": ["1", "2", "3"],
    }
    conditions = [stored[name] for name in ("epochs", "batch_size", "steps_per_epoch", "validation", "reference")]
    assert conditions == [2, 64, 3, 48, "4 units"] and stored["data"]["fingerprint"] == digits[0].digits.fingerprint
    runs = stored["variants"]["16 units"]
    assert len({run["right"] for run in runs.values()}) > 1  # Another seed is another training.
    for run in runs.values():
        right = np.unpackbits(np.frombuffer(bytes.fromhex(run["right"]), np.uint8), count=48)
        assert run["val_accuracy"] == pytest.approx(right.mean())
    printed = capsys.readouterr().out
    assert "6 batches of 64 each, 3 seeds; 48 validation digits of drawn digits (drawn, seed 1)" in printed
    assert "exact binomial test" in printed
    assert not list(tmp_path.glob("checkpoints/*"))
    again = compared(digits, tmp_path, train=False)
    assert again.equals(table) and list(again.index) == ["4 units", "16 units"]


def test_one_seed_gives_one_result_and_data_may_differ(digits, tmp_path):
    split, (X_train, X_val, y_train, y_val) = digits
    few = Augmented(X_train[:64], y_train[:64], unaltered), X_val, y_val
    variants = {
        "all": Variant(functools.partial(build, 8), digits[1]),
        "all again": Variant(functools.partial(build, 8), digits[1]),
        "few": Variant(functools.partial(build, 8), few),
    }
    table = run_comparison(
        "comparison_y", variants, "all", tmp_path, batch_size=64, steps_per_epoch=4, seeds=(1,), split=split
    )
    assert table.loc["all", "mean"] == table.loc["all again", "mean"] and table.loc["all again", "p"] == 1
    stored = json.loads((tmp_path / "comparison_y.json").read_text())["variants"]
    assert stored["all"] == stored["all again"] != stored["few"]


def killed_as(number, folder):
    """Runs a comparison in a process of its own: its end, and the trainings that it began."""
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), str(number)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
    )
    begun = (folder / "begun").read_text().splitlines()
    (folder / "begun").unlink()
    return process, [name.removeprefix("comparison_x, ") for name in begun]


def test_a_killed_comparison_repeats_no_training_that_it_finished(tmp_path):
    process, begun = killed_as(3, tmp_path)
    assert process.returncode == -signal.SIGKILL and begun == ["narrow, seed 1", "narrow, seed 2", "wide, seed 1"]
    assert not (tmp_path / "comparison_x.json").exists()
    process, begun = killed_as(0, tmp_path)
    assert process.returncode == 0, process.stderr
    assert begun == ["wide, seed 1", "wide, seed 2"]
    runs = json.loads((tmp_path / "comparison_x.json").read_text())["variants"]
    assert {label: list(seeds) for label, seeds in runs.items()} == {"narrow": ["1", "2"], "wide": ["1", "2"]}
    assert not list(tmp_path.glob("checkpoints/*"))


def test_what_was_finished_of_another_recipe_is_trained_anew(digits, tmp_path):
    progress = tmp_path / "checkpoints/comparison_x.json"
    progress.parent.mkdir()
    other = {"plan": "other", "result": {"accuracy": 0.5, "val_accuracy": 0.5, "right": ""}}
    progress.write_text(json.dumps({f"comparison_x, {n} units, seed 1": other for n in (4, 16)}))
    assert compared(digits, tmp_path, seeds=(1,))["mean"].notna().all()
    for damaged in ("{", "[1]", "null"):
        progress.write_text(damaged)
        assert compared(digits, tmp_path, seeds=(1,))["mean"].notna().all()


@pytest.mark.parametrize(
    "content", ["{", "[]", "null", "{}", '{"variants": {}}', '{"variants": {"a": {"1": {"right": "xyz"}}}}']
)
def test_a_damaged_comparison_is_named(digits, tmp_path, content):
    (tmp_path / "comparison_x.json").write_text(content)
    with pytest.raises(SVHNError, match=r"comparison_x\.json is damaged .*make train MODEL=comparison_x") as caught:
        compared(digits, tmp_path, train=False)
    assert "\n" not in str(caught.value)


def test_a_comparison_never_made_is_named(digits, tmp_path):
    with pytest.raises(SVHNError, match=r"comparison_x\.json is missing; train it: make train MODEL=comparison_x"):
        compared(digits, tmp_path, train=False)
