"""The data of trainings and predictions: from stored uint8 images to float batches."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from svhn.backend import devices, keras
from svhn.data.protocol import Split
from svhn.data.provenance import Provenance
from svhn.digits import model_input
from svhn.errors import SVHNError
from svhn.progress import progress_bar

# Larger batches are no faster on a processor, and take more memory: 64 MB for each of a network's widest layers at 128.
PREDICTION_BATCH = 32


class Preprocessed:
    """A lazy view of images through a preprocessing function, which holds no second copy of a data set.

    Args:
        images: uint8 array (n, 32, 32, 3), or another such view.
        function: Takes uint8 images (k, 32, 32, 3), and returns k arrays of one shape: uint8 (scaled to [0, 1] on the
            way into a model, like raw images) or float (taken as it is). The record of a model that is trained on the
            view holds its name, by which `svhn predict` finds it. A view of a view has two names, and is not found.
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
        images: The images before the augmentation.
        labels: Their labels, uint8 (n,).
        augment: Takes float32 model input (k, height, width, channels) and a NumPy generator, and returns the same
            shape.
        rows: The rows that one pass shows, int (m,); a row named twice is shown twice. None shows each digit once.
    """

    images: Images
    labels: np.ndarray
    augment: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    rows: np.ndarray | None = None

    @property
    def pass_length(self) -> int:
        """The number of digits that one pass shows."""
        return len(self.images) if self.rows is None else len(self.rows)


def preprocessing_name(images: Images) -> str | None:
    """The name of the preprocessing function of `images`, or None without one."""
    if not isinstance(images, Preprocessed):
        return None
    inner = preprocessing_name(images.images)
    return function_name(images.function) + (f" after {inner}" if inner else "")


def unprocessed(images: Images) -> np.ndarray:
    """The images below all views."""
    return unprocessed(images.images) if isinstance(images, Preprocessed) else images


def function_name(function: Callable) -> str:
    """A function's name in records; that of a `functools.partial` has its settings, as "vary(inverted=0)"."""
    if isinstance(function, functools.partial):
        settings = [repr(value) for value in function.args]
        settings += [f"{name}={value!r}" for name, value in function.keywords.items()]
        return f"{function_name(function.func)}({', '.join(settings)})"
    return getattr(function, "__name__", type(function).__name__)


def preprocess_like(images: Images, raw: np.ndarray) -> Images:
    """Views `raw` uint8 images through the preprocessing of `images`, which may be a view of a view."""
    if not isinstance(images, Preprocessed):
        return raw
    return Preprocessed(preprocess_like(images.images, raw), images.function)


def unpack(
    name: str, data: tuple, generator: bool = False, split: Split | None = None
) -> tuple[Augmented, Images, np.ndarray]:
    """Takes training digits, validation images and labels out of either form of `run_evaluation`'s data.

    Training digits that `split` extends by drawn ones are shown by `split.rows`, unless they have rows of their own.

    Raises:
        SVHNError: The data have neither form, or images and labels differ in number.
    """
    try:
        if generator:
            training, X_val, y_val = data
            if not isinstance(training, Augmented):
                raise ValueError(f"the first is {type(training).__name__}, not Augmented")
        else:
            X_train, X_val, y_train, y_val = data
            training = Augmented(X_train, y_train, unaltered)
        if np.ndim(y_val) != 1:
            raise ValueError("y_val must be digits, not one-hot")
        if len(training.images) != len(training.labels) or len(X_val) != len(y_val):
            raise ValueError("images and labels differ in number")
    except (TypeError, ValueError) as error:
        form = "(augmented, X_val, y_val)" if generator else "(X_train, X_val, y_train, y_val)"
        raise SVHNError(f"{name}: data must be {form} ({error})") from error
    if split and split.drawn and training.rows is None and len(training.images) == len(split.y_train):
        training = replace(training, rows=split.rows)
    return training, X_val, y_val


def check_seen(name: str, X_val: Images, split: Split) -> None:
    """Raises before a training if the test digits cannot be preprocessed as the validation images are.

    Raises:
        SVHNError: The validation images are no view of the split's.
    """
    given = unprocessed(X_val)
    same = given is split.X_val or (
        given.shape == split.X_val.shape and np.array_equal(model_input(given), model_input(split.X_val))
    )
    if not same:
        raise SVHNError(
            f"{name}: test digits cannot be preprocessed as these validation images are; "
            "use X_val itself or Preprocessed(X_val, function)"
        )


def provenance_of(split: Split | None, training: Augmented) -> Provenance | None:
    """The entry of a record about the digits of a training, or None where no split is named.

    Raises:
        SVHNError: Real and drawn training digits cannot be told apart.
    """
    if split is None:
        return None
    data = replace(split.provenance, shown_in_a_pass=training.pass_length if split.drawn else None)
    if (count := len(training.images)) != data.train:
        if split.drawn:
            raise SVHNError(
                f"a record could not say how many of these {count:,} training digits are drawn; "
                "train on X_train itself or Preprocessed(X_train, function)"
            )
        real = split.digits.real
        data = replace(data, train=count, train_real=count if real else 0, train_drawn=0 if real else count)
    return data


class Batches(keras.utils.PyDataset):
    """Endless shuffled passes over training digits, cut into full batches and epochs of a fixed number of steps.

    Batch number g holds the same digits, altered in the same way, in every run with the same seed, so a resumed
    training goes on exactly where it stopped. All batches have one shape, so no backend compiles a second step.

    Args:
        data: The training digits.
        batch_size: Digits a batch.
        steps: Batches an epoch; None means one pass, whose last batch is filled from the next pass.
        seed: The seed of order and augmentation.
        epoch: The epoch to show, counted from 0. The training sets it.
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
        # One worker keeps the order, and does without Keras's queue, which carries batches over a resumed epoch.
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
        """The float32 input and the labels of one batch of the present epoch."""
        number = self.epoch * self.steps + index
        count = self.data.pass_length
        position = np.arange(number * self.batch_size, (number + 1) * self.batch_size)
        rows = np.array([self._order(int(p // count))[p % count] for p in position])
        batch = model_input(self.data.images[rows])
        # Every host alters the whole batch, so that it is the same on any number of hosts.
        altered = self.data.augment(batch, self._generator(1, number))
        return altered[self.share], self.data.labels[rows][self.share]


def unaltered(batch: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The augmentation that changes nothing."""
    return batch


def predict(model: keras.Model, images: Images, task: str = "") -> np.ndarray:
    """Computes the class probabilities of any number of images.

    Args:
        model: A classifier of ten digits.
        images: The images, preprocessed as the model was trained.
        task: The text beside a bar of progress; without it there is no bar.

    Returns:
        float32 array (n, 10); column d belongs to digit d. A network without its head gives (n, its outputs).
    """
    outputs = np.empty(0, np.float32)
    size = min(PREDICTION_BATCH, len(images))
    size += -size % devices()
    with progress_bar(len(images), task, shown=bool(task)) as bar:
        for start in range(0, len(images), PREDICTION_BATCH):
            batch = model_input(images[start : start + PREDICTION_BATCH])
            missing = size - len(batch)
            # All batches have one shape, so no backend compiles the network anew for the last one.
            full = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
            # Unlike predict, predict_on_batch makes no new input pipeline at each call.
            made = np.asarray(model.predict_on_batch(full))[: len(batch)]
            if start == 0:  # One array is made at the start: the embeddings of all digits are too large to copy.
                outputs = np.empty((len(images), *made.shape[1:]), np.float32)
            outputs[start : start + len(batch)] = made
            bar.update(len(batch))
    return outputs
