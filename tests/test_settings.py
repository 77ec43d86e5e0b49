"""What a run depends on: where each setting comes from, and what is said of a bad one."""

import os

import pytest

from svhn.errors import SVHNError
from svhn.settings import Settings, settled, variable_of


def test_the_command_line_beats_the_environment_and_that_the_parameters_cell():
    places = [
        ({"data": "line.npz", "extend": "1", "imagenet": "line.h5", "length": "2", "force": True,
          "precision": "auto", "devices": 2}, "line"),
        ({}, "variable"),
        ({}, "cell"),
        ({}, "default"),
    ]  # fmt: skip
    environment = {"SVHN_DATA": "variable.npz", "SVHN_EXTEND": "3", "SVHN_IMAGENET": "variable.h5",
                   "SVHN_LENGTH": "4.5", "SVHN_FORCE": "1", "SVHN_PRECISION": "bfloat16",
                   "SVHN_DEVICES": "3"}  # fmt: skip
    cell = {"data": "cell.npz", "extend": 5, "imagenet": "cell.h5", "length": 6, "force": False, "your_name": "Ann",
            "precision": "auto", "devices": 4}  # fmt: skip
    expected = {
        "line": Settings("line.npz", 1, "line.h5", 2.0, True, "auto", 2),
        "variable": Settings("variable.npz", 3, "variable.h5", 4.5, True, "bfloat16", 3),
        "cell": Settings("cell.npz", 5, "cell.h5", 6.0, False, "auto", 4),
        "default": Settings(),
    }
    for given, place in places:
        variables = environment if place in ("line", "variable") else {}
        parameters = {} if place == "default" else cell
        assert Settings.choose(given, environment=variables, **parameters) == expected[place]


def test_each_setting_is_chosen_on_its_own_and_what_is_none_or_empty_says_nothing():
    chosen = Settings.choose(
        {"data": None, "extend": "0", "force": None},
        environment={"SVHN_DATA": "", "SVHN_LENGTH": "2", "SVHN_EXTEND": "7"},
        data="cell.npz",
        length=9,
        imagenet=None,
    )
    assert chosen == Settings(data="cell.npz", extend=0, length=2.0)
    assert Settings.choose({"extend": None}, {"extend": "4"}, environment={}).extend == 4


def test_outside_a_test_the_environment_is_the_process_s(monkeypatch):
    monkeypatch.setenv("SVHN_EXTEND", "12")
    assert Settings.choose().extend == 12


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("extend", "many"), ("extend", "-3"), ("extend", "1.5"), ("extend", 2.5), ("extend", True), ("extend", "²"),
        ("length", "abc"), ("length", "0"), ("length", "-1"), ("length", "nan"), ("length", "inf"), ("length", [1]),
        ("force", "yes"), ("force", "2"), ("precision", "half"), ("precision", 16), ("precision", ["auto"]),
        ("devices", "0"), ("devices", "two"),
    ],
)  # fmt: skip
def test_a_bad_value_is_one_line_that_names_its_place(setting, value):
    def refused(*given, environment=(), **parameters):
        with pytest.raises(SVHNError) as caught:
            Settings.choose(*given, environment=dict(environment), **parameters)
        text = str(caught.value)
        assert "\n" not in text and repr(value) in text and "; give " in text
        return text

    assert refused({setting: value}).startswith(f"--{setting} is ")
    cell = refused(**{setting: value})
    assert cell.startswith(f"{setting} in the notebook's parameters cell is ")
    if isinstance(value, str):
        environment = {variable_of(setting): value}
        assert refused(environment=environment).startswith(f"the variable SVHN_{setting.upper()} is ")
        # What is not chosen is not judged.
        assert Settings.choose({setting: "auto" if setting == "precision" else "1"}, environment=environment)


def test_what_is_settled_is_not_chosen_anew(monkeypatch):
    monkeypatch.setenv("SVHN_EXTEND", "12")
    monkeypatch.setenv("SVHN_FORCE", "1")
    monkeypatch.setenv("SVHN_OF_ANOTHER_KIND", "kept")
    monkeypatch.delenv("SVHN_DATA", raising=False)
    with pytest.raises(RuntimeError), settled() as environment:
        assert Settings.choose(extend=5) == Settings(extend=5)
        assert environment == dict(os.environ)
        assert [name for name in environment if name.startswith("SVHN_")] == ["SVHN_OF_ANOTHER_KIND"]
        raise RuntimeError
    assert (os.environ["SVHN_EXTEND"], os.environ["SVHN_FORCE"]) == ("12", "1") and "SVHN_DATA" not in os.environ
