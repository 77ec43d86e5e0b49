"""The written answers: their number, their length, and that every percentage in them was measured."""

import ast
import json
import re
from pathlib import Path

import pytest

from svhn.stored import load_record, stored_names

ROOT = Path(__file__).parents[1]
QUESTIONS = ["1_1", "1_2", "1_3", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2"]
LIMITS = {"2_1": 800, "3_1": 800}
TREE = ast.parse((ROOT / "answers.py").read_text(encoding="utf-8"))
ANSWERS = {
    node.targets[0].id.removeprefix("answer_q_"): ast.literal_eval(node.value)
    for node in TREE.body
    if isinstance(node, ast.Assign)
}


def measured():
    """Every share that the records and the published results hold, in per cent."""
    found = []
    for name in stored_names(ROOT / "models"):
        record = load_record(ROOT / "models", name)
        curves = record["learning_curves"]
        found += [*record["accuracy"].values(), *curves["accuracy"], *curves["val_accuracy"]]
    comparison = json.loads((ROOT / "models/comparison_1_3.json").read_text(encoding="utf-8"))
    for curves in comparison["variants"].values():
        found += [curves["accuracy"][-1], curves["val_accuracy"][-1]]
    results = json.loads((ROOT / "models/results.json").read_text(encoding="utf-8"))
    for content in results.values():
        found += content["figures"].values()
    return [100 * share for share in found]


def test_there_are_ten_plain_strings_and_nothing_else():
    assert list(ANSWERS) == QUESTIONS
    for node in TREE.body[1:]:
        assert isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    assert all(isinstance(answer, str) for answer in ANSWERS.values())


@pytest.mark.parametrize("question", QUESTIONS)
def test_answers_are_sentences_within_the_limit(question):
    answer = ANSWERS[question]
    assert 100 <= len(answer) <= LIMITS.get(question, 500)
    assert answer.strip().endswith(".") and not re.search(r"->|=>|\bw/", answer)


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_percentage_was_measured(question):
    figures = measured()
    for text in re.findall(r"(\d+(?:\.\d+)?) ?(?:%|per ?cent)", ANSWERS[question]):
        decimals = len(text.partition(".")[2])
        assert any(f"{figure:.{decimals}f}" == text for figure in figures), f"{text} % was not measured"
