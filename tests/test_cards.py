"""The headline and the cards about the models that are published."""

from made_records import provenance, record

from svhn.notebook.cards import headline, share_with_interval, write_cards


def measured(name, validation, test, **data):
    return record(name=name, accuracy={"validation": validation, "test": test}, data=provenance(**data))


def test_the_headline_is_of_the_model_that_validation_chooses():
    records = [measured("model_1_1", 0.9, 0.99), measured("model_2_2", 0.95, 0.94, train_drawn=900)]
    sentence = headline(records)
    assert "model_2_2 reads" not in sentence and "model_2_2, reads" in sentence and "99" not in sentence
    assert share_with_interval(0.94, 400) in sentence and "400 test digits" in sentence
    assert "100 real digits and 900 drawn ones" in sentence
    assert headline([]) == "" and headline([record(data=None)]) == ""


def test_an_interval_is_wilson_s():
    assert share_with_interval(0.5, 100) == "50.0% (40.4 to 59.6)"


def test_a_card_says_what_a_model_saw_and_what_it_scores(tmp_path):
    page = write_cards(tmp_path, [record(), measured("model_9", 0.5, 0.5, real=False)]).read_text()
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
    page = write_cards(tmp_path, [record(test_by_digit=[0.5, None, 0.975, *[1.0] * 7])]).read_text()
    assert "| test, by digit | 0: 50.0%, 2: 97.5%, 3: 100.0%, " in page
    assert "not measured on real digits" in second and "not measured" not in first


def test_of_unknown_digits_a_card_says_less(tmp_path):
    page = write_cards(tmp_path, [record(data=None, preprocessing=None, accuracy={"validation": 0.5})]).read_text()
    assert "## model_2_2" in page and "learned from" not in page.split("## model_2_2")[1]
    assert "colours, divided by 255" in page and "not measured on real digits" in page
