"""Plots in one style."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from svhn.learning.reliability import expected_calibration_error, reliability

TRAINING, VALIDATION = "#1f5fa8", "#d1495b"
_DOTS_PER_INCH = 150  # Sharp on a slide, too.
_COLUMNS = 10


def use_style() -> None:
    """Sets the style of every plot that is drawn from now on."""
    plt.rcParams["savefig.dpi"] = plt.rcParams["figure.dpi"] = _DOTS_PER_INCH


def plot_learning_curves(record: dict[str, Any]) -> None:
    """Draws loss and accuracy over the epochs, training and validation, side by side.

    Args:
        record: Of a stored model.
    """
    curves, data = record["learning_curves"], record.get("data")
    epochs = range(1, len(curves["loss"]) + 1)
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for panel, quantity in zip(panels, ("loss", "accuracy"), strict=True):
        panel.plot(epochs, curves[quantity], color=TRAINING, lw=2, label="training")
        panel.plot(epochs, curves[f"val_{quantity}"], color=VALIDATION, lw=2, label="validation")
        panel.set(xlabel="epoch", ylabel=quantity)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False)
    figure.suptitle(record["name"] + (_trained_on(data) if data else ""))


def _trained_on(data: dict[str, Any]) -> str:
    extension = data["train_drawn"] if "drawn" in data else 0
    text = f", trained on {data['train'] - extension:,} digits of {data['name']}"
    return text + (f" and {extension:,} drawn ones" if extension else "")


def plot_images(images: np.ndarray, captions: Sequence[object], title: str = "") -> None:
    """Draws small images in rows of ten, a caption below each.

    Args:
        images: uint8 or 0..1 float (n, height, width, 1 or 3).
        captions: One an image.
        title: Of the figure.
    """
    rows = -(-len(images) // _COLUMNS)
    figure, panels = plt.subplots(
        rows, _COLUMNS, figsize=(_COLUMNS, 1.25 * rows + 0.4), layout="constrained", squeeze=False
    )
    for panel in panels.flat:
        panel.set_axis_off()
    for panel, image, caption in zip(panels.flat, images, captions, strict=False):
        panel.imshow(image, cmap="gray", vmin=0, vmax=1 if image.dtype.kind == "f" else 255)
        panel.set_title(caption, fontsize=9, y=-0.28)
    figure.suptitle(title)


def plot_reliability(readings: dict[str, np.ndarray], labels: np.ndarray, title: str = "") -> None:
    """Draws how often predictions of a confidence are right, and how many predictions have it.

    Args:
        readings: Class probabilities, float (n, 10), by the name that the legend shows.
        labels: The digits, (n,).
        title: Of the figure.
    """
    _, (above, below) = plt.subplots(2, 1, figsize=(5.2, 5.6), layout="constrained", sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color="0.6", lw=1, ls=":", label="ideal")
    styles = zip((TRAINING, VALIDATION), ("o-", "s--"), strict=True)
    for (name, probabilities), (colour, style) in zip(readings.items(), styles, strict=False):
        table = reliability(probabilities, labels)
        error = expected_calibration_error(probabilities, labels)
        label = f"{name} (expected calibration error {error:.1%})"
        above.plot(table["confidence"], table["accuracy"], style, color=colour, lw=2, ms=5, label=label)
        below.plot(table["confidence"], table["count"], style, color=colour, lw=1.5, ms=4)
    above.set(ylabel="share read right", ylim=(0, 1.02), title=title)
    above.legend(frameon=False, loc="upper left", fontsize=9)
    below.set(xlabel="probability of what was read", ylabel="digits", yscale="log", xlim=(0, 1.02))
    for panel in (above, below):
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)


def enlarge(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A coarse map brought to an image's (height, width) by bilinear interpolation, float32."""
    coarse = Image.fromarray(values.astype(np.float32))
    return np.asarray(coarse.resize(size[::-1], Image.Resampling.BILINEAR))


def overlay(image: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """An image in light grey under a veil: the shapes stay, and the colour says how strong the evidence is.

    Args:
        image: uint8 (height, width, 3).
        evidence: 0..1 (height, width).

    Returns:
        float32 (height, width, 3), 0..1.
    """
    grey = image.astype(np.float32).mean(axis=2, keepdims=True)
    # Dark images would leave the veil's colours muddy.
    grey = 0.3 + 0.7 * (grey - grey.min()) / max(np.ptp(grey), 1)
    colour = plt.get_cmap("plasma")(evidence)[..., :3].astype(np.float32)
    strength = 0.55 * evidence[..., np.newaxis].astype(np.float32) ** 2
    return (1 - strength) * grey + strength * colour
