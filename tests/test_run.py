"""One run of the whole notebook on drawn digits, in a copy of the project: what a person gets from it."""

import base64
import re
import shutil
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from conftest import ROOT

import answers
from svhn.rubric.questions import BY_NUMBER, MODELS, QUESTIONS

FIRST_BYTES_OF_PNG = b"\x89PNG"
FEW = "data/few.npz"


@pytest.fixture(scope="module")
def project(tmp_path_factory, drawn):
    """A copy of the tracked files, committed anew, in which the notebook was run on few drawn digits."""
    folder = tmp_path_factory.mktemp("project")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    np.savez(folder / FEW, X=drawn.images, y=drawn.labels, real=False)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "copy"]):
        subprocess.run([*git, *arguments], cwd=folder, check=True)
    process = subprocess.run(
        [sys.executable, "-m", "svhn", "run", "--data", FEW], cwd=folder, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    return folder, process


@pytest.fixture(scope="module")
def text(project):
    return (project[0] / "output/Submission.txt").read_text(encoding="utf-8")


def test_it_says_what_it_does_and_where_things_are(project):
    folder, process = project
    assert "digits drawn by this project, not SVHN" in process.stdout
    for path in ("output/Assignment3.ipynb", "output/figures", "output/Submission.html", "output/Submission.txt"):
        assert path in process.stdout and (folder / path).exists()
    assert "executing the notebook: 100%" in process.stderr


def test_a_run_changes_no_tracked_file(project):
    status = subprocess.run(["git", "status", "--porcelain"], cwd=project[0], capture_output=True, text=True)
    assert status.stdout == ""


def test_the_report_has_the_course_s_shape(text):
    assert re.search(r"^Student: LAST NAME, FIRST NAME \(0000000\)$", text, re.M)
    headings = re.findall(r"^Answer (\d\.\d) \((\d)p\)$", text, re.M)
    assert headings == [(question.number, str(question.points)) for question in QUESTIONS]
    assert text.count("Loading model from file") == text.count("Success!") == len(MODELS)
    assert text.count("Total params") == len(MODELS) and "\033" not in text
    assert re.search(r"^Running time: \d+\.\d\d seconds$", text, re.M)
    assert re.search(r"^Last modified: \d{4}-\d\d-\d\d", text, re.M) and "tensorflow 2.21" in text


def test_the_report_holds_the_written_answers(text):
    flat = " ".join(text.split())
    for question in QUESTIONS:
        assert " ".join(getattr(answers, f"answer_q_{question.identifier}").split()) in flat


def test_transfer_learning_lists_layers_and_pipeline(text):
    part = text[text.index("Answer 4.1") :]
    assert part.splitlines()[2].startswith("Not-trainable: ")  # before the harness's own output
    assert part.count("Trainable: ") == 11 and "Not-trainable: block1_conv1" in part
    assert "Trainable: block3_conv1" in part and "KNeighborsClassifier" in part
    assert re.search(r"^Evaluation: 0\.\d{4}$", part, re.M)


def test_comparisons_show_mean_spread_and_a_paired_test(text):
    for number in ("1.3", "2.2", "4.1"):
        part = text[text.index(f"Answer {number}") :].split("\nAnswer ")[0]
        assert re.search(r"mean +least +greatest +difference +gained +lost +p$", part, re.M), number
        assert re.search(r"batches of \d+ each, 3 seeds", part), number


def test_figures_are_labelled_as_drawn(text):
    assert "Measured on: 500 digits drawn by this project, not SVHN" in text
    assert text.count("On this run's 80 validation digits") == len(MODELS) - 1
    assert re.search(r"^The dense head of 4.1 instead: validation \d+\.\d\d%, test ", text, re.M)  # The one left.


def test_every_question_shows_its_plots(project):
    page = (project[0] / "output/Submission.html").read_text(encoding="utf-8")
    assert "The written answers speak of the run on svhn-8k.npz" in page  # This one is on drawn digits.
    parts = dict(zip(BY_NUMBER, page.split("<h2 id=")[1:], strict=False))
    for number, part in parts.items():
        plots = re.findall(r'src="data:image/png;base64,([^"]+)"', part)
        assert len(plots) >= (0 if number == "4.2" else 1), number
        assert all(base64.b64decode(plot).startswith(FIRST_BYTES_OF_PNG) for plot in plots)
    figures = {path.name for path in (project[0] / "output/figures").iterdir()}
    assert {"confusion_matrix.png", "activations.png", "activation_map.png", "model_2_2.png"} <= figures
    assert {"reliability.png", "finer_maps.png"} <= figures


def test_the_executed_copy_is_a_valid_notebook_without_errors(project):
    executed = nbformat.read(project[0] / "output/Assignment3.ipynb", as_version=4)
    nbformat.validate(executed)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    assert outputs and not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]


def test_a_failing_cell_is_named(project):
    folder, _ = project
    weights = folder / "models/model_1_2.keras"
    content = weights.read_bytes()
    weights.write_bytes(content[:1000])
    process = subprocess.run(
        [sys.executable, "-m", "svhn", "run", "--data", FEW, "--out", "other"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    weights.write_bytes(content)
    assert process.returncode == 2 and "Traceback" not in process.stderr
    line = process.stderr.strip().splitlines()[-1]
    assert line.startswith("svhn: ") and "Question 1.2" in line and "model_1_2.keras is damaged" in line
    assert not (folder / "other").exists()
