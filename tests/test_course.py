"""The assignment in nbgrader: its cells' marks, the course, three hand-ins graded, and a mark typed in a browser."""

import ast
import builtins
import copy
import importlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from unittest.mock import patch

import nbformat
import numpy as np
import pytest
from conftest import ROOT, assert_one_clear_line, require
from given import REAL_DIGITS
from IPython.core.formatters import DisplayFormatter
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.nbgraderformat import MetadataValidator
from traitlets.config import Application, PyFileConfigLoader

from svhn.course.build import build_course, mark_cells
from svhn.course.faults import RefuseFaults
from svhn.data.protocol import split_digits
from svhn.digits import Digits
from svhn.errors import SVHNError
from svhn.learning.batches import Preprocessed
from svhn.learning.evaluation import accuracy
from svhn.learning.stored import load_model
from svhn.notebook.cells import load_definitions, read_notebook, tagged_cells
from svhn.rubric.performance import performance, performance_points
from svhn.rubric.questions import MODELS, QUESTIONS, ROWS

MEASURED = [row for row in ROWS if row.calibrated]
BY_HAND = [row for row in ROWS if not row.calibrated]
# Not the harness's but the solution's, and so in no student release.
OF_THE_SOLUTION = [
    "PYRAMID",
    "SIMPLENET",
    "compile_classifier",
    "KNeighborsClassifier",
    "LinearDiscriminantAnalysis",
    "warpAffine",
    "FINER_CONVOLUTIONS",
    "vgg16_input",
]


STUBS = (ROOT / "svhn/course/stubs.py").read_text(encoding="utf-8")


def grade_id(row):
    kind = "performance" if row.calibrated else row.aspect or "plots"
    return f"{kind}_{row.question.replace('.', '_')}"


def graded_by(cell):
    return cell.metadata.get("nbgrader", {})


def cell_of(notebook, name):
    (cell,) = [cell for cell in notebook.cells if graded_by(cell).get("grade_id") == name]
    return cell


def shown(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def errors(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == "error"]


def nbgrader(folder, *arguments, **environment):
    process = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stderr


def grades(course, student):
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        submission = gradebook.find_submission_notebook("Assignment3", "assignment3", student)
        return {grade.name: grade.to_dict() for grade in submission.grades}


@pytest.fixture(scope="module")
def notebook():
    """The notebook with its marks, as a course has it."""
    return mark_cells(read_notebook(ROOT / "Assignment3.ipynb"))


@pytest.fixture(scope="module")
def digits_file(tmp_path_factory, drawn):
    """The first 200 real digits, or drawn ones where no real ones are at hand."""
    path = tmp_path_factory.mktemp("digits") / "few.npz"
    if REAL_DIGITS.exists():
        with np.load(REAL_DIGITS) as archive:
            np.savez(path, X=archive["X"][:200], y=archive["y"][:200])
    else:
        np.savez(path, X=drawn.images[:200], y=drawn.labels[:200], real=False)
    return path


@pytest.fixture(scope="module")
def split(digits_file):
    with np.load(digits_file) as archive:
        return split_digits(Digits(archive["X"], archive["y"].astype(np.uint8), "few.npz", "real" not in archive))


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    process = subprocess.run(
        [sys.executable, "-m", "svhn", "course", "--out", folder], cwd=ROOT, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    assert f"{folder}/release/assignment3/" in process.stdout
    return folder


@pytest.fixture(scope="module")
def release(course):
    return read_notebook(course / "release/assignment3/Assignment3.ipynb")


@pytest.fixture(scope="module")
def graded(course, digits_file):
    """The course after the hand-ins `complete`, `partial` and `untouched` were autograded."""
    submitted = course / "submitted"
    shutil.copytree(course / "release/assignment3", submitted / "untouched/assignment3")
    shutil.copytree(ROOT / "models", submitted / "complete/assignment3/models")
    shutil.copy(ROOT / "answers.py", submitted / "complete/assignment3")
    nbformat.write(handed_in_whole(), submitted / "complete/assignment3/Assignment3.ipynb")
    hand_in_parts(course / "release/assignment3", submitted / "partial/assignment3")
    said = nbgrader(course, "autograde", "assignment3", SVHN_DATA=str(digits_file))
    assert "encryption" not in said and "SAWarning" not in said
    return course


def handed_in_whole():
    """The solution in a student's notebook: in the cells of the release, and in cells of the student's own."""
    notebook = mark_cells(read_notebook(ROOT / "Assignment3.ipynb"))
    asked = re.findall(r"^# %% (\w+)$", STUBS, re.M)
    for cell in notebook.cells:
        if graded_by(cell).get("solution") and graded_by(cell)["grade_id"] not in asked:
            del cell.metadata["nbgrader"]
    return notebook


def hand_in_parts(release, folder):
    """Question 1.1 only, training left on, with a record and a measuring cell that claim more than there is."""
    shutil.copytree(release, folder)
    solution = mark_cells(read_notebook(ROOT / "Assignment3.ipynb"))
    notebook = read_notebook(folder / "Assignment3.ipynb")
    notebook.cells[1].source = notebook.cells[1].source.replace("stop_training = True", "stop_training = False")
    for name in ("definitions", "definitions_1_1", "model_1_1"):
        cell_of(notebook, name).source = cell_of(solution, name).source
    cell_of(notebook, "performance_2_1").source = "3.5"
    nbformat.write(notebook, folder / "Assignment3.ipynb")
    answers = (
        (folder / "answers.py")
        .read_text()
        .replace('answer_q_1_1 = (\n    ""', 'answer_q_1_1 = (\n    "It is <b>mine</b>."')
    )
    (folder / "answers.py").write_text(answers)
    (folder / "svhn/rubric/performance.py").write_text("def performance(question, names):\n    return 1.0\n")
    (folder / "models").mkdir()
    shutil.copy(ROOT / "models/model_1_1.keras", folder / "models")
    record = json.loads((ROOT / "models/model_1_1.json").read_text())
    record["accuracy"] = {"validation": 0.99, "test": 0.99}
    (folder / "models/model_1_1.json").write_text(json.dumps(record))


def executed(course, student):
    return read_notebook(course / "autograded" / student / "assignment3/Assignment3.ipynb")


def test_the_marks_are_valid_and_make_forty_points(notebook):
    MetadataValidator().validate_nb(notebook)
    marked = {graded_by(cell)["grade_id"]: graded_by(cell) for cell in notebook.cells if "points" in graded_by(cell)}
    assert {name: marks["points"] for name, marks in marked.items()} == {grade_id(row): row.points for row in ROWS}
    assert len(marked) == 16 and sum(marks["points"] for marks in marked.values()) == 40
    assert all(marked[grade_id(row)]["grade"] and marked[grade_id(row)]["locked"] for row in MEASURED)
    assert all(marked[grade_id(row)]["task"] and marked[grade_id(row)]["locked"] for row in BY_HAND)


def test_the_committed_notebook_knows_nothing_of_nbgrader_and_marking_twice_changes_nothing(notebook):
    assert not [cell for cell in read_notebook(ROOT / "Assignment3.ipynb").cells if graded_by(cell)]
    assert mark_cells(copy.deepcopy(notebook)) == notebook


def test_a_new_cell_gets_its_mark_and_a_removed_row_comes_back(notebook):
    changed = copy.deepcopy(notebook)
    changed.cells.remove(cell_of(changed, "explanation_4_1"))
    at = changed.cells.index(cell_of(changed, "model_4_1")) + 1
    changed.cells.insert(at, nbformat.v4.new_code_cell("1", metadata={"tags": ["run", "comparison_4_1"]}))
    mark_cells(changed)
    assert graded_by(changed.cells[at]) | {"grade_id": "comparison_4_1", "solution": True} == graded_by(
        changed.cells[at]
    )
    del changed.cells[at]
    assert changed == notebook


def test_the_release_opens_and_holds_no_solution(course, release):
    nbformat.validate(release)
    folder = course / "release/assignment3"
    text = (folder / "Assignment3.ipynb").read_text(encoding="utf-8")
    solution = (ROOT / "Assignment3.ipynb").read_text(encoding="utf-8")
    assert all(name in solution for name in OF_THE_SOLUTION)
    assert not [name for name in OF_THE_SOLUTION if name in text] and "SOLUTION" not in text
    for cell in release.cells:
        assert not cell.get("outputs")
        assert ("YOUR CODE HERE" in cell.source) == bool(graded_by(cell).get("solution"))
    namespace = {}
    exec((folder / "answers.py").read_text(), namespace)
    assert [value for name, value in namespace.items() if name.startswith("answer_q_")] == [""] * 10
    assert not (folder / "models").exists() and not (folder / "svhn/README.md").exists()
    rooms = {path.name for path in (folder / "svhn").iterdir() if path.is_dir()}
    assert rooms == {"drawn", "data", "learning", "rubric", "notebook"}
    rules = re.findall(r"^(\w+): ", (folder / "Makefile").read_text(encoding="utf-8"), re.M)
    assert rules == ["run", "train", "digits", "report"]  # What works without the teacher's part.


def test_the_sample_made_from_the_release_fits_it(release):
    """nbgrader needs each of the release's cells, and puts back those that are locked."""
    sample = read_notebook(ROOT / "tests/handins/from_release/Assignment3.ipynb")
    MetadataValidator().validate_nb(sample)
    ids = [[graded_by(cell)["grade_id"] for cell in nb.cells if graded_by(cell)] for nb in (sample, release)]
    assert ids[0] == ids[1] and not errors(sample)
    for name in ("definitions_1_1", "model_2_2", "activations"):
        assert "YOUR CODE HERE" not in cell_of(sample, name).source
    assert "YOUR CODE HERE" in cell_of(sample, "model_4_1").source


def test_each_stub_has_its_cell_and_each_kind_of_question_its_stub(release, notebook):
    stubs = re.findall(r"^# %% (\w+)$", STUBS, re.M)
    assert stubs == [graded_by(cell)["grade_id"] for cell in release.cells if graded_by(cell).get("solution")]
    asked = {f"definitions_{question.identifier}" for question in QUESTIONS} | set(MODELS)
    assert asked <= set(stubs)
    for question in ("1_1", "1_2", "1_3", "2_1"):  # As the solution: no name of a split leads elsewhere.
        (cell,) = tagged_cells(notebook, f"model_{question}")
        (stub,) = re.findall(rf"^# %% model_{question}\n((?:#.*\n)+)", STUBS, re.M)
        (split,) = re.findall(r"\w+_split", cell.source)
        assert (
            re.findall(r"\w+_split", stub)
            == [split]
            == ["evaluation_split" if question == "1_1" else "preprocessed_split"]
        )


def test_what_students_import_exists_and_is_what_the_course_s_own_cells_need(notebook):
    names = set()
    for node in ast.parse(STUBS).body:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
            assert all(importlib.import_module(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
            module = importlib.import_module(node.module)
            assert not [alias.name for alias in node.names if not hasattr(module, alias.name)]
    for cell in notebook.cells:
        # What stays in the release as it is: all but solutions.
        if cell.cell_type == "code" and not graded_by(cell).get("solution"):
            nodes = list(ast.walk(ast.parse(cell.source)))
            names |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
            names |= {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
            used = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
            assert used <= names | set(dir(builtins)), cell.source


def test_students_find_every_name_that_the_course_asks_for(release):
    text = "\n".join(cell.source for cell in release.cells)
    names = [name for question in QUESTIONS for name in question.names] + [f"build_{name}" for name in MODELS]
    assert not [name for name in names if name not in text]


def test_the_release_runs_and_earns_nothing(graded):
    notebook = executed(graded, "untouched")
    assert not errors(notebook)
    cells = tagged_cells(notebook, "performance")
    assert len(cells) == 7 and all("missing" in shown(cell) or "does not define" in shown(cell) for cell in cells)
    assert {grades(graded, "untouched")[grade_id(row)]["auto_score"] for row in MEASURED} == {0}


def test_a_complete_hand_in_earns_what_its_models_measure(graded, split):
    marks, notebook = grades(graded, "complete"), executed(graded, "complete")
    assert not errors(notebook)
    for row in MEASURED:
        printed = shown(cell_of(notebook, grade_id(row)))
        share = float(printed.split("%")[0].split()[-1]) / 100
        assert marks[grade_id(row)]["auto_score"] == pytest.approx(performance_points(row.question, share), abs=0.02)
    model, _ = load_model(ROOT / "models", "model_1_1")
    earned = performance_points("1.1", accuracy(model, split.X_val, split.y_val))
    assert marks["performance_1_1"]["auto_score"] == pytest.approx(earned, abs=0.006)


def test_rows_for_a_person_wait_and_are_no_zeros(graded):
    marks = grades(graded, "complete")
    for row in BY_HAND:
        grade = marks[grade_id(row)]
        assert grade["needs_manual_grade"] and grade["auto_score"] is None and grade["manual_score"] is None
    assert sum(grade["max_score"] for grade in marks.values()) == 40


def test_claims_earn_nothing_and_nothing_is_trained(graded, split):
    marks, notebook = grades(graded, "partial"), executed(graded, "partial")
    model, _ = load_model(ROOT / "models", "model_1_1")
    measured = accuracy(model, split.X_val, split.y_val)
    assert f"{measured:.2%} of 32 validation digits" in shown(cell_of(notebook, "performance_1_1"))
    assert marks["performance_1_1"]["auto_score"] == pytest.approx(performance_points("1.1", measured), abs=0.006)
    assert cell_of(notebook, "performance_2_1").source.endswith('performance("2.1", globals())')
    assert marks["performance_2_1"]["auto_score"] == 0
    assert "Loading model from file" in shown(cell_of(notebook, "model_1_1"))
    stored = graded / "autograded/partial/assignment3/models/model_1_1.keras"
    assert stored.read_bytes() == (ROOT / "models/model_1_1.keras").read_bytes()
    (answer,) = cell_of(notebook, "answer_1_1").outputs
    assert answer.data["text/html"] == "<blockquote>It is &lt;b&gt;mine&lt;/b&gt;.</blockquote>"


@contextmanager
def jupyter(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "server", "--no-browser", f"--port={port}", "--allow-root"]
    with (folder.parent / f"{folder.name}.log").open("w") as log:
        server = subprocess.Popen([*command, "--IdentityProvider.token="], cwd=folder, stdout=log, stderr=log)
    try:
        address = f"http://localhost:{port}"
        wait_for(lambda: urllib.request.urlopen(f"{address}/api", timeout=5).status == 200)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=60)


def wait_for(condition, seconds=90):
    for _ in range(10 * seconds):
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"in vain for {seconds} seconds")


@pytest.fixture
def browser():
    from selenium import webdriver

    driver = shutil.which("chromedriver")
    require(driver, "no chromium with its driver is installed")
    options = webdriver.ChromeOptions()
    options.page_load_strategy = "eager"  # the page asks for MathJax from the net
    for switch in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1300,1500"):
        options.add_argument(switch)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


def test_a_mark_typed_in_formgrader_reaches_database_and_feedback(graded, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    with Gradebook(f"sqlite:///{graded}/gradebook.db") as gradebook:
        submission = gradebook.find_submission_notebook("Assignment3", "assignment3", "complete").id
    with jupyter(graded) as address:
        browser.get(f"{address}/formgrader/submissions/{submission}/")
        page = browser.find_element(By.TAG_NAME, "body").text
        namespace = {}
        exec((ROOT / "answers.py").read_text(encoding="utf-8"), namespace)
        texts = [value for name, value in namespace.items() if name.startswith("answer_q_")]
        assert len(texts) == 10 and not [text for text in texts if text not in page]
        plots = browser.find_elements(By.CSS_SELECTOR, "#notebook img[src^='data:image/png']")
        assert len(plots) >= 13 and all(plot.size["width"] > 200 for plot in plots)
        mark = browser.find_element(By.ID, "explanation_1_1")
        wait_for(mark.is_enabled)
        mark.send_keys("1.5", Keys.TAB)
        browser.find_element(By.ID, "explanation_1_1-comment").send_keys("Clear, but why 40 epochs?", Keys.TAB)
        wait_for(lambda: grades(graded, "complete")["explanation_1_1"]["manual_score"] == 1.5)
        wait_for(lambda: comment(graded, "complete", "explanation_1_1") == "Clear, but why 40 epochs?")
    assert not grades(graded, "complete")["explanation_1_1"]["needs_manual_grade"]
    said = nbgrader(graded, "generate_feedback", "assignment3")
    assert "SAWarning" not in said
    folder = graded / "feedback/complete/assignment3"
    assert [path.name for path in folder.iterdir()] == ["Assignment3.html"]
    feedback = (folder / "Assignment3.html").read_text(encoding="utf-8")
    total = sum(grade["auto_score"] or grade["manual_score"] or 0 for grade in grades(graded, "complete").values())
    assert "Score: 1.5 / 2.0" in feedback and "Clear, but why 40 epochs?" in feedback
    marked = sum(row.points for row in [*MEASURED, BY_HAND[0]])
    assert f"Assignment3 (Score so far: {round(total, 2)} / {marked:g}; 40.0 in all)" in feedback
    assert feedback.count("not yet marked") == len(BY_HAND) - 1
    assert not re.findall("Test cell|>Task<|Student's task|Grade cell", feedback)
    assert re.findall(r'<a href="#\w+">(\d\.\d[ \w]*)</a> \((?:Score|not)', feedback) == [row.name for row in ROWS]
    assert all(f'<a name="{grade_id(row)}"></a>' in feedback for row in ROWS)


def comment(course, student, name):
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        return gradebook.find_comment(name, "Assignment3", "assignment3", student).manual_comment


def test_building_again_keeps_hand_ins_marks_and_settings(graded):
    settings = graded / "nbgrader_config.py"
    settings.write_text(settings.read_text() + "# mine\n")
    before = grades(graded, "complete")
    build_course(graded, ROOT / "Assignment3.ipynb")
    assert settings.read_text().endswith("# mine\n") and grades(graded, "complete") == before
    assert (graded / "submitted/partial/assignment3/models/model_1_1.keras").exists()


def test_cells_may_not_change_once_hand_ins_are_graded(graded, tmp_path):
    for name in ("answers.py", "requirements.txt", "Makefile"):
        shutil.copy(ROOT / name, tmp_path)
    changed = mark_cells(read_notebook(ROOT / "Assignment3.ipynb"))
    changed.cells.remove(cell_of(changed, "definitions_3_2"))
    nbformat.write(changed, tmp_path / "Assignment3.ipynb")
    release = (graded / "release/assignment3/Assignment3.ipynb").read_bytes()
    with pytest.raises(SVHNError, match="there are submissions associated"):
        build_course(graded, tmp_path / "Assignment3.ipynb")
    assert (graded / "release/assignment3/Assignment3.ipynb").read_bytes() == release


def test_a_folder_that_cannot_be_is_one_clear_line(command, tmp_path):
    (tmp_path / "file").write_text("")
    assert_one_clear_line(command("course", "--out", tmp_path / "file"), "cannot write", "choose a folder")


def test_a_folder_that_holds_other_things_is_left_alone(command, tmp_path):
    (tmp_path / "thesis.tex").touch()
    assert_one_clear_line(command("course", "--out", tmp_path), str(tmp_path), "other things than a course", "--out")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_project_in_parts_is_one_clear_line(tmp_path):
    shutil.copy(ROOT / "Assignment3.ipynb", tmp_path)
    with pytest.raises(SVHNError, match=r"not a whole project .*Makefile"):
        build_course(tmp_path / "course", tmp_path / "Assignment3.ipynb")


def shouting(images):
    os.write(2, b"from C++")
    print("to a person", file=sys.stderr)
    return np.repeat(images.mean(axis=3, keepdims=True), 1, axis=3).round().astype(np.uint8)


def failing(images):
    raise RuntimeError("no\nsuch thing")


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({}, "the notebook does not define preprocessed_split"),
        ({"preprocessed_split": 5}, "cannot be measured (TypeError"),
        ({"preprocessed_split": (None, np.zeros((3, 32, 32, 1)))}, "has 3 validation images for 32 digits"),
    ],
)
def test_what_cannot_be_measured_earns_nothing_and_says_why(names, reason, digits_file, monkeypatch, capsys):
    monkeypatch.setenv("SVHN_DATA", str(digits_file))
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert performance("1.2", names, ROOT / "models") == 0
    assert reason in capsys.readouterr().out


@pytest.mark.parametrize("source", ["/nowhere.npz", "carved", "{tmp}", "{tmp}/damaged.npz", "mat"])
def test_digits_that_are_not_there_are_no_zero(source, tmp_path, monkeypatch):
    (tmp_path / "damaged.npz").write_bytes(b"PK and no more")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SVHN_DATA", source.format(tmp=tmp_path))
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(SVHNError, match=r"^1\.1 was not measured: .*[a-z]"):
        performance("1.1", {"evaluation_split": (None, np.zeros((3, 32, 32, 3)))}, ROOT / "models")


LACKING = [
    OSError(28, "No space left on device"), OSError(122, "Disk quota exceeded"), MemoryError(),
    RuntimeError("Unable to allocate 3 GiB for an array"), SVHNError("cannot write x: No space left on device"),
]  # fmt: skip


@pytest.mark.parametrize("error", LACKING, ids=repr)
def test_room_that_is_lacking_here_is_no_zero(error, digits_file, monkeypatch):
    def failing(images):
        raise error

    monkeypatch.setenv("SVHN_DATA", str(digits_file))
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    view = Preprocessed(np.zeros((1, 32, 32, 3), np.uint8), lambda images: images)
    view.function = failing
    with pytest.raises(SVHNError, match=r"^1\.2 was not measured: .*free some room$"):
        performance("1.2", {"preprocessed_split": (None, view)}, ROOT / "models")


def put_out(notebook, name, *outputs):
    """The notebook as executed, with the outputs of one cell."""
    executed = copy.deepcopy(notebook)
    for cell in executed.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    cell_of(executed, name).outputs = [nbformat.v4.new_output(kind, **content) for kind, content in outputs]
    return executed


@pytest.mark.parametrize("name", ["definitions", "model_1_1", "embeddings"])
@pytest.mark.parametrize(
    ("error", "is_here"),
    [
        *((error, True) for error in LACKING),
        (ValueError("shapes"), False),
        (NameError("name 'x' is not defined"), False),
    ],
    ids=repr,
)
def test_marks_are_given_where_a_hand_in_failed_and_not_where_this_machine_did(notebook, name, error, is_here):
    failed = ("error", {"ename": type(error).__name__, "evalue": str(error), "traceback": []})
    said = ("stream", {"name": "stdout", "text": "No space left on device, said the student"})
    step, student = RefuseFaults(), {"nbgrader": {"student": "ann"}}
    executed = put_out(notebook, name, said, failed)
    if is_here:
        with pytest.raises(SVHNError, match=rf"ann gets no marks: {name} failed .*; mend that and autograde again"):
            step.preprocess(executed, student)
    else:
        assert step.preprocess(executed, student)[0] == executed
    with pytest.raises(SVHNError, match="performance_1_1 failed"):
        step.preprocess(put_out(notebook, "performance_1_1", failed), student)


def test_nbgrader_takes_that_step_between_running_and_marking(course):
    Application.clear_instance()
    with patch.dict(os.environ):  # The settings choose the digits by a variable.
        config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    steps = [
        step if isinstance(step, str) else step.__name__ for step in Autograde(config=config).autograde_preprocessors
    ]
    run, ours, marks = map(steps.index, ("Execute", "svhn.course.faults.RefuseFaults", "SaveAutoGrades"))
    assert run < ours < marks


def test_measuring_is_silent_on_standard_error(digits_file, monkeypatch, capfd, definitions):
    monkeypatch.setenv("SVHN_DATA", str(digits_file))
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    images = np.zeros((1, 32, 32, 3), np.uint8)
    view = Preprocessed(images, shouting)
    capfd.readouterr()
    earned = performance("1.2", {"preprocessed_split": (None, view)}, ROOT / "models")
    printed = capfd.readouterr()
    assert printed.err == "" and "validation digits" in printed.out and type(earned) is float and 0 < earned <= 1
    view.function = failing
    assert performance("1.2", {"preprocessed_split": (None, view)}, ROOT / "models") == 0
    assert "RuntimeError: no such thing" in capfd.readouterr().out


def test_an_array_preprocessed_beforehand_is_measured_too(digits_file, split, monkeypatch, definitions):
    monkeypatch.setenv("SVHN_DATA", str(digits_file))
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    grey = definitions["contrast_grey"](split.X_val)
    lazily = definitions["Preprocessed"](split.X_val, definitions["contrast_grey"])
    earned = [performance("1.2", {"preprocessed_split": (None, images)}, ROOT / "models") for images in (grey, lazily)]
    assert earned[0] == earned[1] > 0


def test_outside_nbgrader_nothing_is_measured_and_a_note_stands_for_no_points():
    shown, _ = DisplayFormatter().format(performance("1.2", {}))
    assert float(shown["text/plain"]) == 0  # which is what nbgrader reads
    assert "measured where nbgrader" in shown["text/html"]


def test_where_nothing_is_set_hand_ins_are_measured_on_what_data_holds_else_on_drawn_digits(course, tmp_path):
    config = (course / "nbgrader_config.py").read_text(encoding="utf-8")
    assert repr(str(ROOT / "data")) in config
    config = config.replace(repr(str(ROOT / "data")), repr(str(tmp_path)))
    program = f"from unittest.mock import MagicMock as get_config\n{config}\nprint(os.environ['SVHN_DATA'])"

    def chosen(**environment):
        done = subprocess.run([sys.executable, "-c", program], env=os.environ | environment, cwd=tmp_path,
                              capture_output=True, text=True, check=True)  # fmt: skip
        return done.stdout.strip()

    assert chosen() == "drawn"
    np.savez(tmp_path / "digits.npz", X=np.zeros((1, 32, 32, 3), np.uint8), y=np.zeros(1, np.uint8))
    assert chosen() == str(tmp_path) and chosen(SVHN_DATA="digits.npz") == str(tmp_path / "digits.npz")
    assert chosen(SVHN_DATA="openml") == "openml"
    shutil.copy(tmp_path / "digits.npz", tmp_path / "others.npz")
    assert chosen() == str(tmp_path)  # Each hand-in then says that this is no choice.


def test_definitions_of_the_release_can_be_loaded(course):
    loaded = load_definitions(course / "release/assignment3/Assignment3.ipynb")
    assert loaded["build_model_2_1"]() is None
