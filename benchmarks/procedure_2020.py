"""The course's work as a student of 2020 did it, under today's Keras; run by `full_size.py`, in a process of its own.

    python benchmarks/procedure_2020.py digits.npz models

Everything is float64 and held at once, Keras predicts in batches of 32, every test digit is read as sixteen altered
copies, and each of thirty settings of the nearest neighbours searches anew. Nothing is trained; no plot is drawn.
"""

import sys

import keras
import numpy as np
from scipy.ndimage import rotate, shift
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

GREY = np.array([0.2990, 0.5870, 0.1140])
COPIES = 16
NEIGHBOURS = range(1, 16)


def contrasted(images: np.ndarray) -> np.ndarray:
    """Makes images grey, each with the same mean and contrast, from 0 to 1."""
    grey = images @ GREY
    mean, spread = grey.mean((1, 2), keepdims=True), grey.std((1, 2), keepdims=True)
    return np.clip(0.5 + 0.25 * (grey - mean) / np.maximum(spread, 4 / 255), 0, 1)[..., np.newaxis]


def altered(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Turns and shifts images a little, one by one, like ImageDataGenerator."""
    made = np.empty_like(images)
    for number, image in enumerate(images):
        turned = rotate(image, generator.normal(0, 4), reshape=False, order=1, mode="nearest")
        made[number] = shift(turned, (*generator.normal(0, 1, 2), 0), order=1, mode="nearest")
    return made


def main(path: str, models: str) -> None:
    """Reads the digits, measures every model, averages over copies, and searches for neighbours."""
    with np.load(path) as archive:
        X, y = archive["X"] / 255.0, archive["y"].astype(np.int64)
    X_all, X_test, y_all, y_test = train_test_split(X, y, stratify=y, train_size=0.8, random_state=1)
    X_train, X_val, y_train, y_val = train_test_split(X_all, y_all, stratify=y_all, train_size=0.8, random_state=1)
    _, X_val_grey, X_test_grey = (contrasted(part) for part in (X_train, X_val, X_test))
    networks = {name: keras.saving.load_model(f"{models}/model_{name}.keras") for name in ("1_1", "1_2", "1_3", "2_1")}
    for name, network in networks.items():
        read = network.predict(X_val if name == "1_1" else X_val_grey, batch_size=32, verbose=0)
        print(name, np.mean(read.argmax(axis=1) == y_val))
    best, generator = keras.saving.load_model(f"{models}/model_2_2.keras"), np.random.default_rng(1)
    print("2_2", np.mean(best.predict(X_val_grey, verbose=0).argmax(axis=1) == y_val))
    total = best.predict(X_test_grey, batch_size=32, verbose=0)
    for _ in range(COPIES):
        total = total + best.predict(altered(X_test_grey, generator), batch_size=32, verbose=0)
    print("3.1", np.mean(total.argmax(axis=1) == y_test))
    vgg = keras.saving.load_model(f"{models}/model_4_1.keras")
    mean = np.array([103.939, 116.779, 123.68])
    train, val, test = (255 * part[..., ::-1] - mean for part in (X_train, X_val, X_test))
    print("4_1", np.mean(vgg.predict(val, batch_size=32, verbose=0).argmax(axis=1) == y_val))
    base = keras.Model(vgg.inputs[0], vgg.get_layer("block6_flatten").output)
    train, val, test = (base.predict(part, batch_size=32, verbose=0).astype(np.float64) for part in (train, val, test))
    score = {}
    for k in NEIGHBOURS:
        for weights in ("uniform", "distance"):
            found = KNeighborsClassifier(k, weights=weights, algorithm="brute").fit(train, y_train)
            score[k, weights] = found.score(val, y_val)
    k, weights = max(score, key=lambda choice: score[choice])
    found = KNeighborsClassifier(k, weights=weights, algorithm="brute").fit(train, y_train)
    print("4.2", score[k, weights], found.score(test, y_test))


if __name__ == "__main__":
    main(*sys.argv[1:])
