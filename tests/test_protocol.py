"""The split every hand-in shares."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from svhn.data import protocol, sources
from svhn.data.protocol import ENOUGH_REAL, extend_training, split_digits
from svhn.data.provenance import Extension
from svhn.digits import Digits
from svhn.errors import SVHNError
from svhn.settings import EXTENSION_SEED


def numbered(n, classes=10, real=False):
    """Digits whose first pixels hold their row number."""
    images = np.zeros((n, 32, 32, 3), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(n) % 256, np.arange(n) // 256
    return Digits(images, (np.arange(n) ** 2 % classes).astype(np.uint8), "numbered", real)


def test_split_is_the_course_s_own():
    digits = numbered(1000)
    split = split_digits(digits)
    X_all, X_test, y_all, y_test = train_test_split(
        digits.images, digits.labels, stratify=digits.labels, train_size=0.8, test_size=0.2, random_state=1
    )
    X_train, X_val, y_train, y_val = train_test_split(X_all, y_all, stratify=y_all, train_size=0.8, random_state=1)
    for ours, theirs in ((split.X_train, X_train), (split.X_val, X_val), (split.X_test, X_test)):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in ((split.y_train, y_train), (split.y_val, y_val), (split.y_test, y_test)):
        np.testing.assert_array_equal(ours, theirs)


def test_whole_data_set_has_the_specified_parts():
    labels = (np.arange(99_289) % 10).astype(np.uint8)
    # One image seen 99,289 times: the size of the real set without its memory.
    images = np.broadcast_to(np.zeros((1, 32, 32, 3), np.uint8), (99_289, 32, 32, 3))
    split = split_digits(Digits(images, labels, "as many as OpenML 41081", real=False))
    assert (len(split.X_train), len(split.X_val), len(split.X_test)) == (63_544, 15_887, 19_858)
    assert split.X_train.dtype == np.uint8


def test_no_digit_is_in_two_parts():
    split = split_digits(numbered(1000))
    rows = [X[:, 0, 0, :2].astype(int) @ (1, 256) for X in (split.X_train, split.X_val, split.X_test)]
    assert sorted(np.concatenate(rows)) == list(range(1000))


def test_too_few_digits_say_so():
    with pytest.raises(SVHNError, match="too few to split"):
        split_digits(numbered(12))


@pytest.fixture
def drawn_in(monkeypatch):
    """Stands in for the drawer: numbered digits, and what was asked for."""
    asked = []

    def drawn_digits(count, seed, folder):
        asked.append((count, seed, folder))
        return numbered(count)

    monkeypatch.setattr(protocol, "drawn_digits", drawn_digits)
    return asked


def test_drawn_digits_extend_the_training_part_alone(drawn_in, tmp_path):
    split, drawn = split_digits(numbered(1000, real=True)), numbered(300)
    extended = extend_training(split, 300, tmp_path)
    assert drawn_in == [(300, EXTENSION_SEED, tmp_path)] and EXTENSION_SEED != sources.DRAWN_SEED
    np.testing.assert_array_equal(extended.X_train, np.concatenate([split.X_train, drawn.images]))
    np.testing.assert_array_equal(extended.y_train, np.concatenate([split.y_train, drawn.labels]))
    for part in ("X_val", "X_test", "y_val", "y_test"):
        assert getattr(extended, part) is getattr(split, part)
    assert extended.provenance.drawn == Extension(name="numbered", fingerprint=drawn.fingerprint)
    counts = [getattr(extended.provenance, key) for key in ("train", "train_real", "train_drawn", "validation")]
    assert counts == [940, 640, 300, 160] and extended.n_train == split.n_train == 640


def test_only_real_and_few_digits_are_extended(drawn_in, tmp_path, monkeypatch):
    few, drawn = split_digits(numbered(1000, real=True)), split_digits(numbered(1000))
    assert extend_training(few, 0, tmp_path) is few
    assert extend_training(drawn, 300, tmp_path) is drawn
    # Few digits that count as enough: so many real ones leave exactly that many to train on, or one fewer.
    monkeypatch.setattr(protocol, "ENOUGH_REAL", 640)
    assert extend_training(few, 300, tmp_path) is few
    assert drawn_in == []
    monkeypatch.setattr(protocol, "ENOUGH_REAL", 641)
    assert extend_training(few, 300, tmp_path) is not few
    assert ENOUGH_REAL == 50_000


def test_half_of_what_a_pass_shows_is_real(drawn_in, tmp_path):
    split = split_digits(numbered(1000, real=True))
    np.testing.assert_array_equal(split.rows, np.arange(640))
    shown = np.bincount(extend_training(split, 1900, tmp_path).rows)
    assert set(shown[:640]) == {3} and set(shown[640:]) == {1} and len(shown) == 640 + 1900
    assert set(np.bincount(extend_training(split, 20, tmp_path).rows)) == {1}
    for count in (640, 5000, 12_345):  # As near to one half as whole copies come.
        shown = np.bincount(extend_training(split, count, tmp_path).rows)
        assert abs(shown[:640].sum() - shown[640:].sum()) <= 320 and set(shown[640:]) == {1}


def test_a_record_says_how_many_digits_of_each_kind_were_seen():
    real, drawn = (split_digits(numbered(1000, real=real)).provenance for real in (True, False))
    assert (real.train_real, real.train_drawn) == (640, 0)
    assert (drawn.train_real, drawn.train_drawn) == (0, 640)


def test_few_real_digits_are_extended_by_digits_that_are_kept(tmp_path):
    split = split_digits(numbered(1000, real=True))
    first, second = (extend_training(split, 6, tmp_path) for _ in range(2))
    assert first.provenance == second.provenance and len(list(tmp_path.glob("drawn-6-*.npz"))) == 1
    assert not first.drawn.real and len(first.y_train) == 646
