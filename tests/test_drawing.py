"""`draw` makes the same labelled digits for the same seed, everywhere, and digits as SVHN has them."""

import json
import math
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest
from appearance import mean_shapes, measures
from conftest import require
from PIL import Image

from svhn.digits import Digits
from svhn.drawn import camera, drawing, house_numbers, typefaces
from svhn.drawn.drawing import draw
from svhn.errors import SVHNError

ROOT = Path(__file__).parents[1]


def in_another_process(program, **environment):
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def drawn():
    return draw(800, seed=5)


@pytest.fixture
def damaged(monkeypatch, tmp_path):
    """The drawer on a copy of its tables, which a test may spoil."""
    folder = tmp_path / "fitted"
    shutil.copytree(typefaces.FOLDER, folder)
    for module in (typefaces, house_numbers):
        monkeypatch.setattr(module, "FOLDER", folder)
    caches = (typefaces.typefaces, typefaces.glyph, typefaces.load_font, house_numbers.tables)
    for cached in caches:
        cached.cache_clear()
    yield folder
    for cached in caches:
        cached.cache_clear()


def test_the_digits_are_labelled_and_marked_as_drawn(drawn):
    assert isinstance(drawn, Digits)
    assert drawn.images.shape == (800, 32, 32, 3)
    assert drawn.images.dtype == drawn.labels.dtype == np.uint8
    assert drawn.name == "drawn, seed 5"
    assert not drawn.real


# --- The same digits everywhere


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_another_process_with_any_number_of_workers_draws_the_same_bytes(drawn, workers):
    program = (
        "from hashlib import sha256; from svhn.drawn.drawing import draw; "
        f"digits = draw(600, seed=5, workers={workers}); "
        "print(sha256(digits.images.tobytes() + digits.labels.tobytes()).hexdigest())"
    )
    # Hash randomisation and threads of OpenCV's are further things that may differ between processes.
    printed = in_another_process(program, PYTHONHASHSEED=str(workers), OMP_NUM_THREADS=str(workers))
    assert printed == sha256(drawn.images[:600].tobytes() + drawn.labels[:600].tobytes()).hexdigest()


def test_other_digits_are_another_edition():
    """If this fails because other digits are drawn, raise `EDITION` and put the new labels and means here."""
    digits = draw(40, seed=5)
    assert drawing.EDITION == 1 and digits.identity == "drawn 40 5 edition 1"
    assert "".join(map(str, digits.labels)) == "2562438735973127413180125980461195015727"
    means = [
        150,
        116,
        148,
        169,
        109,
        66,
        108,
        119,
        127,
        127,
        197,
        140,
        144,
        58,
        104,
        174,
        110,
        50,
        94,
        79,
        149,
        164,
        131,
        177,
        151,
        80,
        106,
        143,
        72,
        105,
        58,
        59,
        161,
        197,
        94,
        202,
        213,
        117,
        86,
        46,
    ]
    np.testing.assert_allclose(digits.images.mean((1, 2, 3)), means, atol=1.5)


def test_what_was_drawn_before_does_not_matter(drawn):
    draw(20, seed=99)
    again = draw(50, seed=5)
    np.testing.assert_array_equal(again.images, drawn.images[:50])
    np.testing.assert_array_equal(again.labels, drawn.labels[:50])


def test_another_seed_draws_other_digits(drawn):
    other = draw(40, seed=6)
    assert not (other.images == drawn.images[:40]).all(axis=(1, 2, 3)).any()


def test_numpy_whole_numbers_do_as_well():
    assert np.array_equal(draw(np.int64(3), seed=np.uint8(200)).images, draw(3, seed=200).images)


def test_a_seed_may_be_as_large_as_one_likes():
    assert not np.array_equal(draw(2, seed=10**30).images, draw(2, seed=10**30 + 1).images)


def test_drawing_needs_neither_tensorflow_nor_matplotlib_nor_scikit_learn():
    program = """
import sys
class Absent:
    def find_spec(self, name, *rest):
        if name.split(".")[0] in ("tensorflow", "keras", "torch", "jax", "matplotlib", "sklearn", "scipy", "pandas"):
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
from svhn import draw
print(len(draw(5)))
"""
    assert in_another_process(program) == "5"


# --- Workers


def test_a_worker_that_is_killed_is_one_clear_error_and_leaves_no_other_behind(monkeypatch):
    started = []
    start = subprocess.Popen

    def doomed(*arguments, **options):
        started.append(start(*arguments, **options))
        started[0].send_signal(signal.SIGKILL)
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", doomed)
    with pytest.raises(SVHNError, match="a process that was drawing digits ended") as caught:
        draw(1000, seed=5, workers=2)
    assert "\n" not in str(caught.value)
    assert len(started) == 2 and all(process.poll() is not None for process in started)


# SIGTERM as a scheduler sends it, to the command alone; Ctrl-C reaches the whole group.
@pytest.mark.parametrize(("sent", "to", "status"), [(signal.SIGINT, os.killpg, 130), (signal.SIGTERM, os.kill, 143)])
def test_a_signal_ends_the_workers_without_their_tracebacks(tmp_path, sent, to, status):
    with subprocess.Popen(
        [sys.executable, "-m", "svhn", "digits", "--count", "40000"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell starts what runs in its background deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        said = ""
        while "digit" not in said:  # The bar stands: the workers draw.
            said += process.stderr.read(1)
        to(process.pid, sent)
        said += process.stderr.read()
    assert process.returncode == status and "svhn: stopped" in said and "Traceback" not in said
    assert list((tmp_path / "data").iterdir()) == []


def test_workers_end_with_the_process_that_started_them():
    program = "from svhn.drawn.drawing import draw; draw(200_000, seed=5, workers=2)"
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        require(False, "needs Linux's list of a process's children")
    workers = wait_for(lambda: len(found := children.read_text().split()) == 2 and found)
    process.kill()
    process.wait()
    assert wait_for(lambda: not any(is_running(worker) for worker in workers))


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition):
    for _ in range(600):
        if result := condition():
            return result
        time.sleep(0.1)
    raise AssertionError("waited in vain")


# --- What is drawn


def test_digits_are_as_frequent_as_the_fitted_tables_say(drawn):
    shares = np.bincount(drawn.labels, minlength=10) / len(drawn)
    table = house_numbers.tables()
    lengths = np.diff(table.length_steps, prepend=0)
    expected = lengths @ np.array([np.diff(steps, prepend=0).mean(axis=0) for steps in table.digit_steps])
    # Four standard errors.
    assert (np.abs(shares - expected) < 4 * np.sqrt(expected * (1 - expected) / len(drawn))).all()
    assert expected.argmax() == 1 and abs(expected.sum() - 1) < 1e-9


def test_numbers_are_as_long_and_as_large_as_the_tables_say():
    rng = np.random.default_rng(0)
    numbers = [house_numbers.house_number(rng) for _ in range(6000)]
    table = json.loads((house_numbers.FOLDER / "house_numbers.json").read_text(encoding="utf-8"))
    # Numbers are met through their digits: one of four digits four times as often as one of a single digit.
    by_digit = np.array(table["length_shares"]) * [1, 2, 3, 4]
    lengths = np.bincount([len(number.digits) for number in numbers], minlength=5)[1:] / len(numbers)
    np.testing.assert_allclose(lengths, by_digit / by_digit.sum(), atol=0.03)
    medians = {name: np.median(table[name]) for name in ("box_height", "spacing", "slope")}
    medians["box_height"] = table["size_factor"] * medians["box_height"] ** table["size_power"]
    for name, expected in medians.items():
        drawn_median = np.median([getattr(number, name) for number in numbers])
        assert drawn_median == pytest.approx(expected, rel=0.05, abs=0.02)
    first = [number.digits[0] for number in numbers if len(number.digits) > 1]
    assert first.count(0) / len(first) < 0.01


def test_no_two_digits_are_the_same(drawn):
    assert len(np.unique(drawn.images.reshape(len(drawn), -1), axis=0)) == len(drawn)


def test_there_are_dark_and_light_sharp_and_soft_grey_and_coloured_ones(drawn):
    figures = measures(drawn.images, drawn.labels)
    # Quantiles at 5 and 95 % of the protocol's 5,120 training digits of svhn-8k, rounded towards their middle.
    for name, low, high in (
        ("brightness", 55, 190),
        ("contrast", 19, 50),
        ("ink contrast", -100, 100),
        ("colourfulness", 3.2, 14),
        ("sharpness", -6.2, -4.6),
        ("light", 0.12, 0.62),
    ):
        assert (figures[name] < low).mean() > 0.02, name
        assert (figures[name] > high).mean() > 0.02, name
        assert (figures[name] < low).mean() < 0.25, name
        assert (figures[name] > high).mean() < 0.25, name


def test_the_middle_of_the_image_shows_the_label(drawn):
    """The average shape that fits an image best, in black or white, is mostly that of its label."""
    grey = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in drawn.images]).astype(np.float32)
    window = (slice(None), slice(3, 29), slice(7, 25))
    seen, shapes = (images[window].reshape(len(images), -1) for images in (grey, mean_shapes()))
    seen, shapes = (rows - rows.mean(axis=1, keepdims=True) for rows in (seen, shapes))
    shapes /= np.linalg.norm(shapes, axis=1, keepdims=True)
    assert (np.abs(seen @ shapes.T).argmax(axis=1) == drawn.labels).mean() > 0.5  # by chance: one in nine


def test_every_typeface_has_ten_digits_and_a_licence():
    names, steps = typefaces.typefaces()
    assert len({name.rpartition("-")[0] for name in names}) >= 60
    assert steps[-1] == pytest.approx(1)
    for name in names:
        for digit in range(10):
            one = typefaces.glyph(name, digit)
            assert one.ink.max() > 200 and one.width > 2 and one.advance > one.width / 2
    rows = (typefaces.FOLDER / "typefaces.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert all("OFL-1.1" in row or "Apache-2.0" in row or "GUST" in row for row in rows)


# --- The camera


@pytest.mark.parametrize("size", [11, 20, 32, 47, 64])
def test_the_crop_is_resized_as_others_resize(size):
    """By Pillow's bicubic filter, which lets the border's weights fall away: so within the border alone."""
    box = np.random.default_rng(size).integers(0, 256, (size, size, 3), np.uint8)
    padded = np.pad(box, ((2, 2), (2, 2), (0, 0)), mode="wrap")
    ours = camera.cut_out(padded, 2).astype(int)
    turned = Image.fromarray(box.transpose(1, 0, 2)).resize((32, 32), Image.Resampling.BICUBIC)
    theirs = np.asarray(turned).transpose(1, 0, 2).astype(int)
    inner = slice(math.ceil(2 * 32 / min(size, 32)), -math.ceil(2 * 32 / min(size, 32)))
    assert np.abs(ours - theirs)[inner, inner].max() <= 1
    assert np.abs(camera.bicubic(size).sum(axis=1) - 1).max() < 1e-5


def test_nothing_beyond_the_box_shows_in_the_crop():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (30, 30, 3), np.uint8)
    other = rng.integers(0, 256, (30, 30, 3), np.uint8)
    other[4:-4, 4:-4] = pixels[4:-4, 4:-4]
    np.testing.assert_array_equal(camera.cut_out(pixels, 4), camera.cut_out(other, 4))


@pytest.mark.parametrize("box", [20, 26])
def test_the_size_of_a_small_box_can_be_read_from_its_digit(box, monkeypatch):
    """As it can from SVHN's: their digits are enlarged from whole pixels and hold nothing else."""
    monkeypatch.syspath_prepend(str(ROOT / "fitting"))
    import photos

    rng = np.random.default_rng(box)
    photo = camera.frame(box)
    scenes = (rng.uniform(60, 190, (photo.side, photo.side, 3)).astype(np.float32) for _ in range(40))
    images = [camera.photograph(rng, cv2.GaussianBlur(scene, (0, 0), 1.5), photo) for scene in scenes]
    found = photos.box_sizes(np.stack(images))
    assert (found == box).mean() > 0.7
    assert (found[found > 0] == box).mean() > 0.9


def test_grey_stays_grey_and_red_stays_red_on_the_way_through_the_camera():
    for colour in ((128, 128, 128), (190, 60, 70), (60, 70, 190)):
        scene = np.full((32, 32, 3), colour, np.float32)
        image = camera.photograph(np.random.default_rng(1), scene, camera.Frame(24, 4, 2))
        np.testing.assert_allclose(image.mean(axis=(0, 1)), colour, atol=8)


# --- Bad input


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


@pytest.mark.parametrize("workers", [0, -1, 1.5])
def test_a_number_of_workers_that_makes_no_sense(workers):
    with pytest.raises(SVHNError, match="workers"):
        draw(1, workers=workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_typeface_of_flipped_bytes(damaged, workers):
    content = bytearray((damaged / "typefaces.zip").read_bytes())
    # Every tenth byte, but for the list of contents at the end.
    end = content.rindex(b"PK\x05\x06")
    (start,) = struct.unpack("<I", content[end + 16 : end + 20])
    content[1000:start:10] = bytes(byte ^ 255 for byte in content[1000:start:10])
    (damaged / "typefaces.zip").write_bytes(content)
    with pytest.raises(SVHNError, match="restore it from git") as caught:
        draw(2, workers=workers)
    assert "typefaces.zip" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["typefaces.zip", "typefaces.csv", "house_numbers.json", "colours.json"])
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("content", [None, b"", b"PK nonsense"])
def test_a_table_or_typeface_that_is_missing_or_damaged(damaged, name, workers, content):
    if content is None:
        (damaged / name).unlink()
    else:
        (damaged / name).write_bytes(content)
    with pytest.raises(SVHNError, match="restore it from git") as caught:
        draw(2, workers=workers)
    assert name in str(caught.value) and "\n" not in str(caught.value)
