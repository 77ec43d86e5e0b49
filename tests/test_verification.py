"""The published figures measured anew: on which digits, and what is said where one differs."""

import json
import os
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from conftest import ROOT
from made_records import provenance, record
from openml_server import OpenMLServer, write_arff
from scipy.io import savemat

from svhn.digits import Digits
from svhn.errors import SVHNError
from svhn.files import write_json
from svhn.notebook import verification
from svhn.notebook.verification import published_digits
from svhn.typed import to_json

TRAINING, TEST, PUBLISHED = 30, 60, 40


@pytest.fixture
def whole(monkeypatch):
    """A data set in small: so many training digits, then test digits, of which the first so many were published."""
    monkeypatch.setattr(verification, "OFFICIAL_TRAINING", TRAINING)
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (TRAINING + TEST, 32, 32, 3), dtype=np.uint8)
    return Digits(images, (np.arange(TRAINING + TEST) ** 2 % 10).astype(np.uint8), "whole", real=True)


@pytest.fixture
def published(whole):
    part = slice(TRAINING, TRAINING + PUBLISHED)
    return Digits(whole.images[part], whole.labels[part], "few.npz", real=True)


@pytest.fixture
def models(tmp_path, published):
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("model_1_1", "model_2_2"):
        write_record(folder, name, digits=PUBLISHED, fingerprint=published.fingerprint, name="few.npz")
    return folder


def write_record(folder, model, **data):
    write_json(folder / f"{model}.json", to_json(record(name=model, data=provenance(**data))))


def write_mat(path, digits):
    labels = np.where(digits.labels == 0, 10, digits.labels)[:, None]
    savemat(path, {"X": digits.images.transpose(1, 2, 3, 0), "y": labels})


def part(digits, start, stop=None):
    return Digits(digits.images[start:stop], digits.labels[start:stop], digits.name, digits.real)


def same_digits(found, published):
    assert found.fingerprint == published.fingerprint and found.name == "few.npz" and found.real
    np.testing.assert_array_equal(found.images, published.images)
    np.testing.assert_array_equal(found.labels, published.labels)
    return True


def test_the_official_test_file_is_enough_wherever_it_is_named(tmp_path, whole, published, models):
    data = tmp_path / "data"
    data.mkdir()
    write_mat(data / "test_32x32.mat", part(whole, TRAINING))
    for source in (data / "test_32x32.mat", str(data), "mat", None):
        assert same_digits(published_digits(source, models, data), published)
    write_mat(data / "train_32x32.mat", part(whole, 0, TRAINING))
    assert same_digits(published_digits("mat", models, data), published)


def test_openml_s_rows_are_where_the_test_file_begins(tmp_path, whole, published, models, monkeypatch):
    import openml

    (tmp_path / "client").mkdir()
    monkeypatch.setattr(openml.config, "_root_cache_directory", tmp_path / "client")
    monkeypatch.setattr(openml.config, "connection_n_retries", 1)
    positions = (whole.labels.astype(int) - 1) % 10  # The digit is the class value, "10" for 0, in order.
    arff = write_arff(tmp_path / "served.arff", whole.images.reshape(len(whole), -1), positions)
    with OpenMLServer(arff, len(whole)) as server:
        monkeypatch.setenv("OPENML_SERVER", server.url)
        assert same_digits(published_digits("openml", models, tmp_path / "data"), published)
    # Converted once, it is found without being named.
    assert same_digits(published_digits(None, models, tmp_path / "data"), published)


def test_an_npz_holds_them_alone_or_as_part_of_the_test_set_or_of_all(tmp_path, whole, published, models):
    for name, digits in (("few", published), ("test", part(whole, TRAINING)), ("all", whole)):
        np.savez(tmp_path / f"{name}.npz", X=digits.images, y=digits.labels)
        assert same_digits(published_digits(tmp_path / f"{name}.npz", models, tmp_path), published)


def test_other_digits_are_refused_in_one_line(tmp_path, whole, models):
    others = {
        "training": part(whole, 0, TRAINING + PUBLISHED - 1),
        "fewer": part(whole, TRAINING, TRAINING + PUBLISHED - 1),
        "changed": Digits(255 - whole.images, whole.labels, "x", True),
    }
    for name, digits in others.items():
        np.savez(tmp_path / f"{name}.npz", X=digits.images, y=digits.labels)
        with pytest.raises(SVHNError, match=rf"\({name}\.npz\) do not hold the 40 digits .*test_32x32\.mat") as caught:
            published_digits(tmp_path / f"{name}.npz", models, tmp_path)
        assert "\n" not in str(caught.value)
    for source in (tmp_path / "none.mat", tmp_path / "none.npz", "nonsense", "~nobody-of-that-name/x.npz"):
        with pytest.raises(SVHNError):
            published_digits(source, models, tmp_path)


def test_records_that_speak_of_different_digits_or_of_none_are_refused(tmp_path, models):
    with pytest.raises(SVHNError, match="name different digits"):
        published_digits(None, tmp_path / "empty", tmp_path)
    write_record(models, "model_2_2", digits=PUBLISHED, fingerprint="other", name="few.npz")
    with pytest.raises(SVHNError, match="name different digits"):
        published_digits(None, models, tmp_path)


PARAMETERS = 'data = None\nstop_training = True\nbase_dir = "models"'
DEFINITIONS = """
import numpy as np
from pathlib import Path

EMBEDDINGS = Path("data/embeddings")


def halved(images):
    return images // 2
"""
MEASURING = """
from svhn.data.protocol import split_digits
from svhn.data.sources import load_digits
from svhn.learning.batches import Preprocessed
from svhn.learning.evaluation import accuracy
from svhn.learning.stored import load_model
from svhn.notebook.results import show_figures

split = split_digits(load_digits(data))
kept = list(EMBEDDINGS.glob("*.npy"))
share = accuracy(load_model(base_dir, "model_1_1")[0], Preprocessed(split.X_test, halved), split.y_test)
show_figures("3.1", split, test_accuracy=share)
print(f"Mistakes: {round((1 - share) * len(split.y_test))} of {len(split.y_test)}, kept before: {len(kept)}")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project in small, as published: one model, one figure, a table, an answer, and 200 digits taken for real."""
    from small_network import build

    from svhn.data.protocol import split_digits
    from svhn.drawn.drawing import draw
    from svhn.learning.batches import Preprocessed
    from svhn.learning.evaluation import run_evaluation
    from svhn.notebook.cells import load_definitions
    from svhn.notebook.execution import execute_notebook
    from svhn.notebook.results import write_results
    from svhn.settings import Settings

    folder = tmp_path_factory.mktemp("project")
    few = draw(200, 5)
    np.savez(folder / "few.npz", X=few.images, y=few.labels)
    cell, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    cells = [
        cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        text("### Question 1.1: First (4 points)"),
        cell(DEFINITIONS, metadata={"tags": ["definitions"]}),
        text("### Question 3.1: Second (2 points)"),
        cell(MEASURING, metadata={"tags": ["run", "test_accuracy"]}),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "Assignment3.ipynb")
    halved = load_definitions(folder / "Assignment3.ipynb")["halved"]
    split = split_digits(Digits(few.images, few.labels, "few.npz", real=True))
    data = Preprocessed(split.X_train, halved), Preprocessed(split.X_val, halved), split.y_train, split.y_val
    run_evaluation("model_1_1", build, data, folder / "models", epochs=1, verbose=0, split=split)
    share = json.loads((folder / "models/model_1_1.json").read_text())["accuracy"]["test"]
    (folder / "answers.py").write_text(f'answer_q_1_1 = "It reads {share:.1%} of the test digits."\n')
    (folder / "README.md").write_text("<!-- results -->\n<!-- /results -->\n")
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", str(ROOT))
    executed = execute_notebook(folder / "Assignment3.ipynb", Settings(data=str(folder / "few.npz")))
    patch.undo()
    write_results(executed, folder / "models", folder / "README.md")
    return folder


def verify(project, *arguments):
    process = subprocess.run(
        [sys.executable, "-m", "svhn", "verify", *map(str, arguments)],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    return process.returncode, process.stdout.splitlines(), process.stderr


def test_as_published_every_figure_is_measured_and_ok(project):
    kept = project / "data/embeddings"
    kept.mkdir(parents=True, exist_ok=True)
    fingerprint = json.loads((project / "models/model_1_1.json").read_text())["data"]["fingerprint"]
    (kept / f"model-{fingerprint}-test.npy").write_bytes(b"kept from before")
    status, lines, said = verify(project, "--data", "few.npz")
    assert status == 0, said
    checks = [line.split(": ")[0] for line in lines if line.endswith(": ok")]
    assert checks == [
        "model_1_1, validation",
        "model_1_1, test",
        "model_1_1, test, by digit",
        "results.json, 3.1 test accuracy",
        "README.md, model_1_1",
        "README.md, 3.1",
        "answers.py, 1.1",
    ]
    assert lines[-1] == "all figures are as published" and not [line for line in lines if "differs" in line]
    assert not list(kept.iterdir())  # Nothing that was kept is taken for measured.


def test_each_figure_that_differs_is_named_and_the_status_is_one(project, tmp_path):
    import shutil

    changed = tmp_path / "changed"
    shutil.copytree(project, changed)
    record = json.loads((changed / "models/model_1_1.json").read_text())
    record["accuracy"]["validation"] += 1 / 32
    (changed / "models/model_1_1.json").write_text(json.dumps(record))
    results = json.loads((changed / "models/results.json").read_text())
    results["3.1"]["figures"]["test_accuracy"] += 1 / 40
    (changed / "models/results.json").write_text(json.dumps(results))
    readme = (changed / "README.md").read_text()
    (changed / "README.md").write_text(readme.replace("| 3.1 |", "| 3.1 of old |"))
    (changed / "answers.py").write_text('answer_q_1_1 = "It reads 99.9 % of the test digits."\n')
    status, lines, said = verify(changed, "--data", "few.npz")
    assert status == 1, said
    differing = {line.split(": ")[0] for line in lines if line.endswith(": differs")}
    assert differing == {
        "model_1_1, validation",
        "results.json, 3.1 test accuracy",
        "README.md, 3.1",
        "README.md, 3.1 of old",
        "answers.py, 1.1",
    }
    assert "model_1_1, test" in {line.split(": ")[0] for line in lines if line.endswith(": ok")}
    assert f"{len(differing)} differ" in lines


def test_bad_input_is_one_line_and_the_status_is_two(project, tmp_path):
    np.savez(tmp_path / "other.npz", X=np.zeros((300, 32, 32, 3), np.uint8), y=np.arange(300) % 10)
    for arguments in (["--data", tmp_path / "other.npz"], ["--data", "none.mat"]):
        status, _, said = verify(project, *arguments)
        assert status == 2 and said.startswith("svhn: ") and len(said.splitlines()) == 1
