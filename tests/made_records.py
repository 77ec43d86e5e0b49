"""Records as trainings write them, for tests that train nothing."""

from svhn.data.provenance import Provenance
from svhn.grading.facts import Measured
from svhn.learning.records import CURVES, Recipe, Record
from svhn.typed import from_json, to_json

DATA = Provenance(
    name="a.npz",
    real=True,
    digits=700,
    fingerprint="f00",
    split_seed=1,
    train=100,
    validation=200,
    test=400,
    train_real=100,
    train_drawn=0,
)
RECIPE = Recipe(
    epochs=3,
    batch_size=64,
    steps_per_epoch=1000,
    seed=1,
    augmentation="augment",
    optimizer={"class_name": "AdamW"},
    loss="sparse_categorical_crossentropy",
)
FILE = {"name": "model_2_2", "format": 1, "sha256": "0", "bytes": 2_000_000, "parameters": 12_345}


def provenance(**changed):
    """An entry about digits, with some of its facts changed."""
    return from_json(Provenance, to_json(DATA) | changed)


def record(**changed):
    """A record, with some of its facts changed."""
    facts = {
        "learning_curves": {name: [0.5, 0.25] for name in CURVES},
        "accuracy": {"validation": 0.95, "test": 0.94},
        "data": DATA,
        "preprocessing": "contrast_grey",
        "recipe": RECIPE,
        "backend": "jax",
        "versions": {},
        "seconds": 1.0,
    }
    return Record(**FILE | facts | changed)


def record_of(model, **file):
    """A record of a stored network, for `store_model`."""
    return record(**file)


def a_measured(**changed):
    """A model of a hand-in as it was measured, with some of its facts changed."""
    facts = {
        "file": "model.keras",
        "bytes": 1,
        "parameters": 1,
        "layers": 1,
        "kinds": ["Dense"],
        "filters": [],
        "structure": "",
        "convolutions": 0,
        "dense": [64, 32, 10],
        "channels": 3,
        "weights": "own",
        "accuracy": {"validation": 0.7, "test": 0.7},
        "digits": {"validation": 1000, "test": 1000},
        "preprocessing": "scaled",
        "preprocessing_from": "the model's record",
        "guessed": False,
        "outputs": "digit",
    }
    return Measured(**facts | changed)
