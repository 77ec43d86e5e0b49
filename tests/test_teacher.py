"""Soft labels from a published network."""

from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from test_protocol import numbered

from svhn.data.protocol import extend_training, split_digits
from svhn.data.sources import load_digits
from svhn.drawn.drawing import draw
from svhn.errors import SVHNError
from svhn.learning import teacher
from svhn.learning.batches import Augmented, predict, unaltered
from svhn.learning.evaluation import run_evaluation
from svhn.learning.records import load_record
from svhn.learning.teacher import published_network, soften_labels
from svhn.notebook.cells import load_definitions
from svhn.settings import TEACHER_VARIABLE

SHARED = Path(__file__).parents[1] / "../shared"
CHANNELS = (64, 32, 32, 32, 32, 32, 64, 64, 64, 128, 256, 64, 64)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file in the published network's form, with weights of no use."""
    path = tmp_path_factory.mktemp("teacher") / "weights.npz"
    rng = np.random.default_rng(0)
    arrays, depth = {}, 3
    for number, channels in enumerate(CHANNELS, start=1):
        side = 1 if number in (11, 12) else 3
        arrays[f"block{number}/kernel"] = rng.normal(0, (side * side * depth) ** -0.5, (side, side, depth, channels))
        arrays[f"block{number}/bias"] = np.zeros(channels)
        if number <= 10:
            arrays |= {f"block{number}/{part}": np.zeros(channels) for part in ("beta", "mean")}
            arrays |= {f"block{number}/{part}": np.ones(channels) for part in ("gamma", "variance")}
        depth = channels
    arrays |= {"block14/kernel": rng.normal(0, 1, (64, 10)), "block14/bias": np.zeros(10)}
    np.savez(path, **{name: array.astype(np.float32) for name, array in arrays.items()})
    return path


@pytest.fixture(scope="module")
def split():
    return split_digits(draw(300, 5))


def test_without_a_teacher_targets_are_the_labels(split):
    assert soften_labels(split) is split
    assert split.targets is split.y_train and "teacher" not in split.provenance


def test_soft_labels_mix_the_label_with_what_the_teacher_says(split, weights, tmp_path):
    taught = soften_labels(split, weights, tmp_path)
    assert taught.targets.dtype == np.float32 and taught.targets.shape == (len(split.y_train), 10)
    np.testing.assert_allclose(taught.targets.sum(axis=1), 1, rtol=1e-5)
    probabilities = predict(published_network(weights), split.X_train)
    flat = probabilities ** (1 / teacher.TEMPERATURE)
    expected = teacher.SHARE * flat / flat.sum(axis=1, keepdims=True)
    expected += (1 - teacher.SHARE) * np.eye(10)[split.y_train]
    np.testing.assert_allclose(taught.targets, expected, atol=1e-4)
    assert taught.provenance["teacher"]["name"] == "weights.npz" and taught.provenance["teacher"]["share"] == 0.7


def test_the_teacher_reads_each_set_of_digits_once(split, weights, tmp_path, monkeypatch):
    first = soften_labels(split, weights, tmp_path)
    (stored,) = tmp_path.glob("taught-*.npy")
    with monkeypatch.context() as patch:
        patch.setattr(teacher, "predict", None)
        np.testing.assert_array_equal(soften_labels(split, weights, tmp_path).targets, first.targets)
    stored.write_bytes(stored.read_bytes()[:500])
    np.testing.assert_array_equal(soften_labels(split, weights, tmp_path).targets, first.targets)
    real = split_digits(numbered(300, real=True))
    soften_labels(extend_training(real, numbered(10)), weights, tmp_path)
    assert len(list(tmp_path.glob("taught-*.npy"))) == 2


def test_variables_override_the_notebook_s_parameters(split, tmp_path, monkeypatch):
    np.savez(tmp_path / "given.npz", X=split.digits.images, y=split.digits.labels)
    monkeypatch.setenv("SVHN_DATA", str(tmp_path / "given.npz"))
    monkeypatch.setenv("SVHN_EXTEND", "0")
    monkeypatch.setenv(TEACHER_VARIABLE, "")
    plain = load_definitions(ROOT / "Assignment3.ipynb", "data", extend="many")["split"]
    assert plain.drawn is None and plain.teacher is None
    monkeypatch.setenv(TEACHER_VARIABLE, str(tmp_path / "nobody.npz"))
    with pytest.raises(SVHNError, match=r"nobody\.npz is missing"):
        load_definitions(ROOT / "Assignment3.ipynb", "data", teacher="another.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive"])
def test_a_damaged_teacher_is_named(split, tmp_path, content):
    (tmp_path / "teacher.npz").write_bytes(content)
    with pytest.raises(SVHNError, match=r"teacher\.npz does not hold the published network"):
        soften_labels(split, tmp_path / "teacher.npz", tmp_path)
    np.savez(tmp_path / "teacher.npz", X=np.zeros(3))
    with pytest.raises(SVHNError, match=r"teacher\.npz does not hold the published network"):
        soften_labels(split, tmp_path / "teacher.npz", tmp_path)


def test_a_network_learns_from_soft_labels_and_is_measured_on_digits(split, weights, tmp_path, definitions):
    taught = soften_labels(split, weights, tmp_path)
    data = Augmented(taught.X_train, taught.targets, unaltered, taught.rows), taught.X_val, taught.y_val
    run_evaluation(
        "model_1_1", definitions["build_model_1_1"], data, tmp_path, generator=True, epochs=1, steps_per_epoch=2,
        batch_size=32, verbose=0, split=taught,
    )  # fmt: skip
    record = load_record(tmp_path, "model_1_1")
    assert record["data"]["teacher"]["sha256"] == taught.teacher["sha256"]
    curves = record["learning_curves"]
    assert curves["val_accuracy"][-1] == pytest.approx(record["accuracy"]["validation"], abs=0.05)


def test_plain_digits_train_the_same_network(split, tmp_path, definitions):
    data = split.X_train, split.X_val, split.y_train, split.y_val
    run_evaluation("model_1_1", definitions["build_model_1_1"], data, tmp_path, epochs=1, verbose=0, split=split)
    assert load_record(tmp_path, "model_1_1")["recipe"]["loss"] == "categorical_crossentropy"


def test_the_published_network_reads_real_digits():
    path, digits = SHARED / "pretrained/simplenet-310k-svhn.npz", SHARED / "svhn/svhn-8k.npz"
    if not (path.exists() and digits.exists()):
        pytest.skip("the published weights and real digits are not at hand")
    real = load_digits(digits)
    read = predict(published_network(path), real.images[:500]).argmax(axis=1)
    assert np.mean(read == real.labels[:500]) > 0.95
