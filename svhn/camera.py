"""What a camera makes of a scene: a modest photo, and the 32x32 digit that the crop rule cuts out of it."""

import cv2
import numpy as np
from PIL import Image

from svhn.surfaces import grain, speckle

SIDE = 32
# Scenes reach beyond the digit's box by MARGIN on each side, so that blur, JPEG blocks and bicubic
# interpolation find at the crop's edge what they would find in a photo.
SCENE, MARGIN = 80, 8
BOX = SCENE - 2 * MARGIN


def photo_side(box_height: float) -> int:
    """How many pixels of a photo a scene takes up: beyond SCENE it would hold nothing that 32 pixels can show."""
    return round(min(max(box_height, 9.0), float(BOX)) * SCENE / BOX)


def photograph(rng: np.random.Generator, scene: np.ndarray) -> np.ndarray:
    """Takes a photo and cuts out the digit.

    Args:
        rng: Decides on focus, motion, noise and compression.
        scene: float32 (side, side, 3), 0..255, in the photo's pixels; the digit's box is the middle BOX / SCENE of it.

    Returns:
        uint8 (32, 32, 3).
    """
    side = len(scene)
    photo = _developed(rng, _focused(rng, scene, side * BOX / SCENE))
    pixels = cv2.convertScaleAbs(cv2.max(photo, 0))
    # SVHN's colours show none of the blocks that its brightness does.
    quality = (cv2.IMWRITE_JPEG_LUMA_QUALITY, int(rng.integers(45, 88)))
    colour_quality = (cv2.IMWRITE_JPEG_CHROMA_QUALITY, int(rng.integers(92, 100)))
    _, stored = cv2.imencode(".jpg", pixels, quality + colour_quality)
    pixels = cv2.imdecode(stored, cv2.IMREAD_UNCHANGED)
    # Street pictures are turned, joined and stored several times over; each time rounds.
    worn = pixels + speckle(rng, side) * np.float32(rng.uniform(0.0, 0.12))
    pixels = cv2.convertScaleAbs(cv2.max(worn, 0))
    return _cut_out(_at_photo_edge(rng, pixels), side * MARGIN / SCENE)


def _cut_out(pixels: np.ndarray, edge: float) -> np.ndarray:
    """The crop rule: bicubic to 32x32, without a margin of `edge` pixels.

    Down first, then across, as SVHN's digits were made: between the two everything is rounded to 8 bits, which a
    network that is to tell drawn digits from real ones sees at once. Pillow goes across first.
    """
    turned = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 0, 2)))
    far = len(pixels) - edge
    cut = turned.resize((SIDE, SIDE), Image.Resampling.BICUBIC, (edge, edge, far, far))
    return np.asarray(cut).transpose(1, 0, 2)


def _focused(rng: np.random.Generator, photo: np.ndarray, box: float) -> np.ndarray:
    """Lens and motion: a part of the blur comes with the pixels, a part with the distance to the house."""
    pixels, share = rng.lognormal(-0.4, 0.4), rng.lognormal(-3.6, 0.5)
    sigma = min(float(np.hypot(pixels, share * box)), 0.075 * box)
    # The camera stands on a car: what moves, moves along the street.
    along = sigma * (1 + (min(rng.exponential(0.5), 1.5) if rng.random() < 0.3 else 0))
    return cv2.GaussianBlur(photo, (0, 0), along, sigmaY=sigma)


def _developed(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """What happens in the camera: noise, sharper brightness with seams beside edges, softer colour."""
    brightness, red, blue = cv2.split(cv2.cvtColor(photo, cv2.COLOR_RGB2YCrCb))
    brightness += grain(rng, len(photo)) * np.float32(min(rng.lognormal(0.0, 0.6), 5))
    soft = cv2.GaussianBlur(brightness, (0, 0), rng.uniform(0.9, 2.2))
    # Violet fringes along edges, whichever side is the darker one.
    blue += cv2.absdiff(brightness, soft) * np.float32(rng.uniform(0, 0.2))
    amount = rng.normal(0.5, 0.5)
    if amount > 0.05:
        brightness = cv2.addWeighted(brightness, 1 + amount, soft, -amount, 0)
    softness = rng.uniform(0.9, 1.5)
    if rng.random() < 0.3:
        # A lens bends colours differently: red and blue fall beside green.
        matrix = np.array([[1, 0, rng.normal(0, 0.4)], [0, 1, rng.normal(0, 0.4)]])
        red, blue = (
            cv2.warpAffine(plane, matrix, plane.shape, borderMode=cv2.BORDER_REPLICATE) for plane in (red, blue)
        )
    red, blue = (cv2.GaussianBlur(plane, (0, 0), softness) for plane in (red, blue))
    return cv2.cvtColor(cv2.merge((brightness, red, blue)), cv2.COLOR_YCrCb2RGB)


def _at_photo_edge(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """For one digit in a hundred the photo ends within the crop, which repeats the photo's last row or column."""
    if rng.random() < 0.01:
        last = round(len(pixels) * rng.uniform(0.12, 0.2))
        turned = np.rot90(pixels, rng.integers(4))
        turned[:, :last] = turned[:, last : last + 1].copy()
    return pixels
