"""Training and storing under real kills."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from small_network import build, evaluation_split

from svhn.errors import SVHNError
from svhn.learning.batches import Augmented, Preprocessed, unaltered
from svhn.learning.evaluation import run_evaluation
from svhn.learning.stored import load_model
from svhn.learning.training import Schedule, as_targets, fit

PROGRAM = Path(__file__).with_name("small_network.py")
READ = """
import sys
import numpy as np
from svhn.learning.evaluation import run_evaluation
from svhn.learning.stored import load_model

folder, images, prediction = sys.argv[1:]
np.save(prediction, load_model(folder, "model_small")[0].predict_on_batch(np.load(images)))
"""


def train(folder, units=16, where="never", backend="tensorflow"):
    return subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), str(units), where],
        cwd=PROGRAM.parents[1],
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(PROGRAM.parents[1])},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    process = train(folder)
    assert process.returncode == 0, process.stderr
    return folder


def fit_shortly(model, data, split, folder):
    """One batch, of images as they are."""
    X_train, X_val, y_train, y_val = data
    shown, schedule = Augmented(X_train, y_train, unaltered), Schedule(1, 32, 1)
    return fit("model_small", model, shown, (X_val, y_val), schedule, folder, split.provenance)


def test_a_killed_training_goes_on_from_its_last_epoch(finished, tmp_path):
    assert train(tmp_path, where="epoch").returncode == -signal.SIGKILL
    assert not (tmp_path / "model_small.keras").exists()
    with zipfile.ZipFile(tmp_path / "checkpoints/model_small.keras") as archive:
        seen = json.loads(archive.read("training.json"))["curves"]
    assert len(seen["loss"]) == 2
    assert train(tmp_path).returncode == 0
    resumed = load_model(tmp_path, "model_small")[1].learning_curves
    whole = load_model(finished, "model_small")[1].learning_curves
    assert len(resumed["loss"]) == 5
    for key, values in seen.items():
        assert resumed[key][:2] == values
    # The same digits in the same order, the optimizer's state and that of dropout's random numbers kept.
    np.testing.assert_allclose(resumed["loss"], whole["loss"], rtol=1e-4)
    assert not (tmp_path / "checkpoints/model_small.keras").exists()


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_resumed_training_shows_the_digits_that_were_next(tmp_path, backend):
    def shown(process):
        lines = [line for line in process.stdout.splitlines() if line.startswith("shown 2")]
        return list(dict.fromkeys(lines))

    whole = train(tmp_path / "whole", where="watched", backend=backend)
    assert train(tmp_path / "killed", where="epoch", backend=backend).returncode == -signal.SIGKILL
    resumed = train(tmp_path / "killed", where="watched", backend=backend)
    assert len(shown(whole)) == 6 and shown(whole) == shown(resumed)


def test_a_checkpoint_of_another_network_is_not_resumed(tmp_path):
    assert train(tmp_path, units=16, where="epoch").returncode == -signal.SIGKILL
    assert train(tmp_path, units=8).returncode == 0
    model, record = load_model(tmp_path, "model_small")
    assert model.get_layer("hidden").units == 8 and len(record.learning_curves["loss"]) == 5


# Four moves make a store: the pending model, the pending record, the model, the record.
@pytest.mark.parametrize("moves", [0, 1, 2, 3])
def test_a_kill_while_storing_leaves_a_whole_pair(finished, tmp_path, moves):
    for name in ("model_small.keras", "model_small.json"):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    before = (tmp_path / "model_small.json").read_bytes()
    assert train(tmp_path, units=8, where=f"move{moves}").returncode == -signal.SIGKILL
    model, record = load_model(tmp_path, "model_small")
    units = model.get_layer("hidden").units
    assert units == (16 if moves < 2 else 8)
    assert record.parameters == model.count_params()
    assert ((tmp_path / "model_small.json").read_bytes() == before) == (moves < 2)


def test_both_backends_train_and_read_each_other_s_files(finished, tmp_path):
    process = train(tmp_path, backend="jax")
    assert process.returncode == 0, process.stderr
    model, record = load_model(tmp_path, "model_small")
    assert record.backend == "jax"
    images = evaluation_split()[1][1][:8].astype("float32") / 255
    np.testing.assert_allclose(
        model.predict_on_batch(images), np.load(tmp_path / "prediction.npy"), rtol=1e-3, atol=1e-5
    )
    np.save(tmp_path / "images.npy", images)
    read_by_jax = subprocess.run(
        [sys.executable, "-c", READ, finished, tmp_path / "images.npy", tmp_path / "by_jax.npy"],
        cwd=PROGRAM.parents[1],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert read_by_jax.returncode == 0, read_by_jax.stderr
    np.testing.assert_allclose(
        np.load(tmp_path / "by_jax.npy"), np.load(finished / "prediction.npy"), rtol=1e-3, atol=1e-5
    )


def test_labels_take_the_form_that_the_loss_asks_for():
    model, digits = build(), np.arange(4)
    assert as_targets(digits, model) is digits
    for loss in ("categorical_crossentropy", keras.losses.CategoricalCrossentropy(label_smoothing=0.1)):
        model.compile(loss=loss)
        assert np.array_equal(as_targets(digits, model), np.eye(10)[:4])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy())
    assert as_targets(digits, model) is digits


def diverging(after):
    """The small network, whose learning rate is beyond all numbers after so many batches."""
    model = build()
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([after], [1e-3, 1e38])
    model.compile(keras.optimizers.SGD(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# Batches count from 0, and the rate of one is still the lower at the boundary: six batches are an epoch.
@pytest.mark.parametrize(("after", "place"), [(7, "at batch [34] of epoch 2"), (10, "after epoch 2")])
def test_a_loss_that_is_no_number_ends_the_training_and_spoils_no_checkpoint(tmp_path, after, place):
    split, data = evaluation_split()
    arguments = Augmented(data[0], data[2], unaltered), (data[1], data[3]), Schedule(4, 32, 6), tmp_path
    with pytest.raises(SVHNError, match=f"model_small: (val_)?loss is (nan|inf) ({place})") as caught:
        fit("model_small", diverging(after), *arguments, split.provenance)
    assert "\n" not in str(caught.value) and "lower learning rate" in str(caught.value)
    kept = keras.saving.load_model(tmp_path / "model_small.keras")
    assert all(np.isfinite(weight).all() for weight in kept.get_weights())
    with zipfile.ZipFile(tmp_path / "model_small.keras") as archive:
        curves = json.loads(archive.read("training.json"))["curves"]
    assert np.isfinite(list(curves.values())).all() and len(curves["loss"]) == 1


def test_a_model_of_no_numbers_is_never_stored(tmp_path):
    _, data = evaluation_split()
    with pytest.raises(SVHNError, match="model_small: loss is"):
        run_evaluation("model_small", lambda: diverging(1), data, tmp_path, epochs=2, verbose=0)
    assert not list(tmp_path.glob("model_small.*"))


@pytest.mark.parametrize("change", [{"epochs": 0}, {"batch_size": 0}, {"steps_per_epoch": -1}])
def test_an_empty_schedule_is_refused_before_anything_is_trained(tmp_path, change):
    split, data = evaluation_split()
    schedule = Schedule(**{"epochs": 1, "batch_size": 32, "steps_per_epoch": 1} | change)
    with pytest.raises(SVHNError, match=f"model_small: {next(iter(change))} is"):
        fit(
            "model_small",
            build(),
            Augmented(data[0], data[2], unaltered),
            (data[1], data[3]),
            schedule,
            tmp_path,
            split.provenance,
        )


def test_a_model_that_could_not_be_loaded_again_is_refused_before_it_is_trained(tmp_path):
    split, data = evaluation_split()

    class Unregistered(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    for layer in (Unregistered(), keras.layers.Lambda(lambda x: 2 * x)):
        model = keras.Sequential([build(), layer])
        model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        with pytest.raises(
            SVHNError, match="model_small: once stored, the model or its checkpoint could not be loaded"
        ) as caught:
            fit_shortly(model, data, split, tmp_path)
        assert "\n" not in str(caught.value)


def test_a_damaged_checkpoint_is_told_and_not_resumed(tmp_path, capsys):
    split, data = evaluation_split()
    (tmp_path / "model_small.keras").write_bytes(b"damaged")
    trained = fit_shortly(build(), data, split, tmp_path)
    assert len(trained.learning_curves["loss"]) == 1
    assert "model_small.keras is damaged" in capsys.readouterr().err


def test_a_model_that_measures_something_else_is_refused(tmp_path):
    split, data = evaluation_split()
    model = build()
    model.compile(loss="sparse_categorical_crossentropy", metrics=["acc"])
    with pytest.raises(SVHNError, match=r"metrics \['acc'\]; compile it with metrics=\[\"accuracy\"\]"):
        fit_shortly(model, data, split, tmp_path)


def test_a_checkpoint_of_other_images_labels_preprocessing_or_augmentation_is_not_resumed(tmp_path):
    _, (X_train, X_val, y_train, y_val) = evaluation_split()

    def seconds(images, augment=unaltered, labels=y_train):
        keras.backend.clear_session()  # Keras numbers nameless layers by what was built before.
        train = Augmented(images, labels, augment)
        return fit("model_small", build(), train, (X_val, y_val), Schedule(1, 32, 2), tmp_path, None).seconds

    first = seconds(X_train)
    assert seconds(X_train) == first  # Nothing was left to train.
    relabelled = seconds(X_train, labels=(y_train + 1) % 10)
    assert relabelled != first
    assert seconds(255 - X_train) not in (first, relabelled)
    preprocessed = seconds(Preprocessed(X_train, darker(2)))
    assert seconds(Preprocessed(X_train, darker(2))) == preprocessed
    # Of the same name, as a cell that was edited.
    thirds = seconds(Preprocessed(X_train, darker(3)))
    assert thirds != preprocessed
    assert seconds(Preprocessed(X_train, darker(3))) == thirds
    noisy = seconds(X_train, noise(0.1))
    assert seconds(X_train, noise(0.1)) == noisy
    assert seconds(X_train, noise(0.2)) != noisy
    plain = seconds(X_train, stepping(1))
    assert seconds(X_train, stepping(-1)) != plain  # Mirrored: no image's mean changes.


def darker(factor):
    def divided(images):
        return images // factor

    return divided


def stepping(step):
    def shown(batch, generator):
        return batch[:, :, ::step]

    return shown


def noise(strength):
    def added(batch, generator):
        return batch + generator.normal(0, strength, (len(batch), 1, 1, 1)).astype(np.float32)

    return added
