"""The notebook's answers: the networks of the reference table, the names, the rules, and the committed outputs."""

import ast
import subprocess
import sys
from inspect import signature
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
from conftest import require
from given import PRETRAINED

from svhn.errors import SVHNError
from svhn.learning.batches import model_input
from svhn.learning.records import MOST_BYTES, load_record
from svhn.learning.vgg16 import vgg16_base
from svhn.notebook.cells import load_definitions, read_notebook, tagged_cells, trainable_names
from svhn.rubric.questions import BY_MODEL, MODELS, QUESTIONS

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "Assignment3.ipynb"
PARAMETERS = {
    "model_1_1": (4_413_466, 4_413_466),
    "model_1_2": (2_054_170, 2_054_170),
    "model_1_3": (2_062_810, 2_058_490),
    "model_2_1": (5_496_074, 5_492_106),
    "model_2_2": (5_496_074, 5_492_106),
    "model_4_1": (14_781_642, 14_521_482),
}


@pytest.fixture(scope="module")
def notebook():
    return read_notebook(NOTEBOOK)


def parameters(model):
    return model.count_params(), sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "model_4_1"])
def test_built_networks_have_the_reference_s_parameters(definitions, name):
    assert parameters(definitions[f"build_{name}"]()) == PARAMETERS[name]


@pytest.mark.parametrize("name", MODELS)
def test_stored_networks_are_the_notebook_s(definitions, name):
    stored = keras.saving.load_model(ROOT / f"models/{name}.keras")
    assert parameters(stored) == PARAMETERS[name]
    if name != "model_4_1":  # Building it asks the network for ImageNet's weights.
        built = definitions[f"build_{name}"]()
        assert [(layer.name, layer.output.shape) for layer in stored.layers] == [
            (layer.name, layer.output.shape) for layer in built.layers
        ]


def test_simplenet_is_normalised_in_its_first_ten_blocks(definitions):
    names = [layer.name for layer in definitions["build_model_2_1"]().layers]
    assert [name for name in names if "batchnorm" in name] == [f"block{i}_batchnorm" for i in range(1, 11)]
    assert [name for name in names if "conv" in name] == [f"block{i}_conv" for i in range(1, 14)]
    assert [name for name in names if "dropout" in name] == [f"block{i}_dropout" for i in range(1, 14)]
    assert [name for name in names if "pooling" in name] == [f"block{i}_pooling" for i in (4, 7, 9, 12, 13)]
    assert names[-2:] == ["block14_flatten", "block14_fc"]


def test_vgg16_head_has_the_reference_s_names():
    names = [layer.name for layer in keras.saving.load_model(ROOT / "models/model_4_1.keras").layers]
    assert names[-5:] == ["block6_flatten", "block6_dropout1", "block6_fc1", "block6_dropout2", "block6_fc2"]
    assert "block1_conv1" in names and "block5_pool" in names


@pytest.mark.parametrize("name", MODELS)
def test_stored_models_keep_the_rules(name):
    record = load_record(ROOT / "models", name)
    assert record.bytes <= MOST_BYTES
    fewest, most = BY_MODEL[name].epochs
    assert fewest <= len(record.learning_curves["loss"]) <= most
    assert record.data.real and record.data.train_real == 5_120


def test_models_take_at_most_75_megabytes():
    assert sum(path.stat().st_size for path in (ROOT / "models").glob("model_*")) <= 75_000_000


def test_vgg16_s_frozen_blocks_are_imagenet_s():
    given = PRETRAINED / "vgg16-imagenet-notop.weights.h5"
    require(given.is_file(), f"{given} is not there; it is no part of the project")
    model, base = keras.saving.load_model(ROOT / "models/model_4_1.keras"), vgg16_base(given)
    for name in ("block1_conv1", "block1_conv2", "block2_conv1", "block2_conv2"):
        for stored, theirs in zip(model.get_layer(name).get_weights(), base.get_layer(name).get_weights(), strict=True):
            # Stored at bfloat16 precision: eight significant bits.
            np.testing.assert_allclose(stored, theirs, rtol=2**-8)


def test_the_names_of_the_course_are_there(notebook):
    defined = set()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.FunctionDef):
                    defined.add(node.name)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    defined.add(node.id)
    wanted = "X_train X_val X_test y_train y_val y_test stop_training your_name student_id".split()
    wanted += [f"build_{name}" for name in MODELS]
    wanted += [name for question in QUESTIONS for name in question.names]
    assert set(wanted) <= defined


def test_every_code_cell_has_a_place(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            places = {"parameters", "definitions", "data", "run", "answer", "concept", "performance"}
            assert places & set(cell.metadata.tags), cell.source
    comparisons = {"1.3": "comparison_1_3", "2.2": "comparison_2_2", "4.1": "comparison_4_1"}
    trained = [name for one in QUESTIONS for name in (one.model, comparisons.get(one.number)) if name]
    assert trainable_names(NOTEBOOK) == trained
    assert len(tagged_cells(notebook, "answer")) == len(QUESTIONS)


def test_the_committed_outputs_are_whole_real_and_light(notebook):
    assert NOTEBOOK.stat().st_size < 3_000_000
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.execution_count is not None, cell.source
            assert not [output for output in cell.outputs if output.output_type == "error"]
            assert not [output for output in cell.outputs if output.get("name") == "stderr"]
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "8,001 real SVHN digits" in printed and "Traceback" not in printed


def test_definitions_train_nothing_and_load_nothing(definitions):
    assert "build_model_2_1" in definitions and "split" not in definitions and "model_1_1" not in definitions


def test_loading_the_backend_says_nothing():
    program = "from svhn.notebook.cells import load_definitions; print(load_definitions()['keras'].__name__)"
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (process.stdout, process.stderr) == ("keras\n", "")


def test_parameters_can_be_set():
    loaded = load_definitions(NOTEBOOK, stop_training=False, base_dir="elsewhere")
    assert loaded["stop_training"] is False and loaded["base_dir"] == "elsewhere"


@pytest.mark.parametrize("content", [b"", b"{", b'{"cells": 3}', b"\xff\xfe"])
def test_an_unreadable_notebook_is_named(tmp_path, content):
    (tmp_path / "a.ipynb").write_bytes(content)
    with pytest.raises(SVHNError, match=r"a\.ipynb"):
        read_notebook(tmp_path / "a.ipynb")
    with pytest.raises(SVHNError, match="is missing"):
        read_notebook(tmp_path / "b.ipynb")


def test_a_cell_s_source_is_what_runs(tmp_path):
    cells = [
        nbformat.v4.new_code_cell(f"x = {i}", metadata={"tags": [tag]}) for i, tag in enumerate(["run", "parameters"])
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    assert load_definitions(tmp_path / "n.ipynb")["x"] == 1
    assert load_definitions(tmp_path / "n.ipynb", x=5)["x"] == 5


def test_grey_raises_contrast_and_keeps_a_blank_image_calm(definitions, drawn):
    grey = definitions["contrast_grey"](drawn.images)
    assert grey.dtype == np.uint8 and grey.shape == (len(drawn), 32, 32, 1)
    faint = drawn.images // 8
    assert definitions["contrast_grey"](faint).std() > 3 * faint.std()
    blank = definitions["contrast_grey"](np.full((1, 32, 32, 3), 77, np.uint8))
    assert blank.min() == blank.max() == 128


def altered(definitions, drawn, **settings):
    batch = model_input(definitions["contrast_grey"](drawn.images[:200]))
    changed = definitions["augment"](batch, np.random.default_rng(0), **settings)
    assert changed.shape == batch.shape and changed.dtype == np.float32
    assert changed.min() >= 0 and changed.max() <= 1
    return batch, changed


def likeness(batch, changed):
    return np.array([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(batch, changed, strict=True)])


NOTHING = {"rotation": 0, "shift": 0, "shear": 0, "contrast": 0, "inversion": 0, "mirroring": 0}


def test_augmentation_moves_a_little_and_inverts_a_quarter(definitions, drawn):
    alike = likeness(*altered(definitions, drawn))
    assert 0.15 < np.mean(alike < 0) < 0.35 and np.mean(np.abs(alike)) > 0.5


def test_each_alteration_can_be_left_out(definitions, drawn):
    batch, unaltered = altered(definitions, drawn, **NOTHING)
    np.testing.assert_allclose(unaltered, batch, atol=1e-5)
    for name in ("rotation", "shift", "shear", "contrast"):
        default = signature(definitions["augment"]).parameters[name].default
        assert not np.allclose(altered(definitions, drawn, **NOTHING | {name: default})[1], batch, atol=0.01), name
    _, inverted = altered(definitions, drawn, **NOTHING | {"inversion": 1})
    np.testing.assert_allclose(inverted, 1 - batch, atol=1e-5)
    _, mirrored = altered(definitions, drawn, **NOTHING | {"mirroring": 1})
    np.testing.assert_allclose(mirrored, batch[:, :, ::-1], atol=1e-4)


def test_vgg16_s_augmentation_inverts_nothing(definitions, drawn):
    seen = definitions["vgg16_input"](drawn.images[:100])
    changed = definitions["augment_vgg"](seen, np.random.default_rng(0))
    assert changed.shape == seen.shape and changed.dtype == np.float32
    assert np.mean(likeness(seen, changed) > 0) > 0.95


def test_embeddings_are_found_again_where_only_a_temporary_folder_can_be_written_to(definitions, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    one, other = (definitions["embedding_folder"](tmp_path / "file" / "embeddings") for _ in range(2))
    assert one == other and one.is_dir()


def test_neighbours_vote_as_the_pipeline_of_scikit_learn_does(definitions):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 300)
    train = (rng.normal(0, 1, (300, 16)) + 2 * np.eye(16)[labels]).astype(np.float32)
    validation, wanted = train[:80] + rng.normal(0, 1, (80, 16)).astype(np.float32), labels[:80]
    table = definitions["compare_pipelines"](train, labels, validation, wanted)
    assert len(table) == len(table.drop_duplicates(["reduction", "distance", "n_neighbors", "weights"])) == 72
    for _, row in table.iloc[::7].iterrows():
        pipeline = definitions["generate_pipeline"](row.reduction, row.distance, row.n_neighbors, row.weights)
        assert pipeline.fit(train, labels).score(validation, wanted) == pytest.approx(row.validation, abs=0.0126)


def test_the_learning_rate_rises_then_falls_to_nothing(definitions):
    rate = definitions["one_cycle"](peak=1e-3, steps=100)
    values = [float(rate(step)) for step in (0, 20, 60, 100)]
    assert values[0] < values[2] < values[1] == pytest.approx(1e-3) and values[3] == pytest.approx(0, abs=1e-9)
