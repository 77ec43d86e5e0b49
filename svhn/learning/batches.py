"""From stored uint8 images to the float batches that a model sees."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from svhn.backend import devices, keras
from svhn.digits import model_input
from svhn.progress import progress_bar

# More would be no faster on a processor, and hold a network's widest layers for so many digits: 64 MB each for 128.
PREDICTION_BATCH = 32


class Preprocessed:
    """A lazy view of images through a preprocessing function, so that no second copy of a data set is held.

    Args:
        images: uint8 array (n, 32, 32, 3), or another such view.
        function: Takes uint8 images (k, 32, 32, 3), returns k arrays of one shape: uint8 (scaled to [0, 1] on the way
            into a model, like raw images) or float (taken as it is). Its name is stored with every model trained on
            the view, and `predict` finds it by that name (of a view of a view it is told both, and finds none).
    """

    def __init__(self, images: "Images", function: Callable[[np.ndarray], np.ndarray]) -> None:
        self.images = images
        self.function = function
        self.shape = (len(images), *function(images[:1]).shape[1:])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> np.ndarray:
        """The preprocessed image or images at a position, slice or array of positions."""
        single = np.isscalar(index)
        if single:
            return self.function(self.images[index][np.newaxis])[0]
        return self.function(self.images[index])


Images = np.ndarray | Preprocessed


@dataclass(frozen=True)
class Augmented:
    """Training images that are altered anew each time they are shown.

    Attributes:
        images: What is altered.
        labels: The digits, uint8 (n,).
        augment: Takes float32 model input (k, height, width, channels) and a NumPy generator, returns the same shape.
        rows: What one pass shows, by row; a digit named twice is shown twice. None shows each digit once.
    """

    images: Images
    labels: np.ndarray
    augment: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    rows: np.ndarray | None = None

    @property
    def pass_length(self) -> int:
        """How many digits one pass shows."""
        return len(self.images) if self.rows is None else len(self.rows)


def preprocessing_name(images: Images) -> str | None:
    """The name of the function through which `images` are seen, None where a model gets the colours themselves."""
    if not isinstance(images, Preprocessed):
        return None
    inner = preprocessing_name(images.images)
    return function_name(images.function) + (f" after {inner}" if inner else "")


def unprocessed(images: Images) -> np.ndarray:
    """What `images` are a view of."""
    return unprocessed(images.images) if isinstance(images, Preprocessed) else images


def function_name(function: Callable) -> str:
    """What a record calls a function; of a `functools.partial` with its settings, as "vary(inverted=0)"."""
    if isinstance(function, functools.partial):
        settings = [repr(value) for value in function.args]
        settings += [f"{name}={value!r}" for name, value in function.keywords.items()]
        return f"{function_name(function.func)}({', '.join(settings)})"
    return getattr(function, "__name__", type(function).__name__)


def preprocess_like(images: Images, raw: np.ndarray) -> Images:
    """Sees `raw` uint8 images through the same function as `images`, or functions, where those are a view of a view."""
    if not isinstance(images, Preprocessed):
        return raw
    return Preprocessed(preprocess_like(images.images, raw), images.function)


class Batches(keras.utils.PyDataset):
    """Endless shuffled passes over training digits, cut into full batches and epochs of a fixed number of steps.

    Batch number g holds the same digits, altered in the same way, in every run with the same seed: a resumed training
    goes on exactly where it stopped. All batches have one shape, so no backend compiles a second step.

    Args:
        data: Digits to show, augmented or not.
        batch_size: Digits a batch.
        steps: Batches an epoch; None for one pass (the last batch is filled from the next pass).
        seed: Of order and augmentation.
        epoch: The epoch to show, counted from 0; the training sets it.
        share: The rows of each batch to give; other hosts compute the rest.
    """

    def __init__(
        self,
        data: Augmented,
        batch_size: int,
        steps: int | None = None,
        seed: int = 0,
        epoch: int = 0,
        share: slice | None = None,
    ) -> None:
        # In the order asked for and without Keras's queue of its own, which carries batches over a resumed epoch.
        super().__init__(workers=1)
        self.data = data
        self.batch_size = batch_size
        self.steps = steps or -(-data.pass_length // batch_size)
        self.seed = seed
        self.epoch = epoch
        self.share = share or slice(None)
        rows = data.pass_length if data.rows is None else data.rows
        self._order = functools.lru_cache(maxsize=2)(lambda number: self._generator(0, number).permutation(rows))

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        return self.steps

    def _generator(self, *key: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, *key))

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Float32 input and labels of one batch of the present epoch."""
        number = self.epoch * self.steps + index
        count = self.data.pass_length
        position = np.arange(number * self.batch_size, (number + 1) * self.batch_size)
        rows = np.array([self._order(int(p // count))[p % count] for p in position])
        batch = model_input(self.data.images[rows])
        # All of a batch is altered everywhere, so that it is the same batch on any number of hosts.
        altered = self.data.augment(batch, self._generator(1, number))
        return altered[self.share], self.data.labels[rows][self.share]


def unaltered(batch: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The augmentation that changes nothing."""
    return batch


def predict(model: keras.Model, images: Images, task: str = "") -> np.ndarray:
    """Class probabilities of images of any number.

    Args:
        model: A classifier of ten digits.
        images: Preprocessed as the model was trained.
        task: Shown beside a bar of progress; without it there is none.

    Returns:
        float32 array (n, 10); column d belongs to digit d. Of a network without its head: (n, its outputs).
    """
    outputs = np.empty(0, np.float32)
    size = min(PREDICTION_BATCH, len(images))
    size += -size % devices()
    with progress_bar(len(images), task, shown=bool(task)) as bar:
        for start in range(0, len(images), PREDICTION_BATCH):
            batch = model_input(images[start : start + PREDICTION_BATCH])
            missing = size - len(batch)
            # One shape for all batches, so that no backend compiles the network anew for the last one.
            full = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
            # predict_on_batch, not predict: no progress bar and no new input pipeline per call.
            made = np.asarray(model.predict_on_batch(full))[: len(batch)]
            if start == 0:  # One array from the start: the embeddings of all digits are too large to copy.
                outputs = np.empty((len(images), *made.shape[1:]), np.float32)
            outputs[start : start + len(batch)] = made
            bar.update(len(batch))
    return outputs
