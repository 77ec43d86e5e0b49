"""`read_images` brings whatever a person hands in to the networks' 32x32 pixels, or says what is wrong with it."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from svhn.data.photos import is_blank, read_images
from svhn.errors import SVHNError

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


@pytest.fixture
def digit():
    """Any 32x32 image with detail in every channel."""
    return np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


def png(width, height, raw=b""):
    """A PNG of RGB pixels put together by hand, so that it may lie about its size."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def only_image(path):
    images, names, _ = read_images([path])
    assert images.shape == (1, 32, 32, 3)
    assert images.dtype == np.uint8
    assert names == [path.name]
    return images[0]


def complaint(path):
    with pytest.raises(SVHNError) as caught:
        read_images([path])
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


def test_a_32x32_png_comes_back_pixel_for_pixel(tmp_path, digit):
    Image.fromarray(digit).save(tmp_path / "digit.png")
    np.testing.assert_array_equal(only_image(tmp_path / "digit.png"), digit)


def test_suffixes_may_be_capitals(tmp_path, digit):
    Image.fromarray(digit).save(tmp_path / "DIGIT.PNG")
    np.testing.assert_array_equal(only_image(tmp_path / "DIGIT.PNG"), digit)


def test_photos_and_arrays_mix_and_keep_their_order(tmp_path, digit):
    Image.fromarray(digit).save(tmp_path / "photo.png")
    np.savez(tmp_path / "digits.npz", X=np.stack([digit // 2, digit // 4]))
    images, names, _ = read_images([tmp_path / "digits.npz", tmp_path / "photo.png"])
    assert names == ["digits.npz[0]", "digits.npz[1]", "photo.png"]
    np.testing.assert_array_equal(images, np.stack([digit // 2, digit // 4, digit]))


@pytest.mark.parametrize("shape", [(60, 20), (20, 60), (61, 20), (20, 61), (47, 47), (9, 8), (1, 1), (300, 7)])
def test_the_crop_rule_pads_with_the_border_and_then_resizes(tmp_path, shape):
    # Far enough from 0 and 255 that the bicubic overshoot is not cut off.
    smooth = np.random.default_rng(1).integers(80, 176, (4, 4, 3), np.uint8)
    photo = Image.fromarray(smooth).resize(shape[::-1], Image.Resampling.BICUBIC)
    photo.save(tmp_path / "photo.png")
    side = max(shape)
    padding = [((side - size) // 2, side - size - (side - size) // 2) for size in shape]
    square = np.pad(np.asarray(photo), (*padding, (0, 0)), mode="edge")
    expected = np.asarray(Image.fromarray(square).resize((32, 32), Image.Resampling.BICUBIC), int)
    # The order in which the two directions are rounded may differ.
    assert np.abs(only_image(tmp_path / "photo.png") - expected).max() <= 2


def test_a_very_long_strip_does_not_become_a_giant_square(tmp_path):
    # As a square it would take 10 GB.
    strip = np.zeros((1, 60_000, 3), np.uint8)
    strip[:, 30_000:] = 255
    Image.fromarray(strip).save(tmp_path / "strip.png")
    image = only_image(tmp_path / "strip.png")
    assert image[:, :15].max() == 0
    assert image[:, 17:].min() == 255


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_png_mode_shows_the_same_picture(tmp_path, mode):
    halves = np.zeros((40, 40), np.uint8)
    halves[:, 20:] = 255
    if mode == "I;16":
        photo = Image.fromarray(halves.astype(np.uint16) * 257)
    else:
        photo = Image.fromarray(halves).convert("RGB").convert(mode)
    photo.save(tmp_path / "photo.png")
    with Image.open(tmp_path / "photo.png") as stored:
        assert stored.mode == mode
    image = only_image(tmp_path / "photo.png")
    assert image[:, :14].max() <= 2
    assert image[:, 18:].min() >= 253


def test_sixteen_bits_keep_their_shades(tmp_path):
    Image.fromarray(np.full((32, 32), 0x8040, np.uint16)).save(tmp_path / "grey.png")
    assert np.unique(only_image(tmp_path / "grey.png")).tolist() == [0x80]


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_every_jpeg_mode_is_read(tmp_path, mode):
    Image.new("RGB", (50, 40), (200, 200, 200)).convert(mode).save(tmp_path / "photo.jpeg", quality=95)
    with Image.open(tmp_path / "photo.jpeg") as stored:
        assert stored.mode == mode
    assert np.abs(only_image(tmp_path / "photo.jpeg").astype(int) - 200).max() <= 4


def test_transparency_shows_white(tmp_path):
    clear = Image.new("RGBA", (32, 32), (*RED, 0))
    clear.paste((*RED, 255), (0, 0, 16, 32))
    clear.save(tmp_path / "alpha.png")
    image = only_image(tmp_path / "alpha.png")
    assert tuple(image[16, 4]) == RED
    assert tuple(image[16, 28]) == WHITE


def test_half_transparent_black_is_grey(tmp_path):
    Image.new("LA", (32, 32), (0, 128)).save(tmp_path / "half.png")
    assert np.abs(only_image(tmp_path / "half.png").astype(int) - 127).max() <= 1


def test_a_transparent_palette_colour_shows_white(tmp_path):
    palette = Image.new("P", (32, 32), 1)
    palette.putpalette([*RED, *BLUE])
    palette.paste(0, (0, 0, 16, 32))
    palette.save(tmp_path / "palette.png", transparency=1)
    image = only_image(tmp_path / "palette.png")
    assert tuple(image[16, 4]) == RED
    assert tuple(image[16, 28]) == WHITE


def test_a_photo_is_turned_as_its_exif_data_say(tmp_path):
    photo = Image.new("RGB", (64, 64), BLUE)
    photo.paste(RED, (0, 0, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: the camera lay on its side, so what is stored on top belongs on the right.
    photo.save(tmp_path / "turned.jpg", quality=95, exif=exif)
    image = only_image(tmp_path / "turned.jpg").astype(int)
    assert image[16, 28, 0] > 200 > image[16, 28, 2]
    assert image[16, 4, 2] > 200 > image[16, 4, 0]


def test_a_missing_file_is_named(tmp_path):
    assert "no such file" in complaint(tmp_path / "absent.png")
    assert "no such file" in complaint(tmp_path / "absent.npz")


def test_a_folder_is_no_photo(tmp_path):
    (tmp_path / "folder.png").mkdir()
    assert "cannot be opened" in complaint(tmp_path / "folder.png")


@pytest.mark.parametrize("name", ["photo.svg", "digits.npy", "photo"])
def test_other_kinds_of_file_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"anything")
    assert "photo.png" in complaint(tmp_path / name)


def test_no_paths_at_all():
    with pytest.raises(SVHNError, match="no image was given"):
        read_images([])


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg", "digits.npz"])
@pytest.mark.parametrize("content", [b"", b"not what the name says"], ids=["empty", "text"])
def test_files_without_an_image_in_them(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert "damaged" in complaint(tmp_path / name)


@pytest.mark.parametrize("kind", ["png", "jpg", "npz"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_file_cut_short(tmp_path, digit, kind, kept):
    path = tmp_path / f"short.{kind}"
    if kind == "npz":
        np.savez_compressed(path, X=digit[None])
    else:
        Image.fromarray(digit).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    assert "damaged" in complaint(path)


@pytest.mark.parametrize("kind", ["png", "jpg", "npz"])
def test_flipped_bytes_give_an_image_or_a_complaint(tmp_path, digit, kind):
    path = tmp_path / f"flipped.{kind}"
    if kind == "npz":
        np.savez(path, X=digit[None])
    else:
        Image.fromarray(digit).save(path)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    complaints = 0
    for _ in range(150):
        flipped = whole.copy()
        # Most of the structure is at the two ends of each of these formats.
        places = rng.integers(0, min(len(whole), 250), 3) * rng.choice([1, -1])
        flipped[places] = rng.integers(0, 256, 3)
        path.write_bytes(flipped.tobytes())
        try:
            only_image(path)
        except SVHNError as error:
            assert "\n" not in str(error)
            complaints += 1
    assert complaints > 0


def test_an_image_of_no_width(tmp_path):
    (tmp_path / "flat.png").write_bytes(png(0, 32))
    assert "empty" in complaint(tmp_path / "flat.png")


@pytest.mark.parametrize("size", [(11_000, 9_000), (60_000, 60_000)], ids=["where Pillow warns", "where it refuses"])
def test_a_decompression_bomb_is_not_unpacked(tmp_path, size):
    (tmp_path / "bomb.png").write_bytes(png(*size))
    assert "million pixels" in complaint(tmp_path / "bomb.png")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 28, 28, 3), np.uint8),
        np.zeros((32, 32, 3, 2), np.uint8),
        np.zeros((32, 32, 3), np.uint8),
        np.zeros((), np.uint8),
        np.zeros((2, 32, 32, 3), np.float32),
    ],
    ids=["28x28", "MATLAB's order", "one image", "no axes", "float"],
)
def test_arrays_of_another_kind_are_refused(tmp_path, array):
    np.savez(tmp_path / "digits.npz", X=array)
    message = complaint(tmp_path / "digits.npz")
    assert str(array.shape) in message
    assert str(array.dtype) in message


def test_an_array_under_another_name(tmp_path, digit):
    np.savez(tmp_path / "digits.npz", images=digit[None])
    assert "no array X" in complaint(tmp_path / "digits.npz")


def test_an_array_without_images(tmp_path):
    np.savez(tmp_path / "digits.npz", X=np.zeros((0, 32, 32, 3), np.uint8))
    assert "no images" in complaint(tmp_path / "digits.npz")


def test_a_bare_array_that_calls_itself_npz(tmp_path, digit):
    content = io.BytesIO()
    np.save(content, digit[None])
    (tmp_path / "digits.npz").write_bytes(content.getvalue())
    assert "damaged" in complaint(tmp_path / "digits.npz")


def test_pickled_objects_are_not_unpacked(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path / "sprung").touch, ()

    np.savez(tmp_path / "trap.npz", X=np.array([Trap()], object), allow_pickle=True)
    assert "damaged, or not" in complaint(tmp_path / "trap.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [("webp", "WEBP"), ("gif", "GIF"), ("tif", "TIFF"), ("tiff", "TIFF"), ("avif", "AVIF"), ("heic", "HEIF")],
)
def test_every_kind_of_photo_shows_the_same_picture(tmp_path, suffix, kind):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    halves = Image.new("RGB", (64, 64), RED)
    halves.paste(BLUE, (32, 0, 64, 64))
    halves.save(tmp_path / f"photo.{suffix}", kind)
    image = only_image(tmp_path / f"photo.{suffix}").astype(int)
    assert np.abs(image[:, :14] - RED).max() < 40 and np.abs(image[:, 18:] - BLUE).max() < 40


def test_a_photo_is_what_it_holds_whatever_its_suffix_says(tmp_path, digit):
    Image.fromarray(digit).save(tmp_path / "photo.jpg", "PNG")
    np.testing.assert_array_equal(only_image(tmp_path / "photo.jpg"), digit)


def test_a_tiff_of_fractions_is_read_as_shades(tmp_path):
    Image.fromarray(np.full((32, 32), 0.5, np.float32)).save(tmp_path / "half.tif")
    assert np.unique(only_image(tmp_path / "half.tif")).tolist() == [127]


def test_an_image_shows_nothing_where_no_digit_of_svhn_is_as_faint(digit):
    rng = np.random.default_rng(0)
    wall = (120 + rng.normal(0, 1.5, (32, 32, 3))).astype(np.uint8)
    faint = wall.copy()
    faint[8:24, 14:18] -= 40
    red_on_green = np.zeros((32, 32, 3), np.uint8)
    red_on_green[..., 1] = 60
    red_on_green[8:24, 14:18] = (117, 0, 0)
    images = np.stack([np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 255, np.uint8), wall, faint, red_on_green])
    assert is_blank(np.concatenate([images, digit[None]])).tolist() == [True, True, True, False, False, False]


def test_a_whole_plate_is_remarked_on(tmp_path):
    for name, size in (("plate.png", (300, 100)), ("digit.png", (90, 60)), ("tall.png", (20, 80))):
        Image.new("RGB", size, RED).save(tmp_path / name)
    remarks = read_images([tmp_path / "plate.png", tmp_path / "digit.png", tmp_path / "tall.png"])[2]
    assert "single" in remarks[0] and remarks[1:] == ["", ""]


@pytest.mark.parametrize("name", ["photo.png", "digits.npz"])
def test_a_pipe_is_refused_at_once(tmp_path, name):
    os.mkfifo(tmp_path / name)
    assert "pipe or device" in complaint(tmp_path / name)
