"""The publication of an executed notebook."""

import json

import nbformat
import pytest
from conftest import ROOT
from made_records import provenance

from svhn.digits import Digits
from svhn.errors import SVHNError
from svhn.notebook.results import FIGURES_MIME, read_figures, show_figures, write_results
from svhn.typed import to_json


def executed(real=True, share=0.9251, of=1601, **more):
    content = {
        "question": "3.1",
        "data": to_json(provenance(real=real, test=of, fingerprint="f")),
        "figures": {"test_accuracy": share, **more},
    }
    output = nbformat.v4.new_output("display_data", {FIGURES_MIME: content, "text/plain": "shown"})
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])


@pytest.fixture
def project(tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    for name in ("model_1_1", "model_2_2"):
        (models / f"{name}.json").write_bytes((ROOT / f"models/{name}.json").read_bytes())
    (tmp_path / "README.md").write_text("before\n<!-- results -->\nold\n<!-- /results -->\nafter\n", encoding="utf-8")
    return tmp_path


def test_the_table_shows_records_and_figures(project):
    write_results(executed(), project / "models", project / "README.md")
    text = (project / "README.md").read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    record = json.loads((project / "models/model_1_1.json").read_text())
    (line,) = [line for line in text.splitlines() if "model_1_1" in line]
    assert f"| {record['accuracy']['validation']:.1%} | {record['accuracy']['test']:.1%} (" in line
    assert "4,413,466" in line and "84.5 %" in line
    assert "| 3.1 |  |  | 92.5% (91.1 to 93.7) | 96.4 %, test |" in text
    assert json.loads((project / "models/results.json").read_text())["3.1"]["figures"]["test_accuracy"] == 0.9251


def test_only_models_of_the_reference_and_test_figures_make_lines(project):
    (project / "models/model_of_mine.json").write_bytes((project / "models/model_2_2.json").read_bytes())
    notebook = executed(share=0.9251, test_accuracy_averaged_over_copies=0.9313, validation_accuracy=0.9)
    write_results(notebook, project / "models", project / "README.md")
    lines = (project / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line.split(" | ")[0] for line in lines if line.startswith("| ")] == [
        "| model",
        "| model_1_1",
        "| model_2_2",
        "| 3.1",
        "| 3.1 averaged over copies",
    ]
    assert "| 3.1 averaged over copies |  | 90.0% | 93.1% (91.8 to 94.3) | 96.6 %, test |" in lines


def test_an_interval_is_wilson_s(project):
    # The score interval of 50 out of 100, by the formula: (p + z2/2n -+ z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n).
    notebook = executed(share=0.5, of=100)
    write_results(notebook, project / "models", project / "README.md")
    assert "50.0% (40.4 to 59.6)" in (project / "README.md").read_text(encoding="utf-8")


def test_drawn_digits_are_refused(project):
    with pytest.raises(SVHNError, match="real digits"):
        write_results(executed(real=False), project / "models", project / "README.md")
    assert not (project / "models/results.json").exists()


def test_a_readme_without_a_place_is_named(project):
    (project / "README.md").write_text("nothing here")
    with pytest.raises(SVHNError, match=r"README\.md"):
        write_results(executed(), project / "models", project / "README.md")


def test_figures_travel_with_the_outputs(drawn, monkeypatch):
    from svhn.data.protocol import split_digits
    from svhn.notebook import results

    shown = []
    monkeypatch.setattr(results, "display", lambda content, raw: shown.append(content))
    small = Digits(drawn.images, drawn.labels, "drawn, seed 7", real=False)
    show_figures("4.2", split_digits(small), test_accuracy=0.5)
    assert "Test accuracy: 50.00%" in shown[0]["text/plain"] and "not SVHN" in shown[0]["text/plain"]
    output = nbformat.v4.new_output("display_data", shown[0])
    cell = nbformat.v4.new_code_cell("", outputs=[output])
    assert read_figures(nbformat.v4.new_notebook(cells=[cell]))["4.2"].data.real is False
