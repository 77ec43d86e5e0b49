"""The commands, run as a person runs them."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, assert_one_clear_line
from PIL import Image

from svhn.data.sources import load_digits

MODELS = ["model_1_1", "model_1_2", "model_4_1"]  # one a preprocessing: colours, grey, VGG16's


@pytest.fixture
def photos(tmp_path, drawn):
    paths = []
    for i, (suffix, size) in enumerate([("png", (32, 32)), ("jpg", (90, 60)), ("png", (20, 45))]):
        paths.append(tmp_path / f"photo{i}.{suffix}")
        Image.fromarray(drawn.images[i]).resize(size).save(paths[-1])
    return paths


@pytest.fixture
def without_digits(tmp_path):
    """The project, but with nothing in `data/`, whatever this copy's holds."""
    shutil.copytree(ROOT / "svhn", tmp_path / "svhn", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Assignment3.ipynb", "answers.py"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_help_explains_every_command(command):
    process = command("--help")
    assert process.returncode == 0 and "examples:" in process.stdout
    assert "exit status:" in process.stdout and re.search(r"^svhn", command("--version").stdout)
    for name in ("run", "report", "train", "publish", "verify", "predict", "grade", "course", "completion"):
        assert name in process.stdout
        assert command(name, "--help").returncode == 0


def test_bash_completes_commands_and_options(command, tmp_path):
    pytest.importorskip("shtab")
    (tmp_path / "completion").write_text(command("completion", "bash").stdout)
    script = f"""
source {tmp_path}/completion
COMP_WORDS=(svhn pre); COMP_CWORD=1
$(complete -p svhn | sed 's/.*-F \\([^ ]*\\).*/\\1/')
echo "${{COMPREPLY[@]}}"
"""
    process = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert process.stdout.split() == ["predict"], process.stderr


@pytest.mark.parametrize("name", MODELS)
def test_predict_is_the_model_on_its_own_preprocessing(command, definitions, drawn, tmp_path, name):
    import keras

    np.savez(tmp_path / "digits.npz", X=drawn.images[:40])
    process = command("predict", "--model", name, tmp_path / "digits.npz", "--out", tmp_path / "read.csv")
    assert process.returncode == 0, process.stderr
    with (tmp_path / "read.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image", "digit", "probability"] and rows[17]["image"] == "digits.npz[17]"
    preprocess = {"model_1_1": lambda X: X / 255, "model_1_2": lambda X: definitions["contrast_grey"](X) / 255}
    images = preprocess.get(name, definitions["vgg16_input"])(drawn.images[:40]).astype(np.float32)
    expected = keras.saving.load_model(ROOT / f"models/{name}.keras").predict(images, verbose=0)
    assert [int(row["digit"]) for row in rows] == list(expected.argmax(axis=1))
    np.testing.assert_allclose([float(row["probability"]) for row in rows], expected.max(axis=1), atol=1e-4)
    assert len([line for line in process.stdout.splitlines() if line.startswith("digits.npz[")]) == 40


def test_predict_reads_photos_of_any_size(command, photos):
    process = command("predict", "--model", "model_1_2", *photos)
    assert (process.returncode, process.stderr) == (0, "")
    assert [line.split()[0] for line in process.stdout.splitlines()] == ["photo0.png", "photo1.jpg", "photo2.png"]


def test_predict_tells_photos_of_one_name_apart(command, photos, tmp_path):
    other = tmp_path / "other" / photos[0].name
    other.parent.mkdir()
    shutil.copy(photos[1], other)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/gr\xfc.png"))  # Latin-1, as from an old archive
    shutil.copy(photos[0], odd)
    process = command("predict", "--model", "model_1_2", photos[0], other, photos[2], odd)
    assert (process.returncode, process.stderr) == (0, "")
    names = [line.split("  ")[0] for line in process.stdout.splitlines()]
    assert names == [str(photos[0]), str(other), photos[2].name, "gr\ufffd.png"]


def test_predict_gives_the_second_guess_and_reads_nothing_in_a_blank_image(command, photos, tmp_path):
    Image.new("RGB", (50, 50), "white").save(tmp_path / "blank.png")
    with Image.open(photos[0]) as digit:
        Image.fromarray(np.hstack([np.asarray(digit)] * 4)).save(tmp_path / "plate.png")
    paths = photos[0], tmp_path / "blank.png", tmp_path / "plate.png"
    process = command("predict", "--model", "model_1_2", *paths, "--out", tmp_path / "read.csv")
    assert process.returncode == 0, process.stderr
    digit, blank, plate = process.stdout.splitlines()[:3]
    first, second = re.fullmatch(r"photo0\.png +(\d) +[\d.]+%   else (\d) +[\d.]+%", digit).groups()
    assert first != second
    assert blank.endswith("no digit: the image is blank") and "cut out a single one" in plate
    with (tmp_path / "read.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["digit"] for row in rows][:2] == [first, ""] and rows[1]["probability"] == ""


def test_a_reader_that_stops_halfway_costs_no_predictions(drawn, tmp_path):
    np.savez(tmp_path / "digits.npz", X=np.repeat(drawn.images[:10], 400, axis=0))  # more lines than a pipe holds
    arguments = ["predict", "--model", "model_1_2", tmp_path / "digits.npz", "--out", tmp_path / "read.csv"]
    with subprocess.Popen(
        [sys.executable, "-m", "svhn", *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline().startswith("digits.npz[0]")
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141
    assert len((tmp_path / "read.csv").read_text().splitlines()) == 4001


@pytest.mark.parametrize("backend", ["nonsense", "openvino"])
def test_a_backend_that_is_not_there_is_one_line(command, photos, backend):
    process = command("predict", "--model", "model_4_1", photos[0], KERAS_BACKEND=backend)
    assert_one_clear_line(process, backend, "KERAS_BACKEND=tensorflow")


def test_predict_names_what_is_wrong(command, photos, tmp_path):
    process = command("predict", "--model", "model_7_7", photos[0])
    assert_one_clear_line(process, "model_7_7", "model_2_2")
    assert "make train" not in process.stderr
    assert_one_clear_line(command("predict", "--model", "model_1_1", tmp_path / "none.png"), "none.png")
    photos[0].write_bytes(photos[0].read_bytes()[:50])
    process = command("predict", "--model", "model_1_1", photos[0], "--out", tmp_path / "read.csv")
    assert_one_clear_line(process, "photo0.png")
    assert not (tmp_path / "read.csv").exists()
    process = command("predict", "--model", "model_1_1", photos[1], "--out", "/proc/read.csv")
    assert_one_clear_line(process, "/proc")
    assert_one_clear_line(command("predict", "--model", "model_1_1", tmp_path), "is a folder", "*.png")
    process = command("predict", "--model", "models/model_1_1.keras", photos[1], "--out", tmp_path)
    assert_one_clear_line(process, "it is a folder; name a file")


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("nonsense", "nonsense"),
        ("missing.npz", "missing.npz"),
        ("mat", "train_32x32.mat"),
        ("~nobody-of-that-name/digits.npz", "nobody-of-that-name"),
        ("x" * 300, "too long"),
    ],
)
def test_run_and_train_name_bad_data_before_they_start(command, without_digits, source, word):
    assert_one_clear_line(command("run", "--data", source, cwd=without_digits), word)
    assert not (without_digits / "output").exists()
    assert_one_clear_line(command("train", "--model", "model_1_1", "--data", source, cwd=without_digits), word)


def test_an_unreachable_openml_is_one_line(command, without_digits):
    process = command("run", "--data", "openml", cwd=without_digits, OPENML_SERVER="http://127.0.0.1:9/api/v1/xml")
    assert_one_clear_line(process, "127.0.0.1:9", "drawn")
    assert not (without_digits / "output").exists()


def test_the_variable_chooses_the_digits(command, tmp_path):
    assert_one_clear_line(command("run", "--out", tmp_path / "output", SVHN_DATA="elsewhere.npz"), "elsewhere.npz")


def test_a_command_works_from_any_folder_of_the_checkout(command, without_digits):
    folder, where = without_digits / "figures", {"PYTHONPATH": str(without_digits)}
    folder.mkdir()
    process = command("digits", "--count", 20, cwd=folder, **where)
    assert process.returncode == 0, process.stderr
    assert list((without_digits / "data").glob("drawn-*.npz")) and not (folder / "data").exists()
    (folder / "few.npz").write_bytes(b"no digits")
    assert_one_clear_line(command("run", "--data", "few.npz", cwd=folder, **where), str(folder / "few.npz"))


def test_a_run_never_overwrites_the_notebook(command):
    assert_one_clear_line(command("run", "--out", "."), "another folder")


@pytest.mark.parametrize("length", ["abc", "0", "-1", "inf", "nan"])
def test_a_length_that_is_none_is_told_before_anything_is_loaded(command, length):
    process = command("train", f"--length={length}")
    assert_one_clear_line(process, f"--length is '{length}'; give a number above 0")


@pytest.mark.parametrize(("setting", "value"), [("EXTEND", "many"), ("LENGTH", "0"), ("FORCE", "perhaps")])
def test_a_variable_that_is_no_setting_is_told_before_anything_is_loaded(command, setting, value):
    assert_one_clear_line(command("train", **{f"SVHN_{setting}": value}), f"SVHN_{setting} is '{value}'; give ")


def test_what_is_verified_are_the_published_digits(command, tmp_path, drawn):
    np.savez(tmp_path / "others.npz", X=drawn.images[:200], y=drawn.labels[:200])
    process = command("verify", "--data", tmp_path / "others.npz")
    assert_one_clear_line(process, "others.npz", "do not hold the 8,001 digits", "test_32x32.mat")


def test_train_names_the_models_there_are(command):
    assert_one_clear_line(command("train", "--model", "model_0_0"), "model_0_0", "model_2_1")


def test_stored_models_are_not_replaced_by_ones_of_drawn_digits_unasked(command):
    if load_digits().real:
        pytest.skip("data/ holds real digits")
    before = (ROOT / "models/model_1_1.keras").read_bytes()
    assert_one_clear_line(command("train", SVHN_DATA=""), "no real digits", "--data drawn")
    assert (ROOT / "models/model_1_1.keras").read_bytes() == before


def test_figures_of_digits_that_the_models_may_know_are_never_published(command, tmp_path, drawn):
    np.savez(tmp_path / "others.npz", X=drawn.images[:200], y=drawn.labels[:200])
    before = (ROOT / "README.md").read_bytes()
    assert_one_clear_line(command("publish", "--data", tmp_path / "others.npz"), "model_1_1", "may know", "make train")
    assert (ROOT / "README.md").read_bytes() == before


def test_report_without_a_run_says_so(command, tmp_path):
    assert_one_clear_line(command("report", "--out", tmp_path), "make run")


def test_drawn_digits_are_never_published(command):
    before = (ROOT / "README.md").read_bytes()
    assert_one_clear_line(command("publish", "--data", "drawn"), "real digits")
    assert (ROOT / "README.md").read_bytes() == before


def test_commands_outside_the_project_name_the_notebook(command, tmp_path):
    shutil.copytree(ROOT / "svhn", tmp_path / "svhn")
    assert_one_clear_line(command("train", cwd=tmp_path), "Assignment3.ipynb")
