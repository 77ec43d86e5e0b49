"""One digit as the stored models see it: the engine of `Explorer.ipynb`, with widgets or without."""

import base64
import io
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML, display
from PIL import Image, ImageDraw
from sklearn.neighbors import NearestNeighbors

from svhn.backend import keras
from svhn.data.photos import crop, decode_photo
from svhn.data.protocol import Split
from svhn.digits import model_input
from svhn.errors import SVHNError
from svhn.learning.batches import predict
from svhn.learning.explanation import layer_cam
from svhn.learning.figures import enlarge, overlay
from svhn.learning.records import stored_names
from svhn.notebook.cells import load_definitions
from svhn.notebook.measurement import load_reader
from svhn.notebook.report import load_template

NEIGHBOURS = 8
# The number of training digits among which neighbours are searched.
_AMONG = 1000
# The model whose evidence is shown, with its convolutions that give it; and the model whose embeddings say which digits
# are near, with its layer whose output is the embedding.
_INTERPRETER, _LAYERS = "model_2_2", ("block9_conv", "block12_conv")
_EMBEDDER, _EMBEDDING = "model_4_1", "block6_flatten"
_PHOTO_SIDE = 380


class Explorer:
    """The stored models and the training digits among which neighbours are searched; both are loaded once.

    Args:
        split: The digits. Neighbours are training digits without the extension.
    """

    def __init__(self, split: Split) -> None:
        definitions = load_definitions()
        self.readers = {name: load_reader(name, "models", definitions) for name in stored_names("models")}
        self.interpreter, self.embedder = self.readers[_INTERPRETER], self.readers[_EMBEDDER]
        among = min(_AMONG, split.n_train)
        self.images, self.labels = split.X_train[:among], split.y_train[:among]
        model = self.embedder.model
        self.base = keras.Model(model.inputs[0], model.get_layer(_EMBEDDING).output)
        self.search = NearestNeighbors(n_neighbors=NEIGHBOURS, metric="cosine").fit(
            self.embed(self.images, "embedding")
        )

    def embed(self, images: np.ndarray, task: str = "") -> np.ndarray:
        """The embeddings, float32 (n, units), of uint8 images (n, 32, 32, 3). A named task shows its progress."""
        return predict(self.base, self.embedder.view(images), task)

    def probabilities(self, image: np.ndarray) -> pd.DataFrame:
        """The probabilities that every model gives an image, uint8 (32, 32, 3): a row a model, a column a digit."""
        rows = {name: reader.probabilities(image[np.newaxis])[0] for name, reader in self.readers.items()}
        return pd.DataFrame(rows).T

    def neighbours(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The nearest training digits of an image: uint8 (8, 32, 32, 3), and their labels."""
        rows = self.search.kneighbors(self.embed(image[np.newaxis]), return_distance=False)[0]
        return self.images[rows], self.labels[rows]

    def evidence(self, image: np.ndarray, digit: int) -> np.ndarray:
        """A map of the interpreter's evidence for a digit, float32 (32, 32), 0..1."""
        given = model_input(self.interpreter.view(image[np.newaxis])[:])[0]
        return enlarge(layer_cam(self.interpreter.model, given, _LAYERS, digit), image.shape[:2])

    def show(self, image: np.ndarray, label: int | None = None, photo: np.ndarray | None = None) -> HTML:
        """Shows the image, the evidence, the probabilities and the neighbours.

        Args:
            image: uint8 (32, 32, 3).
            label: The digit, where it is known.
            photo: The photo that the image was cut out of, uint8 (height, width, 3), of any size.

        Returns:
            A page that fits any width, with a description of each picture.
        """
        table = self.probabilities(image)
        read = int(table.mean().argmax())
        seen = "the image" + ("" if label is None else f": a {label}")
        evidence = (255 * overlay(image, self.evidence(image, read))).astype(np.uint8)
        found = f"the image in grey; in colour, where {self.interpreter.model.name} finds evidence for {read}"
        # Each picture with its caption, and with a description for people who do not see it.
        large = [] if photo is None else [(photo, "your photo", "your photo, with the square that is read")]
        large += [(image, seen, seen), (evidence, f"evidence for {read}", found)]
        neighbours = zip(*self.neighbours(image), strict=True)
        page = load_template("explorer.html").render(
            large=large,
            near=[(one, f"a {digit}", f"a training digit, a {digit}") for one, digit in neighbours],
            address=_address,
            probabilities=zip(table.index, table.to_numpy(), strict=True),
            embedder=self.embedder.model.name,
        )
        return HTML(page)


def _address(image: np.ndarray) -> str:
    """An image as a PNG in a data URL."""
    content = io.BytesIO()
    Image.fromarray(image).save(content, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def framed(photo: np.ndarray, left: float, top: float, size: float) -> np.ndarray:
    """Makes a photo smaller and frames the square that `crop` cuts out of it for the same arguments.

    Args:
        photo: uint8 (height, width, 3).
        left: The argument of `crop`.
        top: The argument of `crop`.
        size: The argument of `crop`.

    Returns:
        uint8 (height, width, 3), at most 380 points wide and high.
    """
    small = Image.fromarray(photo)
    small.thumbnail((_PHOTO_SIDE, _PHOTO_SIDE))
    side = size * min(small.size)
    across, down = left * (small.width - side), top * (small.height - side)
    pen, edge = ImageDraw.Draw(small), np.array([small.width - 1, small.height - 1])
    for grow, colour in ((0, "white"), (1, "#d1495b"), (2, "#d1495b"), (3, "white")):
        upper = np.array([across, down]) - grow
        corners = np.clip([upper, upper + side - 1 + 2 * grow], 0, edge)
        pen.rectangle(tuple(corners.ravel()), outline=colour)
    return np.asarray(small)


def widgets(explorer: Explorer, split: Split) -> Any:
    """Makes widgets that show a test digit by its number, or a square of an uploaded photo.

    Args:
        explorer: The explorer.
        split: The split whose test digits are shown.

    Returns:
        A widget of `ipywidgets`.
    """
    from ipywidgets import Tab, VBox

    tabs = Tab([_test_digits(explorer, split), _photos(explorer)], titles=("test digits", "your photo"))
    return VBox([tabs])


def _test_digits(explorer: Explorer, split: Split) -> Any:
    from ipywidgets import BoundedIntText, Output, VBox

    number = BoundedIntText(0, min=0, max=len(split.y_test) - 1, description="number", layout={"max_width": "100%"})
    output = Output()

    def show(*_: Any) -> None:
        output.outputs = ()
        with output:
            display(explorer.show(split.X_test[number.value], int(split.y_test[number.value])))

    number.observe(show, "value")
    show()
    return VBox([number, output])


def _photos(explorer: Explorer) -> Any:
    from ipywidgets import FileUpload, HBox, Output, VBox

    upload = FileUpload(accept="image/*", description="choose a photo", layout={"width": "max-content"})
    sliders = [_slider("left", 0.5, 0), _slider("top", 0.5, 0), _slider("size", 1.0, 0.02)]
    output = Output()

    def show(*_: Any) -> None:
        output.outputs = ()
        if not upload.value:
            return
        with output:
            try:
                photo = decode_photo(str(upload.value[0]["name"]), bytes(upload.value[0]["content"]))
            except SVHNError as error:
                print(error)
                return
            square = [slider.value for slider in sliders]
            display(explorer.show(crop(photo, *square), photo=framed(photo, *square)))

    for control in (upload, *sliders):
        control.observe(show, "value")
    return VBox([HBox([upload, *sliders], layout={"flex_flow": "row wrap"}), output])


def _slider(name: str, value: float, least: float) -> Any:
    from ipywidgets import FloatSlider

    return FloatSlider(
        value,
        min=least,
        max=1,
        step=0.01,
        description=name,
        continuous_update=False,
        style={"description_width": "3em"},
        layout={"max_width": "100%"},
    )
