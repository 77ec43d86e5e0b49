"""The recipes: one budget a part, and that what is stored was trained by what stands in the notebook."""

import ast
import json
from pathlib import Path

import pytest

from svhn.learning.paired import load_comparison
from svhn.learning.records import load_record
from svhn.notebook.cells import parameters, read_notebook, tagged_cells

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "Assignment3.ipynb"
STORED = ["model_1_1", "model_1_2", "model_1_3", "model_2_1", "model_2_2", "model_4_1"]
COMPARISONS = {"comparison_1_3": 5, "comparison_2_2": 8, "comparison_4_1": 4}
PARTS = [["model_1_1", "model_1_2", "model_1_3"], ["model_2_1", "model_2_2"]]


def arguments(name):
    """The plain keyword arguments of the harness's call in the cell of that name."""
    (cell,) = tagged_cells(read_notebook(NOTEBOOK), name)
    calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    (call,) = [one for one in calls if getattr(one.func, "id", "") in ("run_evaluation", "run_comparison")]
    return {one.arg: one.value.value for one in call.keywords if isinstance(one.value, ast.Constant)}


def budget(name):
    """The facts that are the same within a part: the digits, their order, the learning rate's schedule, the backend."""
    record = load_record(ROOT / "models", name)
    recipe, data = record.recipe, record.data
    digits = {key: getattr(data, key) for key in ("fingerprint", "train_real", "train_drawn")}
    shown = {key: getattr(recipe, key) for key in ("epochs", "batch_size", "steps_per_epoch", "seed", "loss")}
    optimizer = recipe.optimizer["class_name"]
    return shown | {
        "optimizer": optimizer,
        "learning rate": recipe.optimizer["config"]["learning_rate"],
        "backend": record.backend,
        "digits": digits | {"drawn": data.drawn and data.drawn.fingerprint},
    }


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part[0])
def test_a_part_has_one_budget(part):
    budgets = {name: budget(name) for name in part}
    assert all(one == budgets[part[0]] for one in budgets.values()), json.dumps(budgets, indent=1)


def test_all_answers_have_one_training_set():
    sets = {json.dumps(budget(name)["digits"], sort_keys=True) for name in STORED}
    assert len(sets) == 1, sets
    drawn = load_record(ROOT / "models", "model_1_1").data.train_drawn
    assert drawn == parameters(NOTEBOOK)["extend"]


def test_each_question_keeps_its_rule():
    recipes = {name: load_record(ROOT / "models", name) for name in STORED}
    augmented = {name: record.recipe.augmentation for name, record in recipes.items()}
    assert augmented == dict.fromkeys(STORED) | {"model_2_2": "augment", "model_4_1": "augment_vgg"}
    grey = dict.fromkeys(["model_1_2", "model_1_3", "model_2_1", "model_2_2"], "contrast_grey")
    assert {name: record.preprocessing for name, record in recipes.items()} == (
        {"model_1_1": None, "model_4_1": "vgg16_input"} | grey
    )
    decays = {name: record.recipe.optimizer["config"]["weight_decay"] for name, record in recipes.items()}
    assert not decays["model_1_1"] and not decays["model_1_2"] and decays["model_2_1"] == decays["model_2_2"]


@pytest.mark.parametrize("name", STORED)
def test_what_is_stored_was_trained_by_the_notebook_s_recipe(name):
    recipe, said = load_record(ROOT / "models", name).recipe, arguments(name)
    assert said["steps_per_epoch"] * parameters(NOTEBOOK)["length"] == recipe.steps_per_epoch
    assert (recipe.epochs, recipe.batch_size) == (said["epochs"], said["batch_size"])


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_are_the_notebook_s_over_three_seeds(name):
    stored, said = load_comparison(ROOT / f"models/{name}.json"), arguments(name)
    assert said["steps_per_epoch"] * parameters(NOTEBOOK)["length"] == stored.steps_per_epoch
    assert (stored.epochs, stored.batch_size) == (said["epochs"], said["batch_size"])
    assert len(stored.variants) == COMPARISONS[name]
    assert {tuple(runs) for runs in stored.variants.values()} == {("1", "2", "3")}
    assert stored.data.fingerprint == load_record(ROOT / "models", "model_1_1").data.fingerprint
