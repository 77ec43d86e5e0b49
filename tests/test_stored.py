"""Stored models and their records: what is in the files, and what happens to bad ones."""

import json
import os
import tempfile
import zipfile

import keras
import ml_dtypes
import numpy as np
import pytest
from made_records import record_of

from svhn.errors import SVHNError
from svhn.learning.records import load_record, model_path, record_path
from svhn.learning.stored import load_model, store_model


def network():
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [keras.Input((32, 32, 1)), keras.layers.Flatten(), keras.layers.Dense(256), keras.layers.Dense(10)]
    )


@pytest.fixture
def stored(tmp_path):
    store_model(tmp_path, "model_x", network(), record_of)
    return tmp_path


def test_plain_keras_reads_what_was_stored(stored):
    model = keras.saving.load_model(model_path(stored, "model_x"))
    for weight in model.get_weights():
        assert weight.dtype == np.float32
        np.testing.assert_array_equal(weight, weight.astype(ml_dtypes.bfloat16).astype(np.float32))


def test_a_model_loads_where_there_is_no_room_for_temporary_files(stored, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(stored / "nowhere"))
    assert load_model(stored, "model_x")[0].count_params() == network().count_params()


def test_how_a_model_was_compiled_stays_out_of_the_file(tmp_path):
    model = network()
    model.compile(optimizer="adamw", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(np.zeros((4, 32, 32, 1)), np.zeros(4), verbose=0)
    record = store_model(tmp_path, "model_x", model, record_of)
    assert record.bytes / record.parameters < 2
    with zipfile.ZipFile(model_path(tmp_path, "model_x")) as archive:
        assert b"adamw" not in archive.read("config.json").lower()
    assert not load_model(tmp_path, "model_x")[0].compiled


def test_a_file_takes_less_than_two_bytes_a_parameter(stored):
    record = load_record(stored, "model_x")
    assert record.bytes == model_path(stored, "model_x").stat().st_size
    assert record.bytes / record.parameters < 2


def test_the_record_is_measured_on_the_file(tmp_path):
    seen = {}

    def measure(model, **file):
        seen["weights"] = model.get_weights()
        return record_of(model, **file)

    original = network()
    exact = [weight.copy() for weight in original.get_weights()]
    store_model(tmp_path, "model_x", original, measure)
    assert any((a != b).any() for a, b in zip(seen["weights"], exact, strict=True))
    for a, b in zip(seen["weights"], load_model(tmp_path, "model_x")[0].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_failed_measurement_leaves_the_former_pair(stored):
    before = {path.name: path.read_bytes() for path in stored.glob("model_x.*")}
    with pytest.raises(ZeroDivisionError):
        store_model(stored, "model_x", network(), lambda model, **file: 1 / 0)
    assert {path.name: path.read_bytes() for path in stored.glob("model_x.*")} == before
    load_model(stored, "model_x")


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def edit_record(change):
    def edit(folder):
        path = record_path(folder, "model_x")
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))

    return edit


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: model_path(f, "model_x").unlink(), "model_x.keras is missing"),
        (lambda f: truncate(model_path(f, "model_x")), "model_x.keras is damaged"),
        (lambda f: flip(model_path(f, "model_x")), "model_x.keras is damaged"),
        (lambda f: model_path(f, "model_x").write_bytes(b""), "model_x.keras is damaged"),
        (lambda f: record_path(f, "model_x").unlink(), "no stored model model_x"),
        (lambda f: truncate(record_path(f, "model_x")), "model_x.json is damaged"),
        (lambda f: record_path(f, "model_x").write_bytes(b"\xff\xfe\x00"), "model_x.json is damaged"),
        (lambda f: record_path(f, "model_x").write_text("[]"), r"it is \[\], not an object"),
        (edit_record(lambda r: r["learning_curves"].pop("loss")), "no four learning curves"),
        (edit_record(lambda r: r["learning_curves"]["loss"].pop()), "no four learning curves of equal length"),
        (
            edit_record(lambda r: r["learning_curves"].update(loss=[0.5, "low"])),
            "learning_curves.loss, 2 is 'low', not float",
        ),
        (edit_record(lambda r: r.update(accuracy=[0.5])), r"accuracy is \[0.5\], not dict"),
        (edit_record(lambda r: r["data"].pop("name")), "data has no name"),
        (edit_record(lambda r: r.pop("sha256")), "it has no sha256"),
    ],
)
def test_bad_files_are_named_with_the_remedy(stored, spoil, message):
    spoil(stored)
    with pytest.raises(SVHNError, match=message) as caught:
        load_model(stored, "model_x")
    assert "train" in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_no_network_is_refused(stored):
    from svhn.files import sha256

    model_path(stored, "model_x").write_bytes(b"PK\x05\x06" + bytes(18))
    edit_record(lambda r: r.update(sha256=sha256(model_path(stored, "model_x"))))(stored)
    with pytest.raises(SVHNError, match="cannot be loaded by Keras"):
        load_model(stored, "model_x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SVHNError, match="cannot write"):
        store_model(tmp_path, "model_x", network(), record_of)
