"""Training from the notebook: which cells run, and what a killed training of several repeats."""

import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from svhn.errors import SVHNError
from svhn.notebook.cells import chosen_settings, parameters, trainable_names
from svhn.notebook.execution import execute_notebook, write_figures, write_notebook
from svhn.settings import Settings

SCRIPT = """
import sys
from pathlib import Path
from svhn.drawn.drawing import draw
from svhn.notebook.execution import train_models
from svhn.notebook.cells import chosen_settings, trainable_names

notebook = Path("n.ipynb")
settings = chosen_settings(notebook)
train_models(trainable_names(notebook, sys.argv[2:]), draw(3, int(sys.argv[1])), settings, notebook)
"""


@pytest.fixture
def folder(tmp_path):
    """A notebook of three "models"; training one appends its name to `trained`, and the second dies if told to."""
    cells = [nbformat.v4.new_code_cell("stop_training = True", metadata={"tags": ["parameters"]})]
    for name in ("model_1", "model_2", "comparison_2"):
        source = f"""
import os, signal
from pathlib import Path
if Path("deadly").exists() and {name!r} == "model_2":
    os.kill(os.getpid(), signal.SIGKILL)
if not stop_training:
    Path("trained").open("a").write({name!r} + " ")
"""
        cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": ["run", name]}))
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    return tmp_path


def train(folder, *names, seed=1):
    """Trains in a process of its own, and gives the trained names."""
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(seed), *names],
        cwd=folder,
        env={"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": ""},
        capture_output=True,
        timeout=120,
    )
    trained = folder / "trained"
    names = trained.read_text().split() if trained.exists() else []
    trained.unlink(missing_ok=True)
    return names


def test_a_killed_training_of_all_goes_on_after_the_last_that_was_finished(folder):
    (folder / "deadly").touch()
    assert train(folder) == ["model_1"]
    (folder / "deadly").unlink()
    assert train(folder) == ["model_2", "comparison_2"]
    assert train(folder) == ["model_1", "model_2", "comparison_2"]


def test_other_digits_or_models_are_another_training(folder):
    (folder / "deadly").touch()
    train(folder)
    assert train(folder, seed=2) == ["model_1"]
    assert train(folder, "model_1") == ["model_1"]
    (folder / "deadly").unlink()
    assert train(folder) == ["model_2", "comparison_2"]  # The trainings meanwhile made it forget nothing.


def test_a_damaged_note_or_other_parameters_start_anew(folder):
    (folder / "deadly").touch()
    train(folder)
    (note,) = (folder / "models/checkpoints").glob("training-*.json")
    note.write_text("{")
    assert train(folder) == ["model_1"]
    notebook = nbformat.read(folder / "n.ipynb", 4)
    notebook.cells[0].source += "\nextend = 10"
    nbformat.write(notebook, folder / "n.ipynb")
    assert train(folder) == ["model_1"]


PARAMETERS = 'data = None\nextend = 7\nimagenet = "imagenet"\nlength = 1  # as it is\n'
PARAMETERS += 'force = False\nprecision = "float32"\ndevices = 1'
SHOW = """
import os
variables = sorted(name for name in os.environ if name.startswith("SVHN_"))
print([data, extend, imagenet, length, force, precision], variables)
"""


@pytest.fixture
def showing(tmp_path, monkeypatch):
    """A notebook that shows its parameters and the settings' variables, while some of these are set."""
    for name, value in (("SVHN_EXTEND", "3"), ("SVHN_LENGTH", "2"), ("SVHN_DATA", "elsewhere.npz")):
        monkeypatch.setenv(name, value)
    cells = [
        nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(SHOW, metadata={"tags": ["run"]}),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    return tmp_path / "n.ipynb"


def test_settings_reach_the_notebook_and_no_variable_does(showing):
    before = showing.read_bytes()
    executed = execute_notebook(showing, Settings("mine.npz", extend=7, length=2.5, force=True, precision="auto"))
    assert executed.cells[1].outputs[0].text == "['mine.npz', 7, 'imagenet', 2.5, True, 'auto'] []\n"
    assert [cell.source for cell in executed.cells] == [PARAMETERS, SHOW]
    assert not [cell for cell in executed.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    assert showing.read_bytes() == before and os.environ["SVHN_EXTEND"] == "3"


def test_only_what_differs_from_the_parameters_cell_is_injected(showing):
    notebook = nbformat.read(showing, 4)
    notebook.cells[1].source = "print(In[-2])"  # The source that ran just before this cell.
    nbformat.write(notebook, showing)

    def before_it(**settings):
        return execute_notebook(showing, Settings(**settings)).cells[1].outputs[0].text

    assert before_it(extend=5, force=True) == "extend = 5\nforce = True\n"
    assert before_it(extend=7) == PARAMETERS + "\n"  # Nothing differs; 1.0 is 1.
    assert execute_notebook(showing).cells[1].outputs[0].text == PARAMETERS + "\n"


def test_parameters_are_read_and_never_run(showing, tmp_path):
    assert parameters(showing) == {
        "data": None,
        "extend": 7,
        "imagenet": "imagenet",
        "length": 1,
        "force": False,
        "precision": "float32",
        "devices": 1,
    }
    # The command line before the variable before the cell.
    assert chosen_settings(showing, extend="4") == Settings("elsewhere.npz", 4, length=2.0)
    notebook = nbformat.read(showing, 4)
    marker = tmp_path / "ran"
    for source in (f"extend = open({str(marker)!r}, 'w')", "extend = 5 +", "a.b = 3", "extend = other"):
        notebook.cells[0].source = source
        nbformat.write(notebook, showing)
        with pytest.raises(SVHNError, match=r"n\.ipynb: the parameters cell holds more than names and plain values"):
            parameters(showing)
    assert not marker.exists()


def test_a_drawn_plot_is_written_as_svg_too_and_a_row_of_photos_is_not(tmp_path):
    def cell(tag, svg):
        data = {"image/png": base64.b64encode(b"png").decode(), "image/svg+xml": svg}
        output = nbformat.v4.new_output("display_data", data)
        return nbformat.v4.new_code_cell("", metadata={"tags": [tag]}, outputs=[output])

    drawn = cell("curves", "<svg><dc:date>now</dc:date><path/></svg>")
    notebook = nbformat.v4.new_notebook(cells=[drawn, cell("photos", "<svg><image/><image/></svg>")])
    names = [path.name for path in write_figures(notebook, tmp_path)]
    assert names == ["curves.png", "curves.svg", "photos.png"]
    assert (tmp_path / "curves.svg").read_text() == "<svg><path/></svg>"
    write_notebook(notebook, tmp_path / "executed.ipynb")
    assert "svg" not in (tmp_path / "executed.ipynb").read_text() and "image/svg+xml" in drawn.outputs[0].data


def test_figures_of_others_are_left_alone(tmp_path):
    png = base64.b64encode(b"pixels").decode()
    plot = nbformat.v4.new_output("display_data", {"image/png": png})
    cell = nbformat.v4.new_code_cell("", metadata={"tags": ["run", "curves"]}, outputs=[plot])
    for name in ("curves-2.png", "curves-and-more.png", "holiday.png"):
        (tmp_path / name).write_bytes(b"earlier")
    assert write_figures(nbformat.v4.new_notebook(cells=[cell]), tmp_path) == [tmp_path / "curves.png"]
    assert {path.name for path in tmp_path.iterdir()} == {"curves.png", "curves-and-more.png", "holiday.png"}


def test_plots_of_cells_with_one_tag_or_none_are_all_kept(tmp_path):
    def cell(tags, *plots):
        outputs = [
            nbformat.v4.new_output("display_data", {"image/png": base64.b64encode(plot).decode()}) for plot in plots
        ]
        return nbformat.v4.new_code_cell("", metadata=tags, outputs=outputs)

    cells = [cell({"tags": []}, b"1"), cell({}, b"2"), cell({"tags": ["a"]}, b"3", b"4"), cell({"tags": ["a"]}, b"5")]
    written = write_figures(nbformat.v4.new_notebook(cells=cells), tmp_path)
    assert [path.name for path in written] == ["figure-1.png", "figure-2.png", "a-1.png", "a-2.png", "a-3.png"]
    assert [path.read_bytes() for path in written] == [b"1", b"2", b"3", b"4", b"5"]


def test_a_failing_cell_is_named_and_a_remedy_is_never_cut_off(tmp_path):
    source = f"class SVHNError(Exception): pass\nraise SVHNError({'x' * 300!r} + '; mend it')"
    cells = [nbformat.v4.new_code_cell("1"), nbformat.v4.new_code_cell(source, metadata={"tags": []})]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    with pytest.raises(SVHNError, match=r"section 'the top', cell '\?': SVHNError: x+; mend it$"):
        execute_notebook(tmp_path / "n.ipynb")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_an_execution_in_one_line_and_leaves_no_kernel_behind(tmp_path, sent):
    source = "import os, time\nprint(os.getpid(), file=open('started', 'w'), flush=True)\ntime.sleep(600)"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), tmp_path / "n.ipynb")
    program = """
import signal, sys
from pathlib import Path
from svhn.notebook.execution import execute_notebook
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    execute_notebook(Path("n.ipynb"))
except KeyboardInterrupt:
    print("stopped")
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        wait_for(lambda: (tmp_path / "started").exists() and (tmp_path / "started").read_text().strip())
        os.kill(process.pid, sent)
        printed, said = process.communicate(timeout=60)
    assert printed == "stopped\n" and "Traceback" not in said
    kernel = int((tmp_path / "started").read_text())
    wait_for(lambda: not Path(f"/proc/{kernel}").exists())


def wait_for(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("nothing came of it in a minute")


def test_models_are_trained_in_the_notebook_s_order(folder):
    assert trainable_names(folder / "n.ipynb", ["comparison_2", "model_1"]) == ["model_1", "comparison_2"]
    with pytest.raises(SVHNError, match="no model model_3"):
        trainable_names(folder / "n.ipynb", ["model_3"])
