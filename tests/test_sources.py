"""Every source of digits but OpenML, which has a test of its own."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from svhn.data import sources
from svhn.data.protocol import split_digits, split_rows
from svhn.data.sources import drawn_path, load_digits
from svhn.digits import Digits
from svhn.errors import SVHNError


@pytest.fixture
def few_drawn(monkeypatch):
    monkeypatch.setattr(sources, "DRAWN_DIGITS", 12)


def some_digits(n=20, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8), (np.arange(n) % 10).astype(np.uint8)


def write_npz(path, **changes):
    images, labels = some_digits()
    np.savez(path, **{"X": images, "y": labels} | changes)
    return path


def write_mats(folder, train=6, test=14):
    images, labels = some_digits(train + test)
    official = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
    for name, part in (("train", slice(0, train)), ("test", slice(train, None))):
        content = {"X": images[part].transpose(1, 2, 3, 0), "y": official[part]}
        savemat(folder / f"{name}_32x32.mat", content, do_compression=True)
    return images, labels


def refused(source, folder):
    with pytest.raises(SVHNError) as caught:
        load_digits(source, folder)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_mat_is_train_then_test_and_ten_is_the_digit_zero(tmp_path):
    images, labels = write_mats(tmp_path)
    digits = load_digits("mat", tmp_path)
    assert np.array_equal(digits.images, images)
    assert np.array_equal(digits.labels, labels)
    assert digits.real
    assert digits.images.flags.c_contiguous


@pytest.mark.parametrize(("there", "missing"), [("train", "test"), ("test", "train")])
@pytest.mark.parametrize("source", ["mat", None])
def test_one_of_two_mat_files(tmp_path, there, missing, source):
    write_mats(tmp_path)
    (tmp_path / f"{missing}_32x32.mat").unlink()
    text = refused(source, tmp_path)
    assert f"{missing}_32x32.mat missing" in text
    assert f"{there}_32x32.mat" not in text


def test_no_mat_files_at_all(tmp_path):
    assert "train_32x32.mat and test_32x32.mat missing" in refused("mat", tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"X": np.zeros((32, 32, 3, 2))}, "must be uint8"),
        ({"X": np.zeros((2, 32, 32, 3), np.uint8)}, "(32, 32, 3, n)"),
        ({"y": np.array([[0], [1]])}, "0 to 1, not 1..10"),
        ({"y": np.array([[1], [11]])}, "1 to 11, not 1..10"),
        ({"y": np.array([[1.0], [2.0]])}, "integers"),
        ({"y": np.array([[1]])}, "1 labels for 2 images"),
        ({"X": None}, "no array X"),
        ({"y": None}, "no array y"),
    ],
)
def test_bad_mat(tmp_path, changes, said):
    write_mats(tmp_path)
    content = {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.array([[1], [2]], np.uint8)} | changes
    savemat(tmp_path / "test_32x32.mat", {name: value for name, value in content.items() if value is not None})
    text = refused("mat", tmp_path)
    assert "test_32x32.mat" in text
    assert said in text


@pytest.mark.parametrize("kept", [0, 100, 5000, -100])
def test_truncated_mat(tmp_path, kept):
    write_mats(tmp_path)
    path = tmp_path / "train_32x32.mat"
    path.write_bytes(path.read_bytes()[:kept])
    assert "train_32x32.mat: cannot be read" in refused("mat", tmp_path)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "uint16"])
@pytest.mark.parametrize("kind", [str, Path])
def test_npz(tmp_path, dtype, kind):
    images, labels = some_digits()
    path = write_npz(tmp_path / "mine.npz", y=labels.astype(dtype), house=np.arange(20))
    digits = load_digits(kind(path), tmp_path / "elsewhere")
    assert np.array_equal(digits.images, images)
    assert np.array_equal(digits.labels, labels)
    assert digits.labels.dtype == np.uint8
    assert (digits.name, digits.real) == ("mine.npz", True)


@pytest.mark.parametrize("real", [True, False])
def test_npz_says_whether_it_is_real(tmp_path, real):
    assert load_digits(write_npz(tmp_path / "a.npz", real=real), tmp_path).real is real


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"X": np.zeros((20, 32, 32, 3))}, "uint8"),
        ({"X": np.zeros((20, 3072), np.uint8)}, "(n, 32, 32, 3)"),
        ({"X": np.zeros((0, 32, 32, 3), np.uint8), "y": np.zeros(0, np.uint8)}, "no images"),
        ({"y": np.zeros(19, np.uint8)}, "20 images"),
        ({"y": np.zeros((20, 1), np.uint8)}, "one uint8 digit per image"),
        ({"y": np.arange(1, 21) % 11}, "0 to 10, not 0..9"),
        ({"y": np.full(20, -1)}, "-1 to -1, not 0..9"),
        ({"y": np.full(20, 256)}, "not 0..9"),
        ({"y": np.zeros(20)}, "integers, not float64"),
        ({"y": np.array(["1"] * 20)}, "integers"),
        ({"y": np.array([{}] * 20)}, "cannot be read"),
    ],
)
def test_bad_npz(tmp_path, changes, said):
    text = refused(write_npz(tmp_path / "mine.npz", **changes), tmp_path)
    assert "mine.npz" in text
    assert said in text


@pytest.mark.parametrize("name", ["X", "y"])
def test_npz_without_an_array(tmp_path, name):
    images, labels = some_digits()
    content = {"X": images, "y": labels}
    del content[name]
    np.savez(tmp_path / "mine.npz", **content)
    assert f"mine.npz: has no array {name};" in refused(tmp_path / "mine.npz", tmp_path)


@pytest.mark.parametrize("kept", [0, 10, 30_000, -10])
def test_truncated_npz(tmp_path, kept):
    path = write_npz(tmp_path / "mine.npz")
    path.write_bytes(path.read_bytes()[:kept])
    assert "mine.npz: cannot be read" in refused(path, tmp_path)


def test_npz_with_a_damaged_pixel(tmp_path):
    path = write_npz(tmp_path / "mine.npz")
    content = bytearray(path.read_bytes())
    content[20_000] ^= 255
    path.write_bytes(content)
    assert "mine.npz: cannot be read" in refused(path, tmp_path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_is_mapped_unless_it_is_compressed_and_divided_alike(tmp_path, save):
    images = np.random.default_rng(1).integers(0, 256, (100, 32, 32, 3)).astype(np.uint8)
    labels = np.arange(100, dtype=np.uint8) % 10
    save(tmp_path / "mine.npz", X=images, y=labels)
    digits = load_digits(tmp_path / "mine.npz")
    assert isinstance(digits.images, np.memmap) is (save is np.savez)
    for _ in range(2):  # The memory that was freed after the first time is read again.
        split, rows = split_digits(digits), split_rows(labels)
        for part, wanted in zip((split.X_train, split.X_val, split.X_test), rows, strict=True):
            assert np.array_equal(part, images[wanted])
        assert digits.fingerprint == Digits(images, labels, "read", real=True).fingerprint


def test_npz_that_is_something_else(tmp_path):
    path = tmp_path / "mine.npz"
    with path.open("wb") as file:
        np.save(file, some_digits()[0])
    refused(path, tmp_path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", "not an array")
        archive.writestr("y.npy", "not an array")
    assert "mine.npz" in refused(path, tmp_path)


def test_missing_npz(tmp_path):
    assert "none.npz: no such file" in refused(tmp_path / "none.npz", tmp_path)


@pytest.mark.parametrize("source", ["mnist", "MAT", "data.csv"])
def test_unknown_source(tmp_path, source):
    text = refused(source, tmp_path)
    assert source in text
    assert all(name in text for name in ("openml", "mat", "drawn", ".npz"))


def test_drawn_digits_are_kept_and_redrawn_when_damaged(tmp_path, few_drawn):
    first = load_digits("drawn", tmp_path)
    assert (len(first), first.real) == (12, False)
    path = drawn_path(12, 1, tmp_path)
    assert not load_digits(path).real

    # A mark in the kept file shows that the second load reads it.
    marked = first.images.copy()
    marked[0, 0, 0, 0] ^= 255
    np.savez(path, X=marked, y=first.labels, real=False)
    second = load_digits("drawn", tmp_path)
    assert np.array_equal(second.images, marked)
    assert second.name == first.name

    path.write_bytes(path.read_bytes()[:9000])
    assert np.array_equal(load_digits("drawn", tmp_path).images, first.images)
    assert np.array_equal(load_digits(path).images, first.images)


def test_drawn_digits_are_the_same_ones_where_a_processor_rounds_a_pixel_differently(tmp_path, few_drawn):
    first = load_digits("drawn", tmp_path)
    path = drawn_path(12, 1, tmp_path)
    with np.load(path) as kept:
        arrays = dict(kept)
    arrays["X"][0, 0, 0, 0] ^= 1
    np.savez(path, **arrays)
    elsewhere = load_digits("drawn", tmp_path)
    assert not np.array_equal(elsewhere.images, first.images)
    assert elsewhere.fingerprint == load_digits(path).fingerprint == first.fingerprint
    assert Digits(elsewhere.images, elsewhere.labels, elsewhere.name, real=False).fingerprint != first.fingerprint


def test_a_kept_file_of_another_size_is_not_taken_for_the_drawn_digits(tmp_path, few_drawn):
    write_npz(drawn_path(12, 1, tmp_path), real=False)
    assert len(load_digits("drawn", tmp_path)) == 12


def test_what_an_earlier_drawer_drew_is_neither_taken_nor_kept(tmp_path, few_drawn):
    outdated = write_npz(tmp_path / "drawn-12-1-edition0.npz", real=False)
    other = write_npz(tmp_path / "drawn-13-1-edition0.npz", real=False)
    fingerprint = load_digits(outdated).fingerprint
    assert load_digits("drawn", tmp_path).fingerprint != fingerprint
    assert not outdated.exists() and other.exists()


def test_digits_of_a_folder_that_cannot_be_written_to_are_kept_elsewhere(tmp_path, few_drawn, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert not load_digits("drawn", tmp_path / "file" / "data").real
    assert list((tmp_path / "cache").rglob("drawn-*.npz"))


def test_without_a_choice_the_folder_decides(tmp_path, few_drawn, monkeypatch):
    assert not load_digits(folder=tmp_path / "missing").real
    assert load_digits(None, tmp_path).name.startswith("drawn")
    write_npz(tmp_path / "mine.npz")
    assert load_digits(None, tmp_path).name == "mine.npz"
    (tmp_path / "openml-41081").mkdir()
    monkeypatch.setattr(sources, "load_openml", lambda folder: f"openml from {folder}")
    assert load_digits(None, tmp_path) == f"openml from {tmp_path}"
    write_mats(tmp_path)
    assert "official" in load_digits(None, tmp_path).name


def test_a_named_folder_without_digits_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine").mkdir()
    assert "holds no digits" in refused("~/mine", tmp_path)
    write_npz(tmp_path / "mine/own.npz")
    assert load_digits("~/mine").name == "own.npz"


def test_networks_weights_in_the_folder_are_not_taken_for_digits(tmp_path, few_drawn):
    np.savez(tmp_path / "vgg16-imagenet-blocks1-2.npz", **{"block1_conv1/kernel": np.zeros(3)})
    assert not load_digits(folder=tmp_path).real
    write_npz(tmp_path / "mine.npz")
    assert load_digits(folder=tmp_path).name == "mine.npz"
    (tmp_path / "mine.npz").write_bytes(b"no archive")
    assert "mine.npz" in refused(None, tmp_path)


def test_several_npz_files_are_no_choice(tmp_path):
    write_npz(tmp_path / "a.npz")
    write_npz(tmp_path / "b.npz")
    assert "several data sets (a.npz, b.npz)" in refused(None, tmp_path)


def test_an_argument_decides_before_the_folder_and_a_variable_never(tmp_path, few_drawn, monkeypatch):
    write_mats(tmp_path)
    assert load_digits("drawn", tmp_path).name.startswith("drawn")
    # `Settings` reads the variable, before digits are loaded.
    monkeypatch.setenv("SVHN_DATA", str(write_npz(tmp_path / "mine.npz")))
    assert "official" in load_digits(folder=tmp_path).name


def test_real_digits(real_digits):
    digits = load_digits(real_digits)
    assert (len(digits), digits.real, digits.name) == (8001, True, "svhn-8k.npz")
    # The official test set begins with 5, 2, 1, 0, 6.
    assert digits.labels[:5].tolist() == [5, 2, 1, 0, 6]


def test_a_folder_can_be_named_in_place_of_data(tmp_path):
    write_npz(tmp_path / "some.npz")
    assert load_digits(str(tmp_path), tmp_path / "elsewhere").name == "some.npz"
