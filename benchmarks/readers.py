"""The small networks, trained anew, by which `drawing.py` judges drawn digits."""

from collections.abc import Callable

import cv2
import keras
import numpy as np
from keras import layers
from tqdm import tqdm

from svhn.digits import LUMA
from svhn.learning.training import as_targets

BATCH = 128


def small_classifier(shape: tuple[int, int, int], channels: tuple[int, ...], classes: int) -> keras.Sequential:
    """Builds a network of convolutions, one of the first width and two of each other, with pooling; not compiled."""
    model = keras.Sequential([keras.Input(shape)])
    for place, width in enumerate(channels):
        for _ in range(1 if place == 0 else 2):
            model.add(layers.Conv2D(width, 3, padding="same", use_bias=False))
            model.add(layers.BatchNormalization(momentum=0.9))
            model.add(layers.ReLU())
        if place < len(channels) - 1:
            model.add(layers.MaxPooling2D())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dropout(0.2))
    model.add(layers.Dense(classes, activation="softmax", dtype="float32"))
    return model


def fit_network(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    updates: int,
    title: str,
    augment: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
    seed: int = 1,
    batch_size: int = BATCH,
) -> None:
    """Trains for a number of updates. A model that is not compiled gets AdamW with a one-cycle rate."""
    rng = np.random.default_rng(seed)
    if not model.compiled:
        warmup = max(1, updates // 5)
        rate = keras.optimizers.schedules.CosineDecay(
            1e-4, max(1, updates - warmup), warmup_target=3e-3, warmup_steps=warmup
        )
        model.compile(keras.optimizers.AdamW(rate, weight_decay=0.02), "sparse_categorical_crossentropy")
    labels = as_targets(labels, model)
    order = np.empty(0, int)
    for _ in tqdm(range(updates), desc=title, unit="update"):
        if len(order) < batch_size:
            order = rng.permutation(len(images))
        rows, order = order[:batch_size], order[batch_size:]
        batch = augment(images[rows], rng) if augment else images[rows]
        model.train_on_batch(batch.astype(np.float32) / 255, labels[rows])


def grey(images: np.ndarray) -> np.ndarray:
    """Luma with each image's mean at mid-grey and its spread at a fourth of the range, uint8 (n, 32, 32, 1)."""
    luma = images.astype(np.float32) @ LUMA
    mean, spread = luma.mean((1, 2), keepdims=True), luma.std((1, 2), keepdims=True)
    return np.clip(128 + 64 * (luma - mean) / np.maximum(spread, 4), 0, 255).round().astype(np.uint8)[..., None]


def augmented(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turns, slants, shifts and resizes images a little, changes their contrast, and inverts every second one."""
    out = np.empty_like(images)
    for i, image in enumerate(images):
        linear = np.eye(2) + rng.normal(0, 0.08, (2, 2))
        shift = 16 - linear @ [16, 16] + rng.normal(0, 1.3, 2)
        moved = cv2.warpAffine(image, np.column_stack([linear, shift]), (32, 32), borderMode=cv2.BORDER_REPLICATE)
        out[i] = moved.reshape(image.shape)
    contrast, level = rng.uniform(0.7, 1.2, (len(out), 1, 1, 1)), rng.normal(0, 12, (len(out), 1, 1, 1))
    changed = (out.astype(np.float32) - 128) * contrast * rng.choice([-1, 1], (len(out), 1, 1, 1)) + 128 + level
    return np.clip(changed, 0, 255).astype(np.uint8)
