"""Plots in one style, narrow enough for their words to be read on a phone."""

import html
from collections.abc import Sequence

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from PIL import Image

from svhn.data.provenance import Provenance
from svhn.learning.records import Record
from svhn.learning.reliability import expected_calibration_error, reliability

TRAINING, VALIDATION = "#1f5fa8", "#d1495b"
# Inches: on a phone, 390 points wide, letters of 8 points are then 7 points high, and those of 9 are 8.
WIDTH = 5.5
_DOTS_PER_INCH = 160  # Plots are sharp on a slide, too.
_SHOWN_PER_INCH = 116  # Points of a page: letters of 9 points are then as large as the page's own.
SMALL = 8
_COLUMNS = 10
# The metadata of an output that holds the words below a plot.
CAPTION = "caption"
# A share of fewer digits says nothing.
_FEW = 5
# Kinds of layers differ in hatching as well as in colour.
_BOXES = {"Conv2D": "#9ec5e8", "MaxPooling2D": "#f4c98b", "Dense": "#b9dba4"}
_HATCHES = {"MaxPooling2D": "///", "Dense": "xx"}


def use_style() -> None:
    """Sets the style of every plot that is drawn from now on; a person's own `matplotlibrc` does not count."""
    matplotlib.rcdefaults()
    plt.rc("font", size=9)
    plt.rc("axes", titlesize=9)
    plt.rc("figure", titlesize=10, dpi=_DOTS_PER_INCH)
    plt.rc("savefig", dpi=_DOTS_PER_INCH)
    plt.rcParams["svg.hashsalt"] = "svhn"  # With a random salt, the same plot would be another file each time.


def show_plot(description: str) -> None:
    """Shows the plot that was drawn last, if one is open, and closes it.

    Args:
        description: The plot in words. In a notebook they stand below the plot, for which JupyterLab has no other
            place. Pages give them to people who do not see it.
    """
    if not plt.get_fignums():
        return
    if "inline" in plt.get_backend():
        # SVG does not improve photos, and drawing them twice takes twice as long.
        photos = sum(len(panel.images) for panel in plt.gcf().axes) > 1
        width = round(plt.gcf().get_figwidth() * _SHOWN_PER_INCH)
        metadata = {"image/png": {"alt": description, "width": width}}
        display(plt.gcf(), metadata=metadata, exclude=["image/svg+xml"] if photos else None)
        plt.close()
        caption = {"text/html": f"<small>{html.escape(description)}</small>", "text/plain": description}
        display(caption, raw=True, metadata={CAPTION: True})
    else:
        plt.show()


def plot_learning_curves(record: Record) -> None:
    """Draws and shows loss and accuracy over the epochs, training and validation, side by side.

    The two differ in line and marker as well as in colour. A star marks the epoch of the best validation accuracy.

    Args:
        record: The record of a stored model.
    """
    curves = record.learning_curves
    epochs = np.arange(1, len(curves["loss"]) + 1)
    best = int(np.argmax(curves["val_accuracy"]))
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 2.3), layout="constrained")
    for panel, quantity in zip(panels, ("loss", "accuracy"), strict=True):
        training, validation = curves[quantity], curves[f"val_{quantity}"]
        panel.plot(epochs, training, color=TRAINING, lw=1.6, ls="--", label="training")
        panel.plot(epochs, validation, color=VALIDATION, lw=1.6, marker="o", ms=2.5, label="validation")
        panel.plot(epochs[best], validation[best], color=VALIDATION, marker="*", ms=11, mec="black", ls="", zorder=3)
        panel.set(xlabel="epoch", ylabel=quantity)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False)
    share = curves["val_accuracy"][best]
    figure.suptitle(f"{record.name}, best epoch {epochs[best]}: {share:.1%}")
    first, last = curves["val_accuracy"][0], curves["val_accuracy"][-1]
    show_plot(
        f"Learning curves of {record.name}{_trained_on(record.data) if record.data else ''}. In {len(epochs)} epochs "
        f"validation accuracy goes from {first:.1%} to {last:.1%} (the best, with a star: {share:.1%}), "
        f"training accuracy to {curves['accuracy'][-1]:.1%}."
    )


def _trained_on(data: Provenance) -> str:
    extension = data.train_drawn if data.drawn else 0
    text = f", trained on {data.train - extension:,} digits of {data.name}"
    return text + (f" and {extension:,} drawn ones" if extension else "")


def plot_images(images: np.ndarray, captions: Sequence[object], title: str = "") -> None:
    """Draws small images in rows of ten, a caption of one or more short lines below each.

    Args:
        images: uint8 or 0..1 float (n, height, width, 1 or 3).
        captions: One caption an image.
        title: The figure's title.
    """
    rows = -(-len(images) // _COLUMNS)
    lines = 1 + max((str(caption).count("\n") for caption in captions), default=0)
    size = WIDTH, (WIDTH / _COLUMNS + 0.16 * lines) * rows + (0.3 if title else 0.1)
    figure, panels = plt.subplots(rows, _COLUMNS, figsize=size, layout="constrained", squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    for panel, image, caption in zip(panels.flat, images, captions, strict=False):
        panel.imshow(image, cmap="gray", vmin=0, vmax=1 if image.dtype.kind == "f" else 255)
        panel.set_title(caption, y=-0.05, va="top", pad=0)
    figure.suptitle(title)


def plot_reliability(readings: dict[str, np.ndarray], labels: np.ndarray, title: str = "") -> None:
    """Draws the accuracy and the number of predictions over their confidence.

    Args:
        readings: Class probabilities, float (n, 10), by the name that the legend shows.
        labels: The digits, (n,).
        title: The figure's title.
    """
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(WIDTH, 5.2), layout="constrained", sharex=True, height_ratios=(3, 1)
    )
    above.plot([0, 1], [0, 1], color="0.6", lw=1, ls=":", label="ideal")
    styles = zip((TRAINING, VALIDATION), ("o-", "s--"), strict=True)
    for (name, probabilities), (colour, style) in zip(readings.items(), styles, strict=False):
        table = reliability(probabilities, labels)
        error = expected_calibration_error(probabilities, labels)
        label = f"{name} (expected calibration error {error:.1%})"
        told = table[table["count"] >= _FEW]
        above.plot(told["confidence"], told["accuracy"], style, color=colour, lw=2, ms=5, label=label)
        below.plot(table["confidence"], table["count"], style, color=colour, lw=1.5, ms=4)
    above.set(ylabel=f"share read right ({_FEW} digits or more)", ylim=(0, 1.02), title=title)
    figure.legend(frameon=False, loc="outside lower center")
    below.set(xlabel="probability of what was read", ylabel="digits", yscale="log", xlim=(0, 1.02))
    for panel in (above, below):
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)


def plot_embedding_map(
    points: np.ndarray, labels: np.ndarray, asked: np.ndarray, near: np.ndarray, title: str = ""
) -> None:
    """Draws embeddings in a plane, each as a small digit in its class's colour, and one digit among its neighbours.

    Args:
        points: The embeddings' points, float (n, 2); at most 1,500 of them are drawn.
        labels: The digits, (n,).
        asked: The point of one digit, float (2,).
        near: The points of its neighbours, float (k, 2).
        title: The figure's title.
    """
    _, panel = plt.subplots(figsize=(WIDTH, 4.4), layout="constrained")
    shown = np.linspace(0, len(points) - 1, min(len(points), 1500)).astype(int)
    colours = plt.get_cmap("tab10")
    for digit in range(10):
        rows = shown[labels[shown] == digit]
        across, up = points[rows].T
        panel.scatter(across, up, s=22, color=colours(digit), marker=f"${digit}$", lw=0.2)
    panel.scatter(near[:, 0], near[:, 1], s=130, facecolors="none", edgecolors="black", lw=1.2, label="neighbours")
    panel.scatter(asked[0], asked[1], s=130, marker="*", color="black", edgecolors="white", label="asked")
    panel.set(xticks=[], yticks=[], title=title)
    panel.legend(frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.01))
    panel.spines[:].set_visible(False)


def plot_network(shapes: Sequence[tuple[str, tuple[int, ...]]], title: str = "") -> None:
    """Draws a chain of layers as boxes, whose height grows with the image's and whose width with the channels or units.

    Above each box stands the number of its channels or units, and below those of one size the size of the image.

    Args:
        shapes: For each layer its kind ("Conv2D", "MaxPooling2D", "Dense" and so on) and the shape of its output
            without the batch axis, (height, width, channels) or (units,).
        title: The figure's title.
    """
    tallest = max(_tall(shape) for _, shape in shapes)
    _, panel = plt.subplots(figsize=(WIDTH, 1.2 + 0.22 * tallest), layout="constrained")
    crowded = len(shapes) > _COLUMNS
    left = 0.0
    reached: dict[str, list[float]] = {}  # By the size of the image: from where, how tall, up to where.
    for kind, shape in shapes:
        width, tall = np.log2(shape[-1] + 1) / 6, _tall(shape)
        panel.add_patch(_box(kind, (left, -tall / 2), width, tall))
        place = left + width / 2, tall / 2 + 0.2
        panel.text(*place, str(shape[-1]), ha="center", va="bottom", fontsize=SMALL, rotation=90 if crowded else 0)
        if len(shape) == 3:
            reached.setdefault(f"{shape[0]}x{shape[1]}", [left, tall]).append(left + width)
        left += width + 0.35
    for size, (start, tall, *ends) in reached.items():
        panel.text((start + ends[-1]) / 2, -tall / 2 - 0.2, size, ha="center", va="top", fontsize=SMALL)
    kinds = dict.fromkeys(kind for kind, _ in shapes)
    boxes = [_box(kind, (0, 0), 1, 1) for kind in kinds]
    panel.legend(boxes, kinds, frameon=False, ncols=len(kinds), loc="upper center", bbox_to_anchor=(0.5, 0))
    panel.set(xlim=(-0.5, left), ylim=(-tallest / 2 - 1.2, tallest / 2 + (2.2 if crowded else 1.2)), title=title)
    panel.set_axis_off()


def _tall(shape: tuple[int, ...]) -> float:
    return float(np.log2(shape[0] if len(shape) == 3 else 1) + 0.8)


def _box(kind: str, corner: tuple[float, float], width: float, height: float) -> plt.Rectangle:
    return plt.Rectangle(corner, width, height, fc=_BOXES.get(kind, "0.9"), ec="black", hatch=_HATCHES.get(kind))


def enlarge(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Enlarges a coarse map to an image's (height, width) by bilinear interpolation, float32."""
    coarse = Image.fromarray(values.astype(np.float32))
    return np.asarray(coarse.resize(size[::-1], Image.Resampling.BILINEAR))


def overlay(image: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """Lays evidence over an image in light grey; its colour and strength say how strong the evidence is.

    Args:
        image: uint8 (height, width, 3).
        evidence: float (height, width), 0..1.

    Returns:
        float32 (height, width, 3), 0..1.
    """
    grey = image.astype(np.float32).mean(axis=2, keepdims=True)
    # On dark images the colours would be muddy.
    grey = 0.3 + 0.7 * (grey - grey.min()) / max(np.ptp(grey), 1)
    colour = plt.get_cmap("plasma")(evidence)[..., :3].astype(np.float32)
    strength = 0.55 * evidence[..., np.newaxis].astype(np.float32) ** 2
    return (1 - strength) * grey + strength * colour
