"""Small drawn pictures of the ideas that the notebook's texts explain; each is computed from a few made-up numbers."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from svhn.learning.figures import SMALL, TRAINING, VALIDATION, WIDTH, show_plot
from svhn.learning.training import one_cycle

_LIGHT = "#9ec5e8"
# A 7 as a network might see it, 8x8.
_SEVEN = np.zeros((8, 8))
_SEVEN[1, 1:7] = 1
_SEVEN[range(2, 7), [6, 5, 4, 3, 3]] = 1


def show_training() -> None:
    """Shows how scores become probabilities, what a probability costs, and the learning rate of one cycle."""
    scores = np.array([0.2, 0.5, 0.1, 3.0, 0.4, 1.9, 0.3, 0.6, 1.4, 0.2])
    probabilities = np.exp(scores) / np.exp(scores).sum()
    labelled = probabilities[3]
    _, (bars, loss, rate) = plt.subplots(1, 3, figsize=(WIDTH, 1.8), layout="constrained")
    drawn = bars.bar(range(10), probabilities, color=_LIGHT, ec="black", lw=0.6)
    drawn[3].set(hatch="///", fc=VALIDATION)
    bars.set(xticks=range(0, 10, 3), xlabel="digit", title="probabilities")
    across = np.linspace(0.01, 1, 200)
    loss.plot(across, -np.log(across), color=TRAINING)
    loss.plot([labelled], [-np.log(labelled)], "o", color=VALIDATION, mec="black")
    loss.set(xlabel="probability of the label", title="loss", xticks=[0, 0.5, 1])
    steps, schedule = range(0, 101, 2), one_cycle(1.0, 100)
    rate.plot(steps, [float(schedule(step)) for step in steps], color=TRAINING)
    rate.set(
        xlabel="batches, in %", title="learning rate", xticks=[0, 20, 100], yticks=[0, 1], yticklabels=["0", "peak"]
    )
    _tidy(bars, loss, rate)
    show_plot(
        f"Left: ten scores made into probabilities, the label's, a 3, hatched. Middle: the loss of one digit over "
        f"that probability; here {labelled:.2f} costs {-np.log(labelled):.2f}. Right: one cycle of the learning rate."
    )


def show_regularisation() -> None:
    """Shows what batch normalisation, dropout and weight decay each do to a layer."""
    _, (normal, dropped, decay) = plt.subplots(1, 3, figsize=(WIDTH, 1.9), layout="constrained")
    before = np.random.default_rng(0).gamma(4, 1.2, 256)
    after = (before - before.mean()) / before.std()
    bins = np.linspace(-3, 12, 31)
    normal.hist(before, bins, color="0.8", ec="black", lw=0.4, label="before")
    normal.hist(after, bins, color=_LIGHT, ec="black", lw=0.4, hatch="///", label="after")
    normal.legend(frameon=False, fontsize=SMALL)
    normal.set(title="batch norm.", xlabel="output of a unit", yticks=[])
    _draw_dropout(dropped)
    steps = np.arange(60)
    # Each step takes a share of a weight; a loss that falls towards 1 gives some of it back.
    asked = 0.7 + 0.3 * 0.88**steps
    decay.plot(steps, asked, color=TRAINING, label="asked for")
    decay.plot(steps, 0.95**steps, color=VALIDATION, ls="--", label="not")
    decay.legend(frameon=False, fontsize=SMALL)
    decay.set(title="weight decay", xlabel="step", ylim=(0, 1.05), yticks=[0, 1], ylabel="weight")
    _tidy(normal, decay)
    show_plot(
        "Left: a unit's outputs over a batch, before and after normalisation. Middle: a layer under dropout; the next "
        "step leaves out other units. Right: under decay, a weight that the loss asks for, and one that it does not."
    )


def _draw_dropout(panel: Axes) -> None:
    """Two layers of units; of the lower, some are left out, and with them all that they would say."""
    lower, upper, silent = np.linspace(0, 1, 6), np.linspace(0.15, 0.85, 4), {1, 4}
    for number, x in enumerate(lower):
        if number not in silent:
            for above in upper:
                panel.plot([x, above], [0, 1], color="0.6", lw=0.6, zorder=1)
    for x in upper:
        panel.plot(x, 1, "o", ms=9, mfc=_LIGHT, mec="black")
    for number, x in enumerate(lower):
        panel.plot(x, 0, "o", ms=9, mfc="white" if number in silent else _LIGHT, mec="black")
        if number in silent:
            panel.plot(x, 0, "x", ms=7, color=VALIDATION, mew=2)
    panel.set(title="dropout", xlim=(-0.1, 1.1), ylim=(-0.3, 1.3))
    panel.set_axis_off()


def show_convolution() -> None:
    """Shows one convolution of 3x3 over an image, and max pooling of what it puts out."""
    weights = np.array([[-1.0, -1, -1], [2, 2, 2], [-1, -1, -1]])
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(_SEVEN, 1), (3, 3))
    found = np.maximum((windows * weights).sum(axis=(2, 3)), 0)
    pooled = found.reshape(4, 2, 4, 2).max(axis=(1, 3))
    _, panels = plt.subplots(1, 4, figsize=(WIDTH, 1.75), layout="constrained", width_ratios=(8, 4, 8, 5))
    titles = ("image, 8x8", "weights", "one channel", "pooled")
    for panel, values, title in zip(panels, (_SEVEN, weights, found, pooled), titles, strict=True):
        panel.imshow(values, cmap="gray")
        panel.set(xticks=[], yticks=[], title=title)
    for (row, column), weight in np.ndenumerate(weights):
        colour = "black" if weight > 0 else "white"
        panels[1].text(column, row, f"{weight:g}", ha="center", va="center", fontsize=SMALL, color=colour)
    for panel, corner, size in ((panels[0], (2.5, -0.5), 3), (panels[2], (3.5, 0.5), 1), (panels[3], (1.5, -0.5), 1)):
        panel.add_patch(plt.Rectangle(corner, size, size, fill=False, ec="#e08a1e", lw=2.5))
    show_plot(
        "Weights that look for a horizontal stroke, laid over each place of a 7. The window marked in the image gives "
        "the point marked in the channel. Pooling keeps the greatest of each four points."
    )


def show_activation_map() -> None:
    """Shows how the channels of a convolution are weighted and summed to a class activation map."""
    up, right = np.mgrid[0:4, 0:4]
    places = ((0.5, 1.5), (2.5, 1.5), (1.5, 3.0))
    channels = [np.exp(-((up - row) ** 2 + (right - column) ** 2) / 1.5) for row, column in places]
    weights = (0.9, 0.6, -0.8)
    total = np.maximum(sum(weight * one for weight, one in zip(weights, channels, strict=True)), 0)
    _, panels = plt.subplots(1, 4, figsize=(WIDTH, 1.6), layout="constrained")
    for panel, values, weight in zip(panels, (*channels, total), (*weights, None), strict=True):
        panel.imshow(values, cmap="gray" if weight else "plasma", vmin=0)
        panel.set(xticks=[], yticks=[], title=f"{weight:+.1f} x channel" if weight else "= the map")
    show_plot(
        "Three channels of a convolution, 4x4 points each, times the mean gradients of a digit's score. Their sum, "
        "cut off at 0, is the map: nothing is left on the right, where the third channel speaks against the digit."
    )


def show_neighbours() -> None:
    """Shows how the nearest neighbours of a point vote, each by its nearness."""
    rng = np.random.default_rng(4)
    centres = {3: (0.0, 0.0), 5: (2.2, 0.6), 8: (0.9, 2.2)}
    labels = np.repeat(list(centres), 9)
    points = np.concatenate([rng.normal(centre, 0.62, (9, 2)) for centre in centres.values()])
    asked = 1.15, 0.75
    distances = np.linalg.norm(points - np.array(asked), axis=1)
    near = np.argsort(distances)[:7]
    _, (plane, votes) = plt.subplots(1, 2, figsize=(WIDTH, 2.2), layout="constrained", width_ratios=(3, 2))
    for digit in centres:
        plane.scatter(*points[labels == digit].T, s=40, marker=f"${digit}$", color="black", lw=0.2)
    for one in near:
        plane.plot(*np.stack([asked, points[one]]).T, color=TRAINING, lw=0.8, zorder=0)
    plane.plot(*asked, "*", ms=13, color=VALIDATION, mec="black")
    plane.add_patch(plt.Circle(asked, distances[near].max() + 0.1, fill=False, ls="--", ec="0.4"))
    plane.set(xticks=[], yticks=[], aspect="equal", title="seven neighbours")
    shares = [(1 / distances[near])[labels[near] == digit].sum() for digit in centres]
    votes.bar([str(digit) for digit in centres], shares, color=_LIGHT, ec="black", lw=0.6)
    votes.set(title="votes, 1 / distance", xlabel="digit")
    _tidy(votes)
    read = list(centres)[int(np.argmax(shares))]
    show_plot(
        "Embeddings as points of a plane, each with its label. The seven that are nearest to the star vote, a near one "
        f"with more weight, and it is read as {read}."
    )


def _tidy(*panels: Axes) -> None:
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
