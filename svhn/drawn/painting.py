"""Paints a sign: paint, metal, stone and light."""

import cv2
import numpy as np

from svhn.drawn.house_numbers import Colours, colours, pick
from svhn.drawn.signs import View
from svhn.drawn.surfaces import light, smooth_field, wall

# Lengths are in eightieths of a scene.
SCENE = 80
MATERIALS = ("painted", "raised", "metal", "engraved", "contoured", "hollow")
MATERIAL_STEPS = np.cumsum((0.60, 0.22, 0.09, 0.03, 0.045, 0.015))
# Blur lowers contrast, so it is raised beforehand to reach the tables' figures.
CONTRAST, LEAST_CONTRAST = 1.46, 48


def paint(rng: np.random.Generator, view: View) -> np.ndarray:
    """Gives a view its materials and light.

    Args:
        rng: The source of chance.
        view: The sign as the camera sees it.

    Returns:
        float32 (side, side, 3), about 0..255.
    """
    pair = colours(rng, CONTRAST, LEAST_CONTRAST)
    contrast = float(np.abs(pair.ink - pair.ground).mean())
    # One plane a colour: NumPy is several times as fast on them.
    scene = _background(rng, view, pair, contrast)
    material = MATERIALS[pick(rng, MATERIAL_STEPS)]
    ink = _hollow(view.ink) if material == "hollow" else view.ink
    if material == "contoured":
        around = cv2.dilate(ink, np.ones((3, 3), np.uint8))
        _lay(scene, around, _beyond(rng, pair.ink, pair.ground))
    if material in ("raised", "metal"):
        _cast_shadow(rng, scene, ink)
    face = _face(rng, pair, contrast, material, ink)
    scene += (face - scene) * ink
    scene *= light(rng, view.side)
    if rng.random() < 0.02:
        scene += _glare(rng, view.side)
    seen = cv2.merge(tuple(scene))
    return _exposed(rng, seen)


def _exposed(rng: np.random.Generator, seen: np.ndarray) -> np.ndarray:
    """Gives a scene the traits of all photos: shadows bluer than lights, neither pure black nor pure white."""
    grey = cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY)
    mean = cv2.mean(grey)[0]
    bluer = (grey - np.float32(mean)) * np.float32(rng.normal(-0.042, 0.013))
    seen[..., 2] += 1.772 * bluer
    seen[..., 1] -= 0.344 * bluer
    # Film and sensors compress highlights: most photos have few pixels at their upper limit.
    knee, share, haze = rng.uniform(72, 200), rng.uniform(0.4, 1), rng.uniform(0, 28)
    low = 1 - haze / 255
    np.minimum(seen * np.float32(low), seen * np.float32(low * share) + np.float32(low * knee * (1 - share)), out=seen)
    seen += np.float32(haze)
    return seen


def _column(colour: np.ndarray) -> np.ndarray:
    return colour.astype(np.float32).reshape(3, 1, 1)


def _lay(scene: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> None:
    scene += (_column(colour) - scene) * mask


def _beyond(rng: np.random.Generator, colour: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A colour on the far side of `other`, seen from `colour`."""
    return np.clip(other + (other - colour) * rng.uniform(0.2, 0.8), 0, 255)


def _background(rng: np.random.Generator, view: View, pair: Colours, contrast: float) -> np.ndarray:
    """Wall, plaque, frame and extras, float32 (3, side, side)."""
    side = view.side
    on_plaque = bool(view.plaque[side // 2, side // 2])
    strength = contrast * min(rng.exponential(0.03), 0.25)
    scene = np.empty((3, side, side), np.float32)
    if not on_plaque:
        scene[:] = _column(pair.ground)
        scene += wall(rng, side) * np.float32(strength)
        scene += smooth_field(rng, side, 3) * np.float32(contrast * min(rng.exponential(0.11), 0.2))
    else:
        behind = colours(rng).ground
        share = rng.random() * 0.8
        scene[:] = _column(behind * (1 - share) + pair.ground * share)
        scene += wall(rng, side) * np.float32(min(rng.exponential(12), 40))
        if rng.random() < 0.4:
            shifted = _moved(view.plaque, *rng.uniform(-3, 4, 2))
            scene *= 1 - np.float32(rng.uniform(0.1, 0.5)) * shifted
        plain = smooth_field(rng, side, 3) * np.float32(contrast * min(rng.exponential(0.03), 0.15))
        scene += (_column(pair.ground) + plain - scene) * view.plaque
        rim = pair.ink if rng.random() < 0.6 else _beyond(rng, pair.ink, pair.ground)
        _lay(scene, view.rim, rim)
    extra = pair.ink if rng.random() < 0.7 else pair.ground * rng.uniform(0.3, 0.9)
    scene += (_column(extra) - scene) * view.extras * np.float32(rng.uniform(0.4, 1))
    return scene


def _moved(mask: np.ndarray, across: float, down: float) -> np.ndarray:
    """A mask moved by so many eightieths of its side."""
    scale = len(mask) / SCENE
    matrix = np.array([[1, 0, across * scale], [0, 1, down * scale]])
    return cv2.warpAffine(mask, matrix, mask.shape, borderMode=cv2.BORDER_REPLICATE)


def _hollow(ink: np.ndarray) -> np.ndarray:
    """The outlines of the ink."""
    return ink - cv2.erode(ink, np.ones((3, 3), np.uint8))


def _cast_shadow(rng: np.random.Generator, scene: np.ndarray, ink: np.ndarray) -> None:
    across, down = rng.normal(0, 2.5), abs(rng.normal(0, 2.5)) + 0.5
    shadow = cv2.GaussianBlur(_moved(ink, across, down), (0, 0), rng.uniform(0.6, 2.5) * len(ink) / SCENE + 0.2)
    scene *= 1 - np.float32(rng.uniform(0.1, 0.55)) * shadow


def _face(rng: np.random.Generator, pair: Colours, contrast: float, material: str, ink: np.ndarray) -> np.ndarray:
    """The colour of the ink at each place, float32 (3, side, side) or (3, 1, 1)."""
    face = _column(pair.ink)
    if material == "painted" and rng.random() < 0.6:
        return face
    shade = smooth_field(rng, len(ink), 3 if material == "metal" else 4) * np.float32(
        contrast * (rng.uniform(0.15, 0.4) if material == "metal" else min(rng.exponential(0.08), 0.25))
    )
    if material in ("raised", "metal", "engraved"):
        # Edges that face the light are bright and those that turn from it dark. In stone it is the other way round.
        across, down = rng.uniform(-1.5, 1.5), rng.uniform(0.4, 1.6)
        soft = cv2.GaussianBlur(ink, (0, 0), max(len(ink) / SCENE, 0.5))
        slope = _moved(soft, -across, -down) - _moved(soft, across, down)
        shade -= slope * np.float32(contrast * rng.uniform(0.1, 0.6) * (-1 if material == "engraved" else 1))
    return face + shade


def _glare(rng: np.random.Generator, side: int) -> np.ndarray:
    """A reflection: a soft bright patch, float32 (side, side)."""
    place = np.linspace(0, SCENE, side, dtype=np.float32)
    middle, width = rng.uniform(0, SCENE, 2), rng.uniform(8, 40, 2)
    rows, columns = (np.exp(-(((place - m) / w) ** 2)) for m, w in zip(middle, width, strict=True))
    return (rows[:, None] * columns * rng.uniform(30, 130)).astype(np.float32)
