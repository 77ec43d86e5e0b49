"""nbgrader's feedback as a student sees it, made by nbgrader's own template."""

import re
from pathlib import Path

import nbgrader
import pytest
from conftest import ROOT
from nbconvert.exporters import HTMLExporter

from svhn.course.build import mark_cells
from svhn.course.feedback import finish_feedback, grade_id, name_rows
from svhn.notebook.cells import read_notebook
from svhn.rubric.questions import ROWS


@pytest.fixture(scope="module")
def page():
    notebook = mark_cells(read_notebook(ROOT / "Assignment3.ipynb"))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
        if "points" in cell.metadata.get("nbgrader", {}):
            cell.metadata.nbgrader |= {"score": 1.0, "comment": "Why so few epochs?"}
    marks = {"notebook": "Assignment3", "score": 16.0, "max_score": 40.0, "late_penalty": 0}
    formgrader = Path(nbgrader.__file__).parent / "server_extensions/formgrader"
    exporter = HTMLExporter(
        template_name="feedback",
        extra_template_basedirs=[str(formgrader / "templates")],
        extra_template_paths=[str(formgrader / "static/node_modules/bootstrap/dist/css")],
    )
    return exporter.from_notebook_node(notebook, resources={"nbgrader": marks})[0]


def test_rows_have_the_course_s_names_and_links_that_lead_to_them(page):
    assert page.count("Test cell") == 7  # As nbgrader has it.
    named = name_rows(page)
    assert not re.findall("Test cell|>Task<|Student's task|Grade cell", named)
    assert re.findall(r'<a href="#\w+">([^<]+)</a> \(Score', named) == [row.name for row in ROWS]
    assert all(named.count(f'<a name="{grade_id(row)}"></a>') == 1 for row in ROWS)
    assert named.count(">Comment on 1.1 explanation<") == 1 and named.count("Question 3.2<") == 1
    assert name_rows(named) == named and named.count("img { max-width") == 1


@pytest.mark.parametrize("count", [1, 9, 16])
def test_a_row_that_nobody_has_marked_is_no_zero(page, count):
    unmarked = [grade_id(row) for row in ROWS][-count:]
    said = name_rows(page, unmarked)
    points = sum(row.points for row in ROWS[-count:])
    assert f"Assignment3 (Score so far: 16.0 / {40 - points:g}; 40.0 in all)" in said
    listed = re.findall(r'<a href="#(\w+)">[^<]+</a> \((not yet marked|Score: 1.0)', said)
    assert [name for name, mark in listed if mark == "not yet marked"] == unmarked and len(listed) == len(ROWS)
    at_rows = re.findall(r"Question (\d\.\d[ \w]*)</span>\s*<span[^>]*>\s*(Not yet marked|Score)", said)
    assert (
        at_rows == [(row.name, "Not yet marked" if grade_id(row) in unmarked else "Score") for row in ROWS]
        and name_rows(said, unmarked) == said
    )


def test_a_student_gets_the_page_and_nothing_else(page, tmp_path, monkeypatch):
    folder = tmp_path / "feedback/ann/assignment3"
    (folder / "models").mkdir(parents=True)
    for name in ("Assignment3.html", "answers.py", "timestamp.txt", "models/model_1_1.keras"):
        (folder / name).write_text(page, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    finish_feedback(assignment="assignment3", student="*", notebooks=["autograded/ann/assignment3/Assignment3.ipynb"])
    assert sorted(path.name for path in folder.iterdir()) == ["Assignment3.html", "timestamp.txt"]
    assert (folder / "Assignment3.html").read_text(encoding="utf-8") == name_rows(page)
