"""`draw` makes the same labelled digits for the same seed, everywhere, and varied ones."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from svhn.digits import Digits
from svhn.drawing import draw
from svhn.errors import SVHNError

ROOT = Path(__file__).parents[1]


def in_another_process(program):
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def drawn():
    return draw(1000, seed=5)


def test_the_digits_are_labelled_and_marked_as_drawn(drawn):
    assert isinstance(drawn, Digits)
    assert drawn.images.shape == (1000, 32, 32, 3)
    assert drawn.images.dtype == np.uint8
    assert drawn.labels.dtype == np.uint8
    assert drawn.name == "drawn, seed 5"
    assert not drawn.real


def test_another_process_draws_the_same_bytes():
    program = "from svhn.drawing import draw; print(draw(60, seed=5).fingerprint)"
    assert in_another_process(program) == draw(60, seed=5).fingerprint


def test_drawing_loads_neither_tensorflow_nor_pyplot():
    program = "import sys, svhn.drawing; print([m for m in ('tensorflow', 'matplotlib.pyplot') if m in sys.modules])"
    assert in_another_process(program) == "[]"


def test_fewer_digits_are_a_prefix_of_more(drawn):
    few = draw(40, seed=5)
    np.testing.assert_array_equal(few.images, drawn.images[:40])
    np.testing.assert_array_equal(few.labels, drawn.labels[:40])


def test_another_seed_draws_other_digits(drawn):
    other = draw(40, seed=6)
    assert not (other.images == drawn.images[:40]).all(axis=(1, 2, 3)).any()


def test_numpy_whole_numbers_do_as_well():
    assert draw(np.int64(3), seed=np.uint8(200)).fingerprint == draw(3, seed=200).fingerprint


def test_the_digits_are_as_frequent_as_in_svhn(drawn):
    shares = np.bincount(drawn.labels, minlength=10) / len(drawn)
    expected = [0.07, 0.19, 0.14, 0.115, 0.10, 0.09, 0.08, 0.08, 0.07, 0.065]
    # Four standard deviations of the most frequent digit's share.
    np.testing.assert_allclose(shares, expected, atol=0.05)
    assert shares.argmax() == 1


def test_no_two_digits_are_the_same(drawn):
    assert len(np.unique(drawn.images.reshape(len(drawn), -1), axis=0)) == len(drawn)


def test_there_are_dark_and_light_sharp_and_soft_grey_and_coloured_ones(drawn):
    grey = drawn.images.mean(axis=3)
    brightness = grey.mean(axis=(1, 2))
    steps = np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
    colour = np.ptp(drawn.images.astype(int), axis=3).mean(axis=(1, 2))
    for measure, low, high in ((brightness, 60, 170), (steps, 5, 12), (colour, 6, 35)):
        assert (measure < low).mean() > 0.05
        assert (measure > high).mean() > 0.05


def test_digits_are_lighter_and_darker_than_their_ground(drawn):
    grey = drawn.images.mean(axis=3)
    ones = drawn.labels == 1
    middle = grey[ones, 8:24, 14:18].mean(axis=(1, 2))
    sides = grey[ones][:, 8:24, [8, 9, 22, 23]].mean(axis=(1, 2))
    assert ((middle - sides) > 10).mean() > 0.2
    assert ((middle - sides) < -10).mean() > 0.2


def test_every_digit_stands_out(drawn):
    grey = drawn.images[:, 3:29, 6:26].mean(axis=3).reshape(len(drawn), -1)
    spread = np.percentile(grey, 95, axis=1) - np.percentile(grey, 5, axis=1)
    assert (spread > 20).mean() > 0.97


def test_the_label_is_what_the_image_shows():
    """Digits nearest to each other, made grey and light on dark, mostly bear the same label."""
    digits = draw(2000, seed=1)
    grey = digits.images.mean(axis=3, dtype=np.float32)
    small = np.stack([np.asarray(Image.fromarray(image).resize((12, 12), Image.Resampling.BOX)) for image in grey])
    vectors = small.reshape(len(digits), -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    # The absolute value makes light on dark and dark on light the same.
    nearest = np.abs(vectors[1500:] @ vectors[:1500].T).argmax(axis=1)
    # By chance it would be one in nine.
    assert (digits.labels[nearest] == digits.labels[1500:]).mean() > 0.5


@pytest.mark.parametrize("n", [0, -3, 2.0, "5", None, True])
def test_a_number_of_digits_that_makes_no_sense(n):
    with pytest.raises(SVHNError, match="number of digits") as caught:
        draw(n)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", [-1, 1.5, "a", None, False])
def test_a_seed_that_makes_no_sense(seed):
    with pytest.raises(SVHNError, match="seed") as caught:
        draw(1, seed=seed)
    assert "\n" not in str(caught.value)
