"""JSON of strangers as dataclasses: every part of its type, or one line that says which is not."""

import json
import re

import pytest
from made_records import provenance, record

from svhn.grading.facts import Recorded
from svhn.learning.records import Record
from svhn.typed import from_json, to_json


def test_a_record_travels_through_json_unchanged():
    for one in (record(), record(data=None, test_by_digit=[None, *[0.5] * 9]), record(data=provenance(train_drawn=9))):
        assert from_json(Record, json.loads(json.dumps(to_json(one)))) == one
    assert "test_by_digit" not in to_json(record()) and to_json(record(preprocessing=None))["preprocessing"] is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "it is [], not an object"),
        ({"accuracy": 3}, "accuracy is 3, not dict"),
        ({"accuracy": {"test": True}}, "accuracy.test is True, not float"),
        ({"accuracy": {"test": 10**400}}, "accuracy.test is 1000"),
        ({"accuracy": {"test": float("nan")}}, "between 0 and 1"),
        ({"data": {"name": "a", "real": True}}, "data has no fingerprint"),
        ({"data": {"name": "a", "real": 1, "fingerprint": "f"}}, "data.real is 1, not bool"),
        ({"preprocessing": "x" * 1_000_000}, "more than names and shares"),
    ],
)
def test_a_stranger_s_record_of_another_shape_is_one_clear_line(content, said):
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        from_json(Recorded, content)
    assert len(str(caught.value)) < 200


def test_what_a_record_says_besides_is_passed_over():
    assert from_json(Recorded, to_json(record(data=None))) == Recorded(
        accuracy={"validation": 0.95, "test": 0.94}, preprocessing="contrast_grey"
    )
