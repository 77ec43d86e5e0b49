"""Test-time augmentation in 3.1: no copy is read twice, and only doubtful digits are read again."""

import numpy as np
import pytest


class Reader:
    """Reads a digit by its pixels alone, and counts what it is given to read."""

    def __init__(self):
        self.read = 0
        self.weights = np.random.default_rng(1).normal(0, 0.3, (32 * 32, 10)).astype(np.float32)

    def predict_on_batch(self, batch):
        self.read += len(batch)
        powers = np.exp(batch.reshape(len(batch), -1) @ self.weights)
        return powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture
def images(drawn, definitions):
    return definitions["contrast_grey"](drawn.images[:256])


def test_every_copy_is_averaged_and_none_is_read_twice(images, definitions):
    model, copies = Reader(), definitions["COPIES"]["all of these, each with its negative"]
    plain = definitions["predict"](model, images)
    averaged = definitions["average_over_copies"](model, images, plain, copies)
    assert model.read == len(images) * len(copies) == 256 * 10
    each = model.predict_on_batch(definitions["copied"](images, copies)).reshape(len(images), len(copies), 10)
    np.testing.assert_allclose(averaged, each.mean(axis=1), atol=1e-6)
    assert np.ptp(each, axis=1).max() > 0.1


def test_only_doubtful_digits_are_read_again(images, definitions):
    model, copies = Reader(), definitions["COPIES"]["the image and four shifts"]
    plain = definitions["predict"](model, images)
    limit = float(np.median(plain.max(axis=1)))
    averaged = definitions["average_over_copies"](model, images, plain, copies, limit)
    doubtful = plain.max(axis=1) <= limit
    assert (averaged[~doubtful] == plain[~doubtful]).all() and (averaged[doubtful] != plain[doubtful]).any(axis=1).all()
    assert (definitions["average_over_copies"](model, images, plain, copies, 0.0) == plain).all()
    assert model.read <= 256 + doubtful.sum() * 4 + 128


def test_the_choice_reads_each_copy_of_so_many_doubtful_validation_digits_once(
    images, drawn, definitions, monkeypatch, capsys
):
    model = Reader()
    monkeypatch.setitem(definitions["choose_copies"].__globals__, "CHOSEN_ON", 128)
    chosen, doubtful = definitions["choose_copies"](model, images, drawn.labels[:256])
    again = int(np.sum(definitions["predict"](Reader(), images[:128]).max(axis=1) <= definitions["DOUBTFUL"]))
    assert 0 < again < 128 and 128 + again * 9 <= model.read < 128 + again * 9 + 32  # The last batch is filled up.
    assert chosen in definitions["COPIES"] and 0 <= doubtful <= definitions["DOUBTFUL"]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and all(line.endswith("of 128 validation digits") for line in lines)
    monkeypatch.setitem(definitions["choose_copies"].__globals__, "COPIES", {"one": definitions["COPIES"][chosen]})
    assert definitions["choose_copies"](model, images, drawn.labels[:256]) == ("one", doubtful)
