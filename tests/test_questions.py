"""The table of the questions: the assignment's figures, the notebook's headings, and a question added to it."""

import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

from svhn.notebook.cells import QUESTION, read_notebook
from svhn.rubric.questions import BY_NUMBER, MODELS, POINTS, QUESTIONS, REFERENCE, ROWS

# What is asked once more, after the last question: another network, stored as `model_5_1`.
MADE_UP = """    Question(
        "5.1", "A made-up question", 6, _BOTH, VALIDATION, names=("made_up_split",), answer_limit=700,
        model="model_5_1", split="made_up_split", images=COLOUR, network=PYRAMID, epochs=(3, 9),
        reference={"model_5_1": "99.9 %, validation"},
    ),
)  # fmt: skip
"""
# Runs in a copy of the package with that line in its table and one in the calibration, and touches nothing else.
ASKED = """
from pathlib import Path

import nbformat
from made_records import a_measured

from svhn.course.build import mark_cells
from svhn.grading.evidence import departures, doubts
from svhn.grading.facts import Model, nothing_but
from svhn.grading.marks import mark_rows
from svhn.grading.reading.names import model_of
from svhn.grading.texts import read_written
from svhn.rubric.calibration import load_calibration
from svhn.rubric.performance import performance_points
from svhn.rubric.questions import REFERENCE

Path("answers.py").write_text(f"answer_q_5_1 = '{'Yes.' * 200}'\\n")
written = read_written([], [Path("answers.py")])
assert written.answers["5.1"].limit == 700, written
assert any("100 over the limit of 700" in finding for finding in written.findings), written
assert model_of("model_5_1_best.keras") == "model_5_1" and model_of("model_5_2.keras") is None

measured = a_measured(kinds=["Conv2D", "Dense"], convolutions=1, dense=[10, 20], channels=1)
model = Model(measured=measured, curves={"loss": [0.1] * 10})
assert "5.1 asks for a dense network" in doubts("model_5_1", {"model_5_1": model})[0]
said = departures("model_5_1", model)
assert "3 to 9 are allowed" in said[0] and "5.1 asks for colour" in said[1] and "each narrower" in said[2], said

calibration, evidence = load_calibration(), nothing_but("nothing was opened")
assert "model_5_1" in evidence.models
marks = {mark.row.name: mark for mark in mark_rows(evidence, calibration, {"5.1 explanation": (8.0, "")})}
assert len(marks) == 18 and round(marks["5.1 explanation"].points, 9) == 2.4 and marks["5.1 performance"].value is None
assert performance_points("5.1", 0.9) == 1.5 and REFERENCE["model_5_1"] == "99.9 %, validation"

heading = nbformat.v4.new_markdown_cell("### Question 5.1: A made-up question (6 points)")
cells = mark_cells(nbformat.v4.new_notebook(cells=[heading])).cells
assert [cell.metadata["nbgrader"]["points"] for cell in cells[1:]] == [3, 3], cells
"""


def test_ten_questions_make_sixteen_rows_and_forty_points():
    assert (len(QUESTIONS), len(ROWS), POINTS) == (10, 16, 40)
    assert sum(row.points for row in ROWS) == POINTS and len({row.name for row in ROWS}) == len(ROWS)
    assert [question.number for question in QUESTIONS] == sorted(BY_NUMBER)
    assert {question.number: question.answer_limit for question in QUESTIONS if question.answer_limit != 500} == {
        "2.1": 800,
        "3.1": 800,
    }
    assert BY_NUMBER["1.1"].epochs == (5, 50) and set(MODELS) <= set(REFERENCE)


def test_the_notebook_asks_what_the_table_says():
    cells = read_notebook(ROOT / "Assignment3.ipynb").cells
    asked = [QUESTION.search(cell.source) for cell in cells if cell.cell_type == "markdown"]
    assert [match.groups() for match in asked if match] == [
        (question.number, question.title, f"{question.points:g}") for question in QUESTIONS
    ]


@pytest.fixture
def with_one_more(tmp_path):
    """A copy of the package whose table has one question more."""
    shutil.copytree(ROOT / "svhn", tmp_path / "svhn", ignore=shutil.ignore_patterns("__pycache__"))
    table, calibration = tmp_path / "svhn/rubric/questions.py", tmp_path / "svhn/rubric/calibration.toml"
    table.write_text(table.read_text(encoding="utf-8").replace(")  # fmt: skip\n", MADE_UP), encoding="utf-8")
    with calibration.open("a", encoding="utf-8") as file:
        file.write('"5.1" = [[10.0, 0.0], [90.0, 5.0], [100.0, 10.0]]\n')
    shutil.copy(ROOT / "tests/made_records.py", tmp_path)
    return tmp_path


def test_a_question_more_touches_the_table_and_the_calibration_alone(with_one_more):
    process = subprocess.run(
        [sys.executable, "-c", ASKED], cwd=with_one_more, capture_output=True, text=True, timeout=300
    )
    assert process.returncode == 0, process.stderr


def test_a_question_without_a_calibration_is_told(with_one_more):
    shutil.copy(ROOT / "svhn/rubric/calibration.toml", with_one_more / "svhn/rubric")
    program = "from svhn.rubric.calibration import load_calibration; load_calibration()"
    process = subprocess.run([sys.executable, "-c", program], cwd=with_one_more, capture_output=True, text=True)
    assert process.returncode and "5.1 needs two or more rising pairs" in process.stderr
