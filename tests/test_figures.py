"""Plots: their words can be read on a phone, go with them, and no person's own style reaches them."""

import base64
import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from svhn.learning import figures
from svhn.learning.records import load_record
from svhn.notebook import concepts
from svhn.notebook.cells import read_notebook

ROOT = Path(__file__).parents[1]
PHONE = 390 - 2 * 6  # points of a page, without its margins
LABELS = np.arange(60) % 10
PLANE = np.column_stack([LABELS, LABELS**2]).astype(float)
LAYERS = [("Conv2D", (32, 32, 64)), ("Conv2D", (32, 32, 2048)), ("MaxPooling2D", (16, 16, 2048)), ("Dense", (10,))]
READINGS = {name: np.eye(10)[LABELS] * 0.5 + 0.05 for name in ("one image", "averaged over copies")}
PLOTS = {
    "curves": lambda: figures.plot_learning_curves(load_record(ROOT / "models", "model_2_2")),
    "images": lambda: figures.plot_images(np.zeros((11, 32, 32, 3), np.uint8), ["as 5\n100%"] * 11, "Misread digits"),
    "reliability": lambda: figures.plot_reliability(READINGS, LABELS, "model_2_2"),
    "map": lambda: figures.plot_embedding_map(PLANE, LABELS, PLANE[0], PLANE[1:4], "Embeddings"),
    "network": lambda: figures.plot_network(LAYERS * 5, "model_2_1"),
    "training": concepts.show_training,
    "regularisation": concepts.show_regularisation,
    "convolution": concepts.show_convolution,
    "activation map": concepts.show_activation_map,
    "neighbours": concepts.show_neighbours,
}


@pytest.fixture(autouse=True)
def style(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    with plt.rc_context():
        figures.use_style()
        yield
    plt.close("all")


@pytest.mark.parametrize("name", PLOTS)
def test_words_are_large_enough_on_a_phone_and_none_covers_another(name):
    PLOTS[name]()
    figure = plt.gcf()
    figure.draw_without_rendering()
    words = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    assert min(text.get_fontsize() for text in words) / 72 * PHONE / figure.get_figwidth() >= 7
    renderer = figure.canvas.get_renderer()
    places = [(text.get_text(), text.get_window_extent(renderer)) for text in words if text.axes is not None]
    places = [(text, box) for text, box in places if figure.bbox.overlaps(box)]
    for index, (text, box) in enumerate(places):
        for other, place in places[index + 1 :]:
            assert not box.padded(-2).overlaps(place.padded(-2)), (text, other)


def test_a_person_s_style_is_none_of_a_plot_s(tmp_path):
    plt.rcParams.update({"text.usetex": True, "font.size": 30, "lines.linewidth": 9})
    figures.use_style()
    assert not plt.rcParams["text.usetex"] and plt.rcParams["font.size"] == 9
    assert plt.rcParams["lines.linewidth"] < 2


def test_the_published_plots_are_as_narrow_and_have_their_words_below_them():
    cells = [cell for cell in read_notebook(ROOT / "Assignment3.ipynb").cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    plots = [index for index, output in enumerate(outputs) if "image/png" in output.get("data", {})]
    assert len(plots) >= 20
    for index in plots:
        image = Image.open(io.BytesIO(base64.b64decode(outputs[index].data["image/png"])))
        metadata, caption = outputs[index].metadata["image/png"], outputs[index + 1]
        assert image.width <= 1.05 * figures.WIDTH * 160 and metadata["width"] <= 640
        assert caption.metadata.caption and caption.data["text/plain"] == metadata["alt"] != ""
