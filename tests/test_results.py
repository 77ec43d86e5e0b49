"""What publication makes of an executed notebook."""

import json

import nbformat
import pytest
from conftest import ROOT

from svhn.digits import Digits
from svhn.errors import SVHNError
from svhn.notebook.cells import FIGURES_MIME, read_figures
from svhn.notebook.results import show_figures, wilson, write_results


def executed(real=True, share=0.9251):
    content = {
        "question": "3.1",
        "data": {"real": real, "test": 1601, "fingerprint": "f"},
        "figures": {"test_accuracy": share},
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
    assert f"{record['accuracy']['test']:.2%}" in line and "4,413,466" in line and "84.5 %" in line
    assert "5,120 real" in line
    assert "| 3.1: test accuracy | | | | | 92.51% (91.1 to 93.7) | 1 | | |" in " ".join(text.split())
    assert json.loads((project / "models/results.json").read_text())["3.1"]["figures"]["test_accuracy"] == 0.9251


def test_the_table_says_what_a_model_learned_from(project):
    path = project / "models/model_1_1.json"
    record = json.loads(path.read_text())
    record["data"] |= {"train_real": 5120, "train_drawn": 58424, "teacher": {"name": "t.npz"}}
    path.write_text(json.dumps(record))
    write_results(executed(), project / "models", project / "README.md")
    assert "| 5,120 real, 58,424 drawn, teacher |" in (project / "README.md").read_text(encoding="utf-8")


def test_looks_at_test_digits_are_counted(project):
    def published(share):
        write_results(executed(share=share), project / "models", project / "README.md")
        return json.loads((project / "models/results.json").read_text())["3.1"]["test_looks"]

    assert [published(share) for share in (0.9, 0.9, 0.8)] == [1, 1, 2]  # the same figure again is no new look
    path = project / "models/results.json"
    path.write_text(path.read_text().replace('"fingerprint": "f"', '"fingerprint": "other digits"'))
    assert published(0.7) == 1


def test_a_share_s_interval():
    low, high = wilson(0.5, 100)
    assert (round(low, 4), round(high, 4)) == (0.4038, 0.5962)


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
    assert read_figures(nbformat.v4.new_notebook(cells=[cell]))["4.2"]["data"]["real"] is False
