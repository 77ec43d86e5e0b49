"""Digits as image files: Hugging Face's parquet layout, and a folder of PNGs for each digit; and the official extra."""

import io

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image
from scipy.io import savemat

from svhn.data.sources import load_digits, source_files
from svhn.errors import SVHNError


@pytest.fixture(autouse=True)
def no_choice_from_outside(monkeypatch):
    monkeypatch.delenv("SVHN_DATA", raising=False)


@pytest.fixture
def some():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (30, 32, 32, 3), dtype=np.uint8), rng.permutation(np.arange(30) % 10).astype(np.uint8)


def png(image):
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG")
    return content.getvalue()


def write_parquet(path, images, labels):
    """As Hugging Face's `datasets` writes an image feature and a class label."""
    path.parent.mkdir(parents=True, exist_ok=True)
    column = [{"bytes": png(image), "path": None} for image in images]
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    table = pyarrow.table({"image": pyarrow.array(column, kind), "label": pyarrow.array(labels, pyarrow.int64())})
    pyarrow.parquet.write_table(table, path)


def refused(source, folder):
    with pytest.raises(SVHNError) as caught:
        load_digits(source, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("where", ["", "cropped_digits/"])
def test_hugging_face_s_files_are_train_then_test_without_extra(tmp_path, some, where):
    images, labels = some
    write_parquet(tmp_path / f"{where}test-00000-of-00001.parquet", images[20:25], labels[20:25])
    write_parquet(tmp_path / f"{where}train-00000-of-00002.parquet", images[:10], labels[:10])
    write_parquet(tmp_path / f"{where}train-00001-of-00002.parquet", images[10:20], labels[10:20])
    write_parquet(tmp_path / f"{where}extra-00000-of-00001.parquet", images[25:], labels[25:])
    for source in (None, "parquet", tmp_path):
        digits = load_digits(source, tmp_path)
        np.testing.assert_array_equal(digits.images, images[:25])
        np.testing.assert_array_equal(digits.labels, labels[:25])
        assert digits.real and digits.images.dtype == np.uint8
    setting, files = source_files("parquet", tmp_path)
    assert setting == "parquet" and len(files) == 3


def test_one_parquet_file_is_a_source(tmp_path, some):
    images, labels = some
    write_parquet(tmp_path / "mine.parquet", images, labels)
    np.testing.assert_array_equal(load_digits(tmp_path / "mine.parquet").images, images)
    assert "no parquet file" in refused(str(tmp_path / "absent.parquet"), tmp_path)


def test_other_parquet_files_are_named(tmp_path, some):
    images, labels = some
    path = tmp_path / "mine.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"pixels": [1, 2]}), path)
    assert "mine.parquet" in refused(path, tmp_path) and "image" in refused(path, tmp_path)
    pyarrow.parquet.write_table(pyarrow.table({"image": ["a"], "label": [1]}), path)
    assert "mine.parquet" in refused(path, tmp_path)
    path.write_bytes(b"PAR1 but no more")
    assert "mine.parquet" in refused(path, tmp_path)
    write_parquet(path, images, np.full(30, 10))
    assert "row 0" in refused(path, tmp_path) and "10 is not a digit" in refused(path, tmp_path)
    write_parquet(path, np.zeros((2, 40, 30, 3), np.uint8), [1, 2])
    assert "30x40 pixels" in refused(path, tmp_path)
    write_parquet(path, images[:0], labels[:0])
    assert "no images" in refused(path, tmp_path)


def write_folders(folder, images, labels):
    for digit in range(10):
        (folder / str(digit)).mkdir(parents=True)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image).save(folder / str(label) / f"{number}.png")


def test_class_folders_keep_the_order_of_numbers(tmp_path, some):
    images, labels = some
    write_folders(tmp_path, images, labels)
    order = np.argsort(labels, kind="stable")
    for source in (None, "folders", tmp_path):
        digits = load_digits(source, tmp_path)
        np.testing.assert_array_equal(digits.labels, labels[order])
        np.testing.assert_array_equal(digits.images, images[order])


def test_class_folders_of_train_come_before_those_of_test(tmp_path, some):
    images, labels = some
    write_folders(tmp_path / "test", images[20:], labels[20:])
    write_folders(tmp_path / "train", images[:20], labels[:20])
    digits = load_digits(tmp_path)
    np.testing.assert_array_equal(digits.labels, np.concatenate([np.sort(labels[:20]), np.sort(labels[20:])]))


def test_class_folders_name_what_is_wrong(tmp_path, some):
    write_folders(tmp_path, *some)
    (tmp_path / "3/odd.png").write_bytes(b"no image")
    assert "odd.png" in refused("folders", tmp_path)
    Image.new("RGB", (28, 28)).save(tmp_path / "3/odd.png")
    assert "28x28" in refused("folders", tmp_path)
    assert "0 to 9" in refused("folders", tmp_path / "3")


def test_extra_comes_last_and_only_on_request(tmp_path, some):
    images, labels = some
    official = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
    for name, part in (("train", slice(0, 10)), ("test", slice(10, 15))):
        savemat(tmp_path / f"{name}_32x32.mat", {"X": images[part].transpose(1, 2, 3, 0), "y": official[part]})
    assert "extra_32x32.mat missing" in refused("extra", tmp_path)
    savemat(tmp_path / "extra_32x32.mat", {"X": images[15:].transpose(1, 2, 3, 0), "y": official[15:]})
    assert len(load_digits(None, tmp_path)) == len(load_digits("mat", tmp_path)) == 15
    digits = load_digits("extra", tmp_path)
    np.testing.assert_array_equal(digits.images, images)
    np.testing.assert_array_equal(digits.labels, labels)
    assert "extra" in digits.name
