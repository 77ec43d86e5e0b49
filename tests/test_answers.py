"""The written answers: their number, their length, and that every percentage in them was measured."""

import ast
import json
import re
from pathlib import Path

import pytest

from svhn.learning.records import load_record
from svhn.rubric.questions import QUESTIONS

ROOT = Path(__file__).parents[1]
LIMITS = {question.identifier: question.answer_limit for question in QUESTIONS}
TREE = ast.parse((ROOT / "answers.py").read_text(encoding="utf-8"))
ANSWERS = {
    node.targets[0].id.removeprefix("answer_q_"): ast.literal_eval(node.value)
    for node in TREE.body
    if isinstance(node, ast.Assign)
}


# A number before a per cent sign, or in a row of numbers that ends with one: "92.3 and 91.1 %".
PERCENTAGE = r"(\d+(?:\.\d+)?)(?=(?:(?:, | and | to )\d+(?:\.\d+)?)* ?(?:%|per ?cent))"
# Whose figures each answer may cite.
SOURCES = {
    "1_1": ["model_1_1"],
    "1_2": ["model_1_1", "model_1_2"],
    "1_3": ["model_1_2", "model_1_3", "comparison_1_3"],
    "2_1": ["model_1_3", "model_2_1"],
    "2_2": ["model_2_1", "model_2_2", "ablation"],
    "3_1": ["model_2_2", "3.1"],
    "3_2": [],
    "3_3": [],
    "4_1": ["model_4_1", "model_2_2", "comparison_4_1"],
    "4_2": ["model_4_1", "4.2"],
}


def measured(source):
    """The shares, 0..1, that a record, a comparison, the ablation's table or a question's published results hold."""
    models = ROOT / "models"
    if source == "ablation":
        table = (ROOT / "benchmarks" / "ablation.md").read_text(encoding="utf-8")
        return [float(mean) / 100 for mean in re.findall(r"^\|[^|]+\| (\d+\.\d)% \|", table, re.M)]
    if source.startswith("model_"):
        record = load_record(models, source)
        curves = record["learning_curves"]
        ends = [curves["accuracy"][-1], curves["val_accuracy"][-1], max(curves["val_accuracy"])]
        return [*record["accuracy"].values(), *ends]
    if source.startswith("comparison_"):
        variants = json.loads((models / f"{source}.json").read_text(encoding="utf-8"))["variants"].values()
        return [curves[key][-1] for curves in variants for key in ("accuracy", "val_accuracy")]
    return list(json.loads((models / "results.json").read_text(encoding="utf-8"))[source]["figures"].values())


def test_there_are_ten_plain_strings_and_nothing_else():
    assert list(ANSWERS) == list(LIMITS)
    for node in TREE.body[1:]:
        assert isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    assert all(isinstance(answer, str) for answer in ANSWERS.values())


@pytest.mark.parametrize("question", LIMITS)
def test_answers_are_sentences_within_the_limit(question):
    answer = ANSWERS[question]
    assert 100 <= len(answer) <= LIMITS[question]
    assert answer.strip().endswith(".") and not re.search(r"->|=>|\bw/", answer)


@pytest.mark.parametrize("question", LIMITS)
def test_every_percentage_was_measured(question):
    figures = [100 * share for source in SOURCES[question] for share in measured(source)]
    for text in re.findall(PERCENTAGE, ANSWERS[question]):
        decimals = len(text.partition(".")[2])
        assert any(f"{figure:.{decimals}f}" == text for figure in figures), f"{text} % was not measured"
