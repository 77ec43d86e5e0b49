"""The harness: what it stores, prints and refuses."""

import functools
import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from small_network import build, evaluation_split

from svhn.data.protocol import extend_training
from svhn.errors import SVHNError
from svhn.learning.batches import Augmented, Preprocessed, provenance_of, unpack
from svhn.learning.comparison import Variant, run_comparison
from svhn.learning.evaluation import accuracy, run_evaluation


@pytest.fixture(scope="module")
def digits():
    return evaluation_split()


@pytest.fixture(scope="module")
def trained(digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    split, data = digits
    run_evaluation("model_small", build, data, folder, epochs=3, verbose=0, split=split)
    return folder


def test_a_grader_s_run_loads_and_never_trains(trained, digits, monkeypatch, capsys):
    _, data = digits
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    before = (trained / "model_small.keras").read_bytes()
    run_evaluation("model_small", build, data, trained, train=True)
    assert "Loading model from file" in capsys.readouterr().out
    split, other = evaluation_split(n=200, seed=9)
    run_evaluation("model_small", build, other, trained, train=True, split=split)
    assert "On this run's" not in capsys.readouterr().out  # The grader's own cell measures.
    assert (trained / "model_small.keras").read_bytes() == before
    with pytest.raises(SVHNError, match=r"comparison_small\.json is missing"):
        run_comparison("comparison_small", {"one": Variant(build, data)}, "one", trained, train=True)


def test_a_loaded_model_is_measured_on_digits_that_its_record_does_not_name(trained, capsys):
    split, other = evaluation_split(n=200, seed=9)
    run_evaluation("model_small", build, other, trained, train=False, split=split)
    assert "On this run's 32 validation digits" in capsys.readouterr().out


def inverted(images):
    return 255 - images


def halved(images):
    return images // 2


def brighter(batch, generator):
    return np.clip(batch + generator.uniform(0, 0.2, (len(batch), 1, 1, 1)).astype(np.float32), 0, 1)


def test_the_record_says_what_was_done(trained, digits):
    split, _ = digits
    record = json.loads((trained / "model_small.json").read_text())
    assert set(record["learning_curves"]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert {len(curve) for curve in record["learning_curves"].values()} == {3}
    assert record["data"] == {
        "name": "drawn, seed 1",
        "real": False,
        "digits": 300,
        "fingerprint": split.digits.fingerprint,
        "split_seed": 1,
        "train": 192,
        "validation": 48,
        "test": 60,
        "train_real": 0,
        "train_drawn": 192,
    }
    assert record["recipe"]["epochs"] == 3 and record["recipe"]["optimizer"]["class_name"] == "Adam"
    assert record["bytes"] < 2.5 * record["parameters"]  # no optimizer's state
    assert record["backend"] and record["versions"]["keras"] and record["seconds"] > 0


def test_the_recorded_accuracies_are_the_file_s(trained, digits):
    split, _ = digits
    model = keras.saving.load_model(trained / "model_small.keras")
    record = json.loads((trained / "model_small.json").read_text())
    assert record["accuracy"] == {
        "validation": accuracy(model, split.X_val, split.y_val),
        "test": accuracy(model, split.X_test, split.y_test),
    }
    counts = np.bincount(split.y_test, minlength=10)
    right = [share * count for share, count in zip(record["test_by_digit"], counts, strict=True) if count]
    assert sum(right) / len(split.y_test) == pytest.approx(record["accuracy"]["test"])


def test_a_view_of_a_view_is_measured_through_both(digits, tmp_path):
    split, (X_train, X_val, y_train, y_val) = digits
    data = (*(Preprocessed(Preprocessed(X, inverted), halved) for X in (X_train, X_val)), y_train, y_val)
    model = run_evaluation("model_small", build, data, tmp_path, epochs=1, verbose=0, split=split)
    record = json.loads((tmp_path / "model_small.json").read_text())
    assert record["preprocessing"] == "halved after inverted"
    assert record["accuracy"]["test"] == accuracy(model, halved(inverted(split.X_test)), split.y_test)


def test_images_whose_making_is_not_known_are_refused_before_the_training(digits, tmp_path):
    split, (X_train, X_val, y_train, y_val) = digits
    with pytest.raises(SVHNError, match=r"use X_val itself or Preprocessed\(X_val, function\)"):
        run_evaluation("model_small", build, (255 - X_train, 255 - X_val, y_train, y_val), tmp_path, split=split)
    assert not list(tmp_path.iterdir())
    scaled = (X_train.astype(np.float32) / np.float32(255), X_val.astype(np.float32) / np.float32(255), y_train, y_val)
    model = run_evaluation("model_small", build, scaled, tmp_path, epochs=1, verbose=0, split=split)
    record = json.loads((tmp_path / "model_small.json").read_text())
    assert record["accuracy"]["test"] == accuracy(model, split.X_test, split.y_test)


def test_reloading_reports_the_same_without_training(trained, digits, capsys):
    split, data = digits
    before = {path: path.read_bytes() for path in trained.glob("model_*")}

    def never():
        raise AssertionError("a stored model was built anew")

    run_evaluation("model_small", never, data, trained, train=False, split=split)
    printed = capsys.readouterr().out
    assert "\033[91mLoading model from file\033[0m" in printed and "\033[91mSuccess!\033[0m" in printed
    curves = json.loads((trained / "model_small.json").read_text())["learning_curves"]
    rows = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.startswith(("min", "max"))}
    for row, extreme in (("min", min), ("max", max)):
        assert rows[row] == [f"{extreme(curves[key]):.4f}" for key in ("loss", "accuracy", "val_loss", "val_accuracy")]
    assert "drawn digits" in printed and "hidden" in printed
    assert {path: path.read_bytes() for path in trained.glob("model_*")} == before


def test_other_digits_are_measured_and_named(trained, capsys):
    split, data = evaluation_split(n=200, seed=9)
    run_evaluation("model_small", build, data, trained, train=False, split=split)
    assert "On this run's 32 validation digits" in capsys.readouterr().out


def test_augmented_and_preprocessed_training_is_recorded(digits, tmp_path):
    split, (X_train, X_val, y_train, y_val) = digits
    augmented = Augmented(Preprocessed(X_train, inverted), y_train, brighter)
    run_evaluation(
        "model_small",
        build,
        (augmented, Preprocessed(X_val, inverted), y_val),
        tmp_path,
        generator=True,
        epochs=2,
        steps_per_epoch=4,
        verbose=0,
        split=split,
        units=8,
    )
    record = json.loads((tmp_path / "model_small.json").read_text())
    assert record["preprocessing"] == "inverted"
    assert record["recipe"]["augmentation"] == "brighter" and record["recipe"]["steps_per_epoch"] == 4
    assert record["parameters"] == 3072 * 8 + 8 + 8 * 10 + 10


def test_a_builder_is_told_how_long_it_will_train(digits, tmp_path):
    told = []

    def timed(units, steps=1):
        told.append((units, steps))
        return build(units)

    data = digits[1]
    run_evaluation("model_small", timed, data, tmp_path, epochs=2, batch_size=64, verbose=0, units=4)
    one = {"one": Variant(functools.partial(timed, 8), data)}
    run_comparison("comparison_x", one, "one", tmp_path, epochs=3, batch_size=64, seeds=(1,))
    assert told == [(4, 2 * 3), (8, 3 * 3)]


def test_a_recipe_s_length_multiplies_its_batches(digits, tmp_path):
    for length, steps in ((2.5, 10), (0.0001, 1)):
        run_evaluation("model_small", build, digits[1], tmp_path, epochs=1, steps_per_epoch=4, verbose=0, length=length)
        recipe = json.loads((tmp_path / "model_small.json").read_text())["recipe"]
        assert (recipe["epochs"], recipe["steps_per_epoch"]) == (1, steps)


@pytest.mark.parametrize("parts", [slice(0, 3), slice(0, 0)])
def test_data_of_another_form_are_refused(digits, tmp_path, parts):
    with pytest.raises(SVHNError, match="data must be"):
        run_evaluation("model_small", build, digits[1][parts], tmp_path, verbose=0)


def test_one_hot_validation_labels_are_refused_before_the_training(digits, tmp_path):
    X_train, X_val, y_train, y_val = digits[1]
    with pytest.raises(SVHNError, match="y_val must be digits, not one-hot"):
        run_evaluation("model_small", build, (X_train, X_val, y_train, np.eye(10)[y_val]), tmp_path, verbose=0)


def test_a_record_counts_the_digits_that_were_seen(digits, tmp_path):
    split, (X_train, X_val, y_train, y_val) = digits
    few = X_train[:50], X_val, y_train[:50], y_val
    run_evaluation("model_small", build, few, tmp_path, epochs=1, verbose=0, split=split)
    data = json.loads((tmp_path / "model_small.json").read_text())["data"]
    assert (data["train"], data["train_real"], data["train_drawn"]) == (50, 0, 50)


def test_beside_drawn_digits_a_record_says_what_a_pass_shows_and_of_what(digits, tmp_path):
    plain, _ = digits
    split = extend_training(replace(plain, digits=replace(plain.digits, real=True)), 400, tmp_path)
    X_train, y_train = split.X_train, split.y_train
    for training, shown in (
        (Augmented(X_train, y_train, brighter, split.rows), len(split.rows)),
        (Augmented(X_train, y_train, brighter), len(y_train)),
    ):
        assert provenance_of(split, training).shown_in_a_pass == shown
    with pytest.raises(SVHNError, match="how many of these 50 training digits are drawn; train on X_train itself"):
        provenance_of(split, Augmented(X_train[:50], y_train[:50], brighter))


def test_what_is_trained_on_extended_digits_is_shown_half_real_ones(digits, tmp_path):
    plain, (X_train, X_val, y_train, y_val) = digits
    split = extend_training(replace(plain, digits=replace(plain.digits, real=True)), 400, tmp_path)
    own = np.arange(7)
    for data, generator, rows in (
        ((split.X_train, X_val, split.y_train, y_val), False, split.rows),
        ((Augmented(split.X_train, split.y_train, brighter), X_val, y_val), True, split.rows),
        ((Augmented(split.X_train, split.y_train, brighter, own), X_val, y_val), True, own),
        ((X_train, X_val, y_train, y_val), False, None),  # Not the digits that were extended.
    ):
        np.testing.assert_array_equal(unpack("model_small", data, generator, split)[0].rows, rows)


def constant(digit):
    """A network that calls every image the same digit, and learns nothing."""
    model = build(2)
    model.compile(keras.optimizers.SGD(0.0), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    bias = np.zeros(10, np.float32)
    bias[digit] = 5
    model.get_layer("fc").set_weights([np.zeros((2, 10), np.float32), bias])
    return model


def test_a_better_stored_model_is_kept_unless_told_otherwise(digits, tmp_path, capsys):
    split, data = digits
    counts = np.bincount(split.y_val, minlength=10)
    best, worst = int(counts.argmax()), int(counts.argmin())
    assert counts[best] > counts[worst]

    def train(digit, **options):
        model = run_evaluation("model_small", constant, data, tmp_path, epochs=1, verbose=0, digit=digit, **options)
        shares = json.loads((tmp_path / "model_small.json").read_text())["accuracy"]["validation"]
        assert shares == pytest.approx(accuracy(model, split.X_val, split.y_val))
        # The kept training of one constant is that of another: their architecture and recipe are the same.
        (tmp_path / "checkpoints/model_small.keras").unlink(missing_ok=True)
        return shares * len(split.y_val)

    assert train(best, split=split) == pytest.approx(counts[best])
    capsys.readouterr()
    before = {path: path.read_bytes() for path in tmp_path.glob("model_small.*")}
    assert train(worst, split=split) == pytest.approx(counts[best])
    printed = capsys.readouterr().out
    assert "The stored model is kept" in printed and "--force" in printed
    assert f"{counts[best] / 48:.2%}" in printed and f"{counts[worst] / 48:.2%}" in printed
    assert {path: path.read_bytes() for path in tmp_path.glob("model_small.*")} == before
    assert train(worst, split=split, force=True) == pytest.approx(counts[worst])
    assert train(best, split=split) == pytest.approx(counts[best])  # A better one needs no force,
    assert train(best, split=split) == pytest.approx(counts[best])  # nor does one as good.
    assert "is kept" not in capsys.readouterr().out


def test_a_model_of_other_digits_or_a_damaged_one_is_no_reason_to_keep_it(digits, tmp_path, capsys):
    split, data = digits
    best, worst = np.bincount(split.y_val, minlength=10).argmax(), np.bincount(split.y_val, minlength=10).argmin()
    other, others = evaluation_split(n=200, seed=9)
    run_evaluation("model_small", constant, others, tmp_path, epochs=1, verbose=0, split=other, digit=best)
    for damage in (False, True):
        if damage:
            (tmp_path / "model_small.json").write_text("{")
        run_evaluation("model_small", constant, data, tmp_path, epochs=1, verbose=0, split=split, digit=worst)
        record = json.loads((tmp_path / "model_small.json").read_text())
        assert record["data"]["fingerprint"] == split.digits.fingerprint
    assert "is kept" not in capsys.readouterr().out


def test_images_without_labels_are_refused(digits, tmp_path):
    X_train, X_val, y_train, y_val = digits[1]
    with pytest.raises(SVHNError, match="differ in number"):
        run_evaluation("model_small", build, (X_train[:-1], X_val, y_train, y_val), tmp_path, verbose=0)


def test_a_model_never_stored_is_named(digits, tmp_path):
    with pytest.raises(SVHNError, match="no stored model model_9_9"):
        run_evaluation("model_9_9", build, digits[1], tmp_path, train=False)
