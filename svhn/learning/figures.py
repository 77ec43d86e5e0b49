"""Plots in one style."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from PIL import Image

from svhn.data.provenance import Provenance
from svhn.learning.records import Record
from svhn.learning.reliability import expected_calibration_error, reliability

TRAINING, VALIDATION = "#1f5fa8", "#d1495b"
_DOTS_PER_INCH = 150  # Plots are sharp on a slide, too.
_COLUMNS = 10
# A share of fewer digits says nothing.
_FEW = 5
# Kinds of layers differ in hatching as well as in colour.
_BOXES = {"Conv2D": "#9ec5e8", "MaxPooling2D": "#f4c98b", "Dense": "#b9dba4"}
_HATCHES = {"MaxPooling2D": "///", "Dense": "xx"}


def use_style() -> None:
    """Sets the style of every plot that is drawn from now on."""
    plt.rcParams["savefig.dpi"] = plt.rcParams["figure.dpi"] = _DOTS_PER_INCH
    plt.rcParams["svg.hashsalt"] = "svhn"  # With a random salt, the same plot would be another file each time.


def show_plot(description: str) -> None:
    """Shows the plot that was drawn last, if one is open, and closes it.

    Args:
        description: The plot in words, for people who do not see it. It goes with the plot into the notebook.
    """
    if not plt.get_fignums():
        return
    if "inline" in plt.get_backend():
        # SVG does not improve photos, and drawing them twice takes twice as long.
        photos = sum(len(panel.images) for panel in plt.gcf().axes) > 1
        metadata = {"image/png": {"alt": description}}
        display(plt.gcf(), metadata=metadata, exclude=["image/svg+xml"] if photos else None)
        plt.close()
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
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for panel, quantity in zip(panels, ("loss", "accuracy"), strict=True):
        training, validation = curves[quantity], curves[f"val_{quantity}"]
        panel.plot(epochs, training, color=TRAINING, lw=2, ls="--", label="training")
        panel.plot(epochs, validation, color=VALIDATION, lw=2, marker="o", ms=3.5, label="validation")
        panel.plot(epochs[best], validation[best], color=VALIDATION, marker="*", ms=14, mec="black", ls="", zorder=3)
        panel.set(xlabel="epoch", ylabel=quantity)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False)
    share = curves["val_accuracy"][best]
    panels[1].set_title(f"best epoch {epochs[best]}: {share:.1%} of the validation digits", fontsize=9)
    figure.suptitle(record.name + (_trained_on(record.data) if record.data else ""))
    show_plot(
        f"Learning curves of {record.name}: loss and accuracy over {len(epochs)} epochs, training and validation. "
        f"Validation accuracy is {curves['val_accuracy'][0]:.1%} after the first epoch, {share:.1%} after the best "
        f"and {curves['val_accuracy'][-1]:.1%} after the last; training accuracy ends at {curves['accuracy'][-1]:.1%}."
    )


def _trained_on(data: Provenance) -> str:
    extension = data.train_drawn if data.drawn else 0
    text = f", trained on {data.train - extension:,} digits of {data.name}"
    return text + (f" and {extension:,} drawn ones" if extension else "")


def plot_images(images: np.ndarray, captions: Sequence[object], title: str = "") -> None:
    """Draws small images in rows of ten, a caption below each.

    Args:
        images: uint8 or 0..1 float (n, height, width, 1 or 3).
        captions: One caption an image.
        title: The figure's title.
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
    """Draws the accuracy and the number of predictions over their confidence.

    Args:
        readings: Class probabilities, float (n, 10), by the name that the legend shows.
        labels: The digits, (n,).
        title: The figure's title.
    """
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(5.2, 6), layout="constrained", sharex=True, height_ratios=(3, 1)
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
    figure.legend(frameon=False, loc="outside lower center", fontsize=9)
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
    _, panel = plt.subplots(figsize=(7.5, 6), layout="constrained")
    shown = np.linspace(0, len(points) - 1, min(len(points), 1500)).astype(int)
    colours = plt.get_cmap("tab10")
    for digit in range(10):
        rows = shown[labels[shown] == digit]
        across, up = points[rows].T
        panel.scatter(across, up, s=34, color=colours(digit), marker=f"${digit}$", lw=0.2)
    panel.scatter(near[:, 0], near[:, 1], s=130, facecolors="none", edgecolors="black", lw=1.2, label="neighbours")
    panel.scatter(asked[0], asked[1], s=130, marker="*", color="black", edgecolors="white", label="asked")
    panel.set(xticks=[], yticks=[], title=title)
    panel.legend(frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.01))
    panel.spines[:].set_visible(False)


def plot_network(shapes: Sequence[tuple[str, tuple[int, ...]]], title: str = "") -> None:
    """Draws a chain of layers as boxes, whose height grows with the image's and whose width with the channels or units.

    Args:
        shapes: For each layer its kind ("Conv2D", "MaxPooling2D", "Dense" and so on) and the shape of its output
            without the batch axis, (height, width, channels) or (units,).
        title: The figure's title.
    """

    def box(kind: str, corner: tuple[float, float], width: float, height: float) -> plt.Rectangle:
        fill, hatch = _BOXES.get(kind, "0.9"), _HATCHES.get(kind)
        return plt.Rectangle(corner, width, height, fc=fill, ec="black", hatch=hatch)

    tallest = max(np.log2(shape[0] if len(shape) == 3 else 1) + 0.8 for _, shape in shapes)
    _, panel = plt.subplots(figsize=(11, 1.4 + 0.3 * tallest), layout="constrained")
    left = 0.0
    for kind, shape in shapes:
        height, width = (shape[0] if len(shape) == 3 else 1), np.log2(shape[-1] + 1) / 6
        tall = np.log2(height) + 0.8
        panel.add_patch(box(kind, (left, -tall / 2), width, tall))
        size = f"{shape[0]}x{shape[1]}\n" if len(shape) == 3 else ""
        panel.text(left + width / 2, tall / 2 + 0.15, f"{size}{shape[-1]}", ha="center", va="bottom", fontsize=9)
        left += width + 0.35
    kinds = dict.fromkeys(kind for kind, _ in shapes)
    boxes = [box(kind, (0, 0), 1, 1) for kind in kinds]
    panel.legend(boxes, kinds, frameon=False, ncols=len(kinds), loc="upper center", bbox_to_anchor=(0.5, 0.02))
    panel.set(xlim=(-0.3, left), ylim=(-tallest / 2 - 0.4, tallest / 2 + 1.3), title=title)
    panel.set_axis_off()


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
