"""Plots in one style."""

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

TRAINING, VALIDATION = "#1f5fa8", "#d1495b"


def plot_learning_curves(record: dict[str, Any]) -> Figure:
    """Draws loss and accuracy over the epochs, training and validation, side by side.

    Args:
        record: Of a stored model.
    """
    curves = record["learning_curves"]
    epochs = range(1, len(curves["loss"]) + 1)
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for panel, quantity in zip(panels, ("loss", "accuracy"), strict=True):
        panel.plot(epochs, curves[quantity], color=TRAINING, lw=2, label="training")
        panel.plot(epochs, curves[f"val_{quantity}"], color=VALIDATION, lw=2, label="validation")
        panel.set(xlabel="epoch", ylabel=quantity)
    panels[0].legend(frameon=False)
    return figure
