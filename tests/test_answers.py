"""The written answers: their number, their length, and that every number in them was measured."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
from made_records import RECIPE, provenance, record

from svhn.errors import SVHNError
from svhn.files import write_json
from svhn.learning.paired import Comparison, Run
from svhn.learning.records import write_record
from svhn.notebook.cells import read_notebook
from svhn.notebook.numbers import check_numbers, print_moved, read_answers
from svhn.notebook.results import Figures
from svhn.rubric.questions import QUESTIONS
from svhn.typed import to_json

ROOT = Path(__file__).parents[1]
LIMITS = {question.number: question.answer_limit for question in QUESTIONS}
ANSWERS = read_answers(ROOT / "answers.py")


def test_there_are_ten_plain_strings_and_nothing_else():
    assert list(ANSWERS) == list(LIMITS)
    for node in ast.parse((ROOT / "answers.py").read_text(encoding="utf-8")).body[1:]:
        assert isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    assert all(isinstance(answer, str) for answer in ANSWERS.values())


@pytest.mark.parametrize("question", LIMITS)
def test_answers_are_sentences_within_the_limit(question):
    answer = ANSWERS[question]
    assert 100 <= len(answer) <= LIMITS[question]
    assert answer.strip().endswith(".") and not re.search(r"->|=>|\bw/", answer)


@pytest.fixture(scope="module")
def numbers():
    return check_numbers(ANSWERS, read_notebook(ROOT / "Assignment3.ipynb"), ROOT / "models")


@pytest.mark.parametrize("question", LIMITS)
def test_every_number_was_measured(question, numbers):
    own = [number for number in numbers if number.question == question]
    moved = [f"{number.text} (nearest measured: {number.nearest})" for number in own if not number.same]
    assert not moved, f"answer {question}, not measured: {'; '.join(moved)}"


@pytest.fixture
def project(tmp_path):
    """Two questions with what they measured: a model, a comparison, a published figure, and a cell that printed."""

    def store(name, validation, test):
        curves = {"loss": [1, 1], "val_loss": [1, 1], "accuracy": [0.4, 0.91], "val_accuracy": [0.3, validation]}
        recipe = replace(RECIPE, epochs=24, steps_per_epoch=250, batch_size=256)
        data = provenance(validation=1280, train_real=5120)
        accuracy = {"validation": validation, "test": test}
        stored = record(name=name, learning_curves=curves, accuracy=accuracy, data=data, recipe=recipe)
        write_record(tmp_path / f"{name}.json", stored)

    def run(right):
        return Run(accuracy=0.5, val_accuracy=sum(right) / 8, right=np.packbits(right).tobytes().hex())

    store("model_1_1", 0.8234, 0.8012)
    store("model_1_2", 0.8651, 0.8533)
    variants = {"none": {"1": run([1, 1, 0, 0, 0, 0, 0, 0])}, "all": {"1": run([1, 1, 1, 1, 1, 0, 0, 0])}}
    stored = Comparison(
        name="comparison_1_2",
        reference="none",
        data=None,
        validation=8,
        epochs=2,
        steps_per_epoch=75,
        batch_size=64,
        backend="jax",
        variants=variants,
    )
    write_json(tmp_path / "comparison_1_2.json", to_json(stored))
    figures = {"1.2": Figures(question="1.2", data=provenance(), figures={"test_accuracy": 0.7777})}
    write_json(tmp_path / "results.json", to_json(figures))
    cell, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    printed = "Most mistakes: 5, 8 of 146\n65% of 256 channels silent\n│ a (Dense) │\n│ b (Dense) │\n│ c (Conv2D) │\n"
    cells = [
        cell("extend = 250_000", metadata={"tags": ["parameters"]}),
        text("### Question 1.1: First (4 points)"),
        cell("PYRAMID = (1152, 576)", metadata={"tags": ["definitions"]}),
        text("### Question 1.2: Second (2 points)"),
        cell(
            "plot()",
            metadata={"tags": ["run", "model_1_2"]},
            outputs=[nbformat.v4.new_output("stream", name="stdout", text=printed)],
        ),
        cell(
            "show_answer(999.5)",
            metadata={"tags": ["answer"]},
            outputs=[nbformat.v4.new_output("stream", name="stdout", text="4711 of 4712, 55.5 %")],
        ),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    return tmp_path


def wrong(project, answer, question="1.2"):
    """The numbers of an answer that are not what was measured, with the nearest that is."""
    found = check_numbers({question: answer}, read_notebook(project / "n.ipynb"), project)
    return {number.text: number.nearest for number in found if not number.same}


@pytest.mark.parametrize(
    "answer",
    [
        "It reads 86.5 % of the validation digits and 85.3 % of the test digits, instead of 82 and 80.1 %.",
        "Per cent in words: 87 per cent, 85 percent.",
        "It gains 4.2 points on validation, 5.2 points on test.",  # 86.51 - 82.34, 85.33 - 80.12
        "In short, none 25.0 %, all 62.5 %: three digits more, two layers, 37.5 points.",
        "It is 77.8 % in the end. 5,120 real and 250,000 drawn digits, 12,345 parameters, 1152 and 576 units.",
        "24 epochs of 250 batches of 256, 6,000 in all; two epochs in the comparison.",
        "The 5 has the most mistakes, 8 out of 146; 7 read as 1, a 5 beside a 1. 1.1's network is 2.1's.",
        "Nearly two thirds of the 256 channels are silent, 65 % of them. Ten digits; 63,544 in the reference.",
        "VGG16 knows nothing of it, one way or the other, twice.",
    ],
)
def test_what_was_measured_or_is_written_in_the_notebook_may_be_said(project, answer):
    assert wrong(project, answer) == {}


@pytest.mark.parametrize(
    ("answer", "texts"),
    [
        ("It reads 86.4 % and 86.51 %.", ["86.4 %"]),
        ("From 82.3 to 99.1 %, or 12.3 and 85.3 %.", ["99.1 %", "12.3 %"]),
        ("A gain of 9.9 points.", ["9.9 points"]),
        ("8 out of 147, 9 of 146, 8 of 146.", ["8 out of 147", "9 of 146"]),
        ("5,121 digits, 1153 units, seventeen layers.", ["5,121", "1153", "seventeen"]),
        ("Sixteen layers and nine more.", ["Sixteen", "nine"]),
        ("Half of it: three tenths of the channels.", ["three tenths"]),
        ("25 epochs.", ["25"]),
        ("What stood in an answer proves nothing: 55.5 %, 4711.", ["55.5 %", "4711"]),
        ("1.1 % of them, 2.1 and 3.2 points, 1.3 times.", ["1.1 %", "2.1 points", "3.2 points", "1.3"]),
    ],
)
def test_anything_else_is_named_with_the_nearest_that_was_measured(project, answer, texts):
    found = wrong(project, answer)
    assert list(found) == texts
    assert all(nearest is not None for nearest in found.values())


def test_an_answer_may_cite_only_what_it_builds_on(project):
    assert wrong(project, "It reads 82.3 %.", "1.2") == {}
    assert list(wrong(project, "It reads 86.5 %.", "1.1")) == ["86.5 %"]


def test_which_numbers_moved_is_said(project, capsys):
    (project / "answers.py").write_text('answer_q_1_2 = "It reads 86.5 % and 85.9 % of the digits."\n')
    print_moved(project / "answers.py", project / "n.ipynb", project)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "1.2: 85.9 % was not measured (nearest: 8" in lines[0]
    assert lines[1].endswith("1 of 2 numbers are not what was measured")
    (project / "comparison_1_2.json").write_text("{")
    print_moved(project / "answers.py", project / "n.ipynb", project)
    assert "were not compared: " in capsys.readouterr().out
    (project / "results.json").unlink()
    print_moved(project / "answers.py", project / "n.ipynb", project)
    assert capsys.readouterr().out == ""


def test_damaged_sources_are_named(project):
    notebook = read_notebook(project / "n.ipynb")
    for name in ("comparison_1_2.json", "results.json", "model_1_1.json"):
        content = (project / name).read_text()
        (project / name).write_text('{"variants": 5}')
        with pytest.raises(SVHNError, match=name):
            check_numbers({"1.2": "1"}, notebook, project)
        (project / name).write_text(content)
    for content in ("answer_q_1_1 = str(5)", "(", "answer_q_1_1.x = 3"):
        (project / "answers.py").write_text(content)
        with pytest.raises(SVHNError, match=r"answers\.py cannot be read as plain answers"):
            read_answers(project / "answers.py")
