"""One digit through the eyes of the stored models: the engine of `Explorer.ipynb`, with widgets or without."""

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Image, display
from matplotlib.axes import Axes
from sklearn.neighbors import NearestNeighbors

from svhn.backend import keras
from svhn.data.photos import crop, read_photo
from svhn.data.protocol import Split
from svhn.errors import SVHNError
from svhn.learning.batches import Images, Preprocessed, predict
from svhn.learning.explanation import layer_cam
from svhn.learning.figures import enlarge, overlay
from svhn.learning.records import stored_names
from svhn.learning.stored import load_model
from svhn.notebook.cells import NOTEBOOK, load_definitions

NEIGHBOURS = 8


@dataclass(frozen=True)
class Reader:
    """A stored model with the preprocessing that it was trained with.

    Attributes:
        model: The network.
        preprocess: From uint8 images (n, 32, 32, 3) to what the network is given; None for the images themselves.
    """

    model: keras.Model
    preprocess: Callable[[np.ndarray], np.ndarray] | None

    def view(self, images: np.ndarray) -> Images:
        """The images, uint8 (n, 32, 32, 3), as the network is given them."""
        return images if self.preprocess is None else Preprocessed(images, self.preprocess)


class Explorer:
    """Everything that is loaded once: the models, and the training digits that neighbours are looked for among.

    Args:
        split: The digits; neighbours are real training digits.
        models: The folder of the stored models.
        notebook: Where the preprocessing is defined.
        interpreter: The model whose evidence is shown.
        layers: Its convolutions in which evidence is looked for.
        embedder: The model whose embeddings tell which digits are near.
        embedding_layer: Its layer that puts out the embedding.
        among: How many training digits neighbours are looked for among.
    """

    def __init__(
        self,
        split: Split,
        models: str | Path = "models",
        notebook: Path = NOTEBOOK,
        interpreter: str = "model_2_2",
        layers: tuple[str, ...] = ("block9_conv", "block12_conv"),
        embedder: str = "model_4_1",
        embedding_layer: str = "block6_flatten",
        among: int = 1000,
    ) -> None:
        definitions = load_definitions(notebook)
        self.readers = {name: _load_reader(models, name, definitions) for name in stored_names(models)}
        self.interpreter, self.layers = self.readers[interpreter], layers
        self.images, self.labels = split.X_train[: split.n_train][:among], split.y_train[: split.n_train][:among]
        self.embedder = self.readers[embedder]
        model = self.embedder.model
        self.base = keras.Model(model.inputs[0], model.get_layer(embedding_layer).output)
        self.search = NearestNeighbors(n_neighbors=NEIGHBOURS, metric="cosine").fit(
            self.embed(self.images, "embedding")
        )

    def embed(self, images: np.ndarray, task: str = "") -> np.ndarray:
        """The embeddings, float32 (n, units), of uint8 images (n, 32, 32, 3); a named task shows its progress."""
        return predict(self.base, self.embedder.view(images), task)

    def probabilities(self, image: np.ndarray) -> pd.DataFrame:
        """The probabilities that every model gives an image, uint8 (32, 32, 3): a row a model, a column a digit."""
        rows = {name: predict(reader.model, reader.view(image[np.newaxis]))[0] for name, reader in self.readers.items()}
        return pd.DataFrame(rows).T

    def neighbours(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The nearest training digits of an image: uint8 (8, 32, 32, 3), and their labels."""
        rows = self.search.kneighbors(self.embed(image[np.newaxis]), return_distance=False)[0]
        return self.images[rows], self.labels[rows]

    def evidence(self, image: np.ndarray, digit: int) -> np.ndarray:
        """A map of the interpreter's evidence for a digit, float32 (32, 32), 0..1."""
        given = self.interpreter.view(image[np.newaxis])[:]
        given = given[0] / np.float32(255) if given.dtype == np.uint8 else given[0]
        return enlarge(layer_cam(self.interpreter.model, given, self.layers, digit), image.shape[:2])

    def plot(self, image: np.ndarray, label: int | None = None) -> Image:
        """Draws all of it: the image, the probabilities, the evidence and the neighbours.

        A finished picture, because figures show only where Matplotlib is set to draw them into the notebook.

        Args:
            image: uint8 (32, 32, 3).
            label: The digit, where it is known.
        """
        table = self.probabilities(image)
        read = int(table.mean().argmax())
        figure = plt.figure(figsize=(10, 5), layout="constrained")
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(2, 1))[:, 0]
        first, second, third = above.subplots(1, 3, width_ratios=(1, 1, 2.2))
        first.imshow(image)
        first.set_title("the image" + ("" if label is None else f": a {label}"))
        second.imshow(overlay(image, self.evidence(image, read)))
        second.set_title(f"evidence for {read}")
        _draw_probabilities(third, table)
        for panel in (first, second):
            panel.set(xticks=[], yticks=[])
        below.suptitle("nearest training digits", fontsize=10)
        near, labels = self.neighbours(image)
        for panel, one, digit in zip(below.subplots(1, NEIGHBOURS), near, labels, strict=True):
            panel.imshow(one)
            panel.set_title(f"a {digit}", fontsize=9)
            panel.set(xticks=[], yticks=[])
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=150)
        plt.close(figure)
        return Image(drawn.getvalue(), width=1000, alt=f"a digit that the models read as {read}, and why")


def _load_reader(models: str | Path, name: str, definitions: dict[str, Any]) -> Reader:
    model, record = load_model(models, name)
    return Reader(model, definitions[record.preprocessing] if record.preprocessing else None)


def _draw_probabilities(panel: Axes, table: pd.DataFrame) -> None:
    panel.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(table.to_numpy()):
        if share >= 0.005:
            panel.text(
                column,
                row,
                f"{share:.0%}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if share > 0.6 else "black",
            )
    panel.set(xticks=range(10), yticks=range(len(table)), xlabel="digit", title="probabilities")
    panel.set_yticklabels(table.index)
    panel.tick_params(length=0)


def widgets(explorer: Explorer, split: Split) -> Any:
    """The explorer to click in: a test digit by its number, or a square of an uploaded photo.

    Args:
        explorer: With its models loaded.
        split: The digits; test digits are shown.

    Returns:
        A widget of `ipywidgets`.
    """
    from ipywidgets import Tab, VBox

    tabs = Tab([_test_digits(explorer, split), _photos(explorer)], titles=("test digits", "your photo"))
    return VBox([tabs])


def _test_digits(explorer: Explorer, split: Split) -> Any:
    from ipywidgets import BoundedIntText, Output, VBox

    number = BoundedIntText(0, min=0, max=len(split.y_test) - 1, description="number")
    output = Output()

    def show(*_: Any) -> None:
        output.outputs = ()
        with output:
            display(explorer.plot(split.X_test[number.value], int(split.y_test[number.value])))

    number.observe(show, "value")
    show()
    return VBox([number, output])


def _photos(explorer: Explorer) -> Any:
    from ipywidgets import FileUpload, FloatSlider, HBox, Output, VBox

    upload = FileUpload(accept="image/*", description="choose a photo", layout={"width": "max-content"})
    sliders = [
        FloatSlider(0.5, min=0, max=1, step=0.01, description="left", continuous_update=False),
        FloatSlider(0.5, min=0, max=1, step=0.01, description="top", continuous_update=False),
        FloatSlider(1.0, min=0.02, max=1, step=0.01, description="size", continuous_update=False),
    ]
    output = Output()

    def show(*_: Any) -> None:
        output.outputs = ()
        if not upload.value:
            return
        with output:
            try:
                photo = _uploaded(upload.value[0])
            except SVHNError as error:
                print(error)
                return
            display(explorer.plot(crop(photo, *(slider.value for slider in sliders))))

    for control in (upload, *sliders):
        control.observe(show, "value")
    return VBox([HBox([upload, *sliders]), output])


def _uploaded(file: dict[str, Any]) -> np.ndarray:
    """An uploaded photo, read as any other file is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(str(file["name"])).name
        path.write_bytes(bytes(file["content"]))
        return read_photo(path)
