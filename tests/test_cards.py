"""What publication says of the models: a headline, and a card for each."""

import pytest

from svhn.notebook.cards import headline, share_with_interval, write_cards


def record(name, validation, test, **data):
    data = {"name": "a.npz", "real": True, "train": 100, "train_real": 100, "validation": 200, "test": 400} | data
    recipe = {
        "epochs": 3,
        "steps_per_epoch": 1000,
        "batch_size": 64,
        "seed": 1,
        "augmentation": "augment",
        "optimizer": {"class_name": "AdamW"},
    }
    return {
        "name": name,
        "parameters": 12345,
        "bytes": 2_000_000,
        "accuracy": {"validation": validation, "test": test},
        "data": data,
        "recipe": recipe,
        "preprocessing": "contrast_grey",
        "backend": "jax",
    }


def test_the_headline_is_of_the_model_that_validation_chooses():
    records = [record("model_1_1", 0.9, 0.99), record("model_2_2", 0.95, 0.94, train_drawn=900)]
    sentence = headline(records)
    assert "model_2_2 reads" not in sentence and "model_2_2, reads" in sentence and "99" not in sentence
    assert share_with_interval(0.94, 400) in sentence and "400 test digits" in sentence
    assert "100 real digits and 900 drawn ones" in sentence
    assert headline([]) == "" and headline([record("model_1_1", 0.9, 0.9) | {"data": None}]) == ""


def test_an_interval_is_wilson_s():
    assert share_with_interval(0.5, 100) == "50.0% (40.4 to 59.6)"


def test_a_card_says_what_a_model_saw_and_what_it_scores(tmp_path):
    page = write_cards(tmp_path, [record("model_2_2", 0.95, 0.94), record("model_9", 0.5, 0.5, real=False)]).read_text()
    first, second = page.split("## model_")[1:]
    for text in (
        "12,345 parameters, 2.0 MB",
        "`contrast_grey`",
        "100 real digits (a.npz)",
        "3 epochs of 1,000 batches",
        "AdamW",
        "jax",
        "| augmentation | augment |",
        f"{share_with_interval(0.95, 200)} of 200",
    ):
        assert text in first
    assert "by digit" not in page
    by_digit = {"test_by_digit": [0.5, None, 0.975, *[1.0] * 7]}
    page = write_cards(tmp_path, [record("model_2_2", 0.95, 0.94) | by_digit]).read_text()
    assert "| test, by digit | 0: 50.0%, 2: 97.5%, 3: 100.0%, " in page
    assert "not measured on real digits" in second and "not measured" not in first


@pytest.mark.parametrize("missing", ["data", "recipe", "preprocessing"])
def test_a_record_that_says_less_makes_a_shorter_card(tmp_path, missing):
    one = record("model_2_2", 0.95, 0.94)
    del one[missing]
    assert "## model_2_2" in write_cards(tmp_path, [one]).read_text()
