"""Small hand-ins after real ones, each with what is right for it; skipped where they are not beside the project."""

import json
from dataclasses import replace

import pytest
from conftest import require
from given import CASES, REAL_DIGITS

from svhn.grading.facts import Student
from svhn.grading.handins import opened
from svhn.grading.texts import read_written

TEXT = "I chose three layers because that is enough."


@pytest.fixture(scope="module", autouse=True)
def the_cases():
    require(CASES.is_dir() and REAL_DIGITS.is_file(), f"{CASES} is not there: it is no part of the project")


def said_by(case):
    """What the texts of a case say, and the findings about it."""
    with opened(CASES / case) as handin:
        found = read_written(handin.notebooks, handin.written)
        return replace(found, findings=handin.findings + found.findings)


class TestTexts:
    @pytest.mark.parametrize(
        ("case", "question", "text"),
        [
            ("cell_magic_time", "1.1", "The pyramid of three layers is enough."),
            ("cell_magic_capture", "1.2", "Grey images need a third of the numbers."),
            ("line_magic_value", "1.3", "Dropout helps most."),
            ("indented_cell", "2.1", "Three blocks of convolutions."),
            ("name_assigned_in_block", "2.2", "Inside an if block."),
            ("nbformat3", "1.1", TEXT),
            ("two_notebooks", "1.1", TEXT),
            ("team_members", "1.1", TEXT),
            ("raw_cell_number", "1.1", TEXT),
        ],
    )
    def test_answers_are_read(self, case, question, text):
        found = said_by(case)
        assert found.answers[question].text == text
        assert not any("is not Python" in line or "readable" in line for line in found.findings)

    def test_cells_are_numbered_as_people_count_them(self):
        assert said_by("raw_cell_number").answers["1.1"].where.endswith("cell 3")

    @pytest.mark.parametrize(
        ("case", "student"),
        [
            ("leading_zero_id", {"name": "Doe, Jane", "id": "0123456"}),
            ("team_members", {"name": "Doe, Jane; Roe, Rick", "id": "1234567; 7654321"}),
            ("placeholders", {"name": None, "id": None}),
        ],
    )
    def test_who_it_is(self, case, student):
        assert said_by(case).student == Student(**student)

    def test_placeholders_are_no_answers(self):
        found = said_by("placeholders")
        assert found.answers == {} and "placeholder" in found.no_answer["1.2"]

    def test_the_date_is_what_is_said(self):
        assert said_by("last_edit").date.value == "April 12, 2022"

    @pytest.mark.parametrize("case", ["eval_accuracy_line", "eval_ansi"])
    def test_the_accuracy_of_4_2_is_found(self, case):
        assert said_by(case).evaluation_4_2 == 0.8432

    def test_an_answer_that_is_not_asked_for_is_not_missing(self):
        found = said_by("no_answer_3_3_asked")
        assert not any("3_3" in line for line in found.findings)
        assert found.no_answer["3.3"] == "none is asked for"

    def test_the_notebook_counts_before_an_old_solution(self):
        found = said_by("stale_solution_py")
        assert found.answers["1.1"].text.startswith("The newer text")
        assert any("differ in answer_q_1_1: the notebook counts" in line for line in found.findings)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All cases with a model, graded at one go; evidence, feedback and report by name."""
    from svhn.data.sources import load_digits
    from svhn.grading.grade import grade

    out = tmp_path_factory.mktemp("cases")
    folders = [path for path in CASES.iterdir() if any(path.glob("[Mm]odel*"))]
    grade(folders, load_digits(REAL_DIGITS), out, limit=200, workers=1)
    return {
        folder.name: {
            "evidence": json.loads((out / folder.name / "evidence.json").read_text(encoding="utf-8")),
            "feedback": " ".join((out / folder.name / "feedback.txt").read_text(encoding="utf-8").split()),
            "report": (out / folder.name / "report.html").read_text(encoding="utf-8"),
        }
        for folder in folders
    }


class TestModels:
    @pytest.mark.parametrize(
        ("case", "name"),
        [
            ("nested_base_h5", "model_4_1"),
            ("nested_base_json", "model_4_1"),
            ("nested_base_keras215", "model_4_1"),
            ("nested_base_batchnorm", "model_4_1"),
            ("slash_in_layer_name", "model_2_1"),
            ("unbuilt_fixed_batch", "model_2_1"),
            ("any_size_input", "model_2_1"),
            ("upper_name", "model_2_1"),
            ("history_csv", "model_2_1"),
            ("history_nan", "model_2_1"),
        ],
    )
    def test_it_is_measured_and_its_curves_are_read(self, graded, case, name):
        model = graded[case]["evidence"]["models"][name]
        assert "measured" in model and "curves" in model, model

    def test_the_nan_is_told(self, graded):
        assert any(
            "loss is no finite number in epoch 2" in line for line in graded["history_nan"]["evidence"]["findings"]
        )

    @pytest.mark.parametrize(
        ("case", "words"),
        [
            ("lambda_layer", ("'Lambda'", "Python code", "hand in")),
            ("html_as_h5", ("web page", "hand in")),
            ("savedmodel_folder", ("SavedModel", "hand in the model")),
        ],
    )
    def test_what_cannot_be_read_is_refused_with_the_true_reason(self, graded, case, words):
        evidence = graded[case]["evidence"]
        for word in words:
            assert word in evidence["models"]["model_2_1"]["refused"]
        assert any(file["name"].startswith("model_2_1") for file in evidence["files"])
        assert "no model was handed in" not in evidence["models"]["model_2_1"]["refused"]

    @pytest.mark.parametrize("case", ["per_image_standardised", "weak_model_contrast"])
    def test_a_guessed_preprocessing_accuses_nobody(self, graded, case):
        assert "does not do what is claimed" not in graded[case]["report"]
        assert "does not do" not in graded[case]["feedback"] and "far less" not in graded[case]["feedback"]

    def test_another_network_than_vgg16_is_doubted(self, graded):
        assert "4.1 asks for VGG16" in graded["not_vgg_in_4_1"]["evidence"]["models"]["model_4_1"]["doubts"][0]

    def test_no_text_holds_an_escape_code_or_a_path_of_the_grader(self, graded):
        for case in graded.values():
            text = json.dumps(case["evidence"])
            assert "\\u001b" not in text and "/site-packages/" not in text
