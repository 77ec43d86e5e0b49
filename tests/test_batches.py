"""From stored images to what a model sees."""

import functools
from typing import ClassVar

import numpy as np

from svhn.learning.batches import (
    Augmented,
    Batches,
    Preprocessed,
    function_name,
    model_input,
    predict,
    preprocess_like,
    preprocessing_name,
    unaltered,
)


def halved(images):
    return (images[..., :1] // 2).astype(np.uint8)


def shifted(batch, generator):
    return batch + generator.random((len(batch), 1, 1, 1), np.float32)


def images(n=10):
    return np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 32, 32, 3))


def test_pixels_are_scaled_once():
    np.testing.assert_allclose(model_input(np.array([0, 51, 255], np.uint8)), [0, 0.2, 1], rtol=1e-6)
    floats = np.array([-103.9, 12.0], np.float32)
    assert model_input(floats) is floats


def test_a_view_preprocesses_what_is_asked_for():
    view = Preprocessed(images(), halved)
    assert view.shape == (10, 32, 32, 1) and len(view) == 10
    assert view[6].shape == (32, 32, 1) and view[6].max() == 3
    np.testing.assert_array_equal(view[[8, 2]][:, 0, 0, 0], [4, 1])
    assert preprocessing_name(view) == "halved" and preprocessing_name(images()) is None
    assert preprocess_like(view, images(4))[3].max() == 1


def shown(batches):
    return [batches[i] for i in range(batches.num_batches)]


def test_every_digit_is_shown_once_a_pass_and_batches_are_full():
    labels = np.arange(10, dtype=np.uint8)
    batches = Batches(Augmented(images(), labels, unaltered), batch_size=4, seed=3)
    assert batches.num_batches == 3
    first = np.concatenate([y for _, y in shown(batches)])
    batches.epoch += 1
    stream = np.concatenate([first, *(y for _, y in shown(batches))])
    assert len(first) == 12
    assert sorted(stream[:10]) == sorted(stream[10:20]) == list(range(10))
    assert list(stream[:10]) != list(stream[10:20])


def test_a_pass_shows_a_digit_as_often_as_its_rows_name_it():
    rows = np.array([0, 0, 0, 7, 8])
    batches = Batches(Augmented(images(), np.arange(10, dtype=np.uint8), unaltered, rows), batch_size=5)
    assert batches.num_batches == 1
    X, y = batches[0]
    assert sorted(y) == [0, 0, 0, 7, 8]
    np.testing.assert_allclose(X[:, 0, 0, 0] * 255, y, atol=1e-4)


def test_images_stay_with_their_labels():
    batches = Batches(Augmented(images(), np.arange(10, dtype=np.uint8), unaltered), batch_size=5)
    for X, y in shown(batches):
        np.testing.assert_allclose(X[:, 0, 0, 0] * 255, y, atol=1e-4)


def test_a_later_start_shows_what_an_earlier_one_would():
    data = Augmented(images(), np.arange(10, dtype=np.uint8), shifted)
    early, late = Batches(data, 4, steps=2, seed=5), Batches(data, 4, steps=2, seed=5, epoch=3)
    early.epoch = 3
    for (X, y), (X_late, y_late) in zip(shown(early), shown(late), strict=True):
        np.testing.assert_array_equal(X, X_late)
        np.testing.assert_array_equal(y, y_late)


def test_augmentation_differs_from_pass_to_pass():
    data = Augmented(images(4), np.zeros(4, np.uint8), shifted)
    batches = Batches(data, 4)
    before = np.sort(batches[0][0][:, 0, 0, 0])
    batches.epoch += 1
    assert not np.allclose(before, np.sort(batches[0][0][:, 0, 0, 0]))


def test_prediction_gives_one_row_an_image(monkeypatch):
    class Echo:
        """A model that puts out each image's first pixel, and remembers what it was given."""

        shapes: ClassVar = []

        def predict_on_batch(self, batch):
            self.shapes.append(batch.shape)
            return np.repeat(batch[:, 0, 0, :1], 10, axis=1)

    monkeypatch.setattr("svhn.learning.batches.PREDICTION_BATCH", 4)
    probabilities = predict(Echo(), images(10))
    np.testing.assert_allclose(probabilities[:, 3] * 255, np.arange(10), atol=1e-4)
    assert set(Echo.shapes) == {(4, 32, 32, 3)}


def test_a_partial_function_is_named_with_its_settings():
    assert function_name(functools.partial(shifted, by=2)) == "shifted(by=2)"
    assert function_name(functools.partial(functools.partial(shifted, 1), by=2)) == "shifted(1, by=2)"
    assert function_name(np.clip) == "clip"
    view = Preprocessed(np.zeros((2, 32, 32, 3), np.uint8), functools.partial(np.clip, a_min=0, a_max=9))
    assert preprocessing_name(view) == "clip(a_min=0, a_max=9)"
