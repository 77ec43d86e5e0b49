"""Whatever a person's machine is set to: figures stay the same, or one line says what to mend."""

import ast
import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT, assert_one_clear_line
from PIL import Image

EXECUTE = """
from pathlib import Path
from svhn.errors import SVHNError
from svhn.notebook.execution import execute_notebook, write_figures, write_notebook
try:
    notebook = execute_notebook(Path("n.ipynb"))
    write_notebook(notebook, Path("executed.ipynb"))
    write_figures(notebook, Path("figures"))
except SVHNError as error:
    print(f"svhn: {error}")
"""
READ = """
import answers
print(answers.said)
"""
PLOT = """
import matplotlib.pyplot as plt
from svhn.learning.figures import use_style
use_style()
plt.plot([1, 2])
"""


@pytest.fixture
def folder(tmp_path):
    """An empty home, and beside it a notebook that imports what lies next to it and draws a plot."""
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": ["curves"]}) for source in (READ, PLOT)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    (tmp_path / "answers.py").write_text("said = 'forty-one'\n")
    (tmp_path / "home").mkdir()
    return tmp_path


def python(folder, program, **environment):
    """Runs a program in the folder with its home, as a person with these settings would."""
    process = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(folder / "home")} | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "Traceback" not in process.stderr, process.stderr
    return process.stdout


def assert_executed_as_ever(folder):
    executed = nbformat.read(folder / "executed.ipynb", as_version=4)
    printed, drawn = (cell.outputs for cell in executed.cells)
    assert [output.text for output in printed] == ["forty-one\n"]
    plots = [output.data["image/png"] for output in drawn if "image/png" in output.get("data", {})]
    assert len(plots) == 1 and base64.b64decode(plots[0]) == (folder / "figures/curves.png").read_bytes()
    return (folder / "figures/curves.png").read_bytes()


def test_a_person_s_ipython_python_and_matplotlib_change_no_plot(folder):
    assert python(folder, EXECUTE) == ""
    plot = assert_executed_as_ever(folder)
    profile = folder / "home/.ipython/profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup/mine.py").write_text("print('hello')\n")
    (profile / "ipython_config.py").write_text("c.InlineBackend.figure_formats = {'svg'}\n")
    (profile / "ipython_kernel_config.py").write_text("c.InlineBackend.figure_formats = {'svg'}\n")
    (folder / "home/.config/matplotlib").mkdir(parents=True, exist_ok=True)
    (folder / "home/.config/matplotlib/matplotlibrc").write_text("figure.dpi: 20\nlines.linewidth: 9\n")
    (folder / "matplotlibrc").write_text("text.usetex: True\nfont.size: 30\n")
    (folder / "mine.py").write_text("print('hello')\n")
    (folder / "site").mkdir()
    (folder / "site/sitecustomize.py").write_text("import matplotlib\nmatplotlib.use('svg')\n")
    settings = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder / "site")]),
        "PYTHONSAFEPATH": "1",
        "PYTHONSTARTUP": str(folder / "mine.py"),
        "PYTHONWARNINGS": "error",
        "PYTHONPROFILEIMPORTTIME": "1",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "COLUMNS": "20",
    }
    assert python(folder, EXECUTE, **settings) == ""
    assert assert_executed_as_ever(folder) == plot


def test_the_kernel_is_this_python_whatever_jupyter_calls_python3(folder):
    foreign = folder / "jupyter/kernels/python3"
    foreign.mkdir(parents=True)
    content = {"argv": ["/bin/false", "{connection_file}"], "display_name": "mine", "language": "R"}
    (foreign / "kernel.json").write_text(json.dumps(content))
    assert python(folder, EXECUTE, JUPYTER_PATH=str(folder / "jupyter")) == ""
    assert_executed_as_ever(folder)


def test_a_kernel_that_does_not_start_is_one_line_with_its_reason(folder):
    (folder / "ipykernel_launcher.py").write_text("raise ImportError('no such library')\n")
    said = python(folder, EXECUTE)
    assert said.startswith("svhn: n.ipynb: its kernel does not start (ImportError: no such library); ")
    assert said.count("\n") == 1 and not (folder / "executed.ipynb").exists()


def test_a_notebook_without_a_plot_replaces_no_figures(folder):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]), folder / "n.ipynb")
    (folder / "figures").mkdir()
    (folder / "figures/figure.png").write_bytes(b"earlier")
    assert "no plots" in python(folder, EXECUTE)
    assert (folder / "figures/figure.png").read_bytes() == b"earlier"


KERAS = """
from svhn.learning.stored import keras
from keras import layers
print(keras.config.image_data_format(), keras.config.floatx(), keras.config.epsilon())
network = keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(5, 3)])
print(network.output_shape, network.weights[0].dtype, keras.config.max_steps_per_epoch())
"""


def test_keras_json_reaches_no_network(folder):
    (folder / "home/.keras").mkdir()
    settings = {"image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.1, "backend": "jax"}
    (folder / "home/.keras/keras.json").write_text(json.dumps(settings))
    printed = python(folder, KERAS, KERAS_MAX_STEPS_PER_EPOCH="1", TF_XLA_FLAGS="--no_such_flag").splitlines()
    assert printed == ["channels_last float32 1e-07", "(None, 30, 30, 5) float32 None"]


@pytest.mark.parametrize("content", ['{"floatx": "float8"}', "[]", '{"backend": "abacus"}'])
def test_a_keras_json_that_keras_cannot_take_is_one_line(folder, content):
    (folder / "home/.keras").mkdir()
    (folder / "home/.keras/keras.json").write_text(content)
    program = "from svhn.backend import load_keras\nfrom svhn.errors import SVHNError\n"
    program += "try: load_keras()\nexcept SVHNError as error: print(error)"
    said = python(folder, program, KERAS_BACKEND="")
    assert "keras.json" in said and said.count("\n") == 1


def test_every_module_gets_keras_from_the_one_place_that_settles_it():
    for path in (ROOT / "svhn").rglob("*.py"):
        # The third is a process's that forks and computes nothing: each fork settles it.
        if path.name not in ("backend.py", "stubs.py", "preloaded.py"):
            nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
            names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
            names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
            assert not [name for name in names if name.split(".")[0] == "keras"], path


def test_definitions_find_what_lies_beside_the_notebook_in_safe_path_mode(folder):
    cell = nbformat.v4.new_code_cell("import answers", metadata={"tags": ["definitions"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "n.ipynb")
    program = "from pathlib import Path\nfrom svhn.notebook.cells import load_definitions\n"
    program += "print(load_definitions(Path('n.ipynb'))['answers'].said)"
    assert python(folder, program, PYTHONSAFEPATH="1") == "forty-one\n"


CACHE = """
from pathlib import Path
from svhn.data import sources
from svhn.files import cache_folder, write_text
sources.DRAWN_DIGITS = 4
kept = cache_folder(Path("data/embeddings"))
write_text(kept / "probe", "kept")
print(kept)
print(len(sources.load_digits("drawn")))
"""


def test_caches_go_to_the_person_s_own_where_the_project_cannot_be_written_to(folder):
    if not Path("/proc/self").exists():
        pytest.skip("there is no /proc to stand for a folder that nobody can write to")
    (folder / "data").symlink_to("/proc/self")
    kept, count = python(folder, CACHE, XDG_CACHE_HOME="").splitlines()
    assert kept.startswith(str(folder / "home/.cache/svhn/embeddings-")) and count == "4"
    assert len(list((folder / "home/.cache/svhn").glob("*/drawn-4-*.npz"))) == 1
    kept, count = python(folder, CACHE, HOME="/proc/self").splitlines()
    assert Path(kept).is_dir() and count == "4"


def test_tensorflow_loads_without_jax_which_is_there_all_the_same(folder):
    program = "import sys\nfrom svhn.backend import load_keras\nload_keras()\nprint('jax' in sys.modules)\nimport jax"
    assert python(folder, program, KERAS_BACKEND="tensorflow") == "False\n"


def test_what_can_be_written_to_is_used_itself(folder):
    assert python(folder, CACHE).splitlines() == ["data/embeddings", "4"]
    assert (folder / "data/embeddings/probe").exists() and not (folder / "home/.cache/svhn").exists()


@pytest.mark.parametrize("limit", [1_500_000_000, 3_000_000_000])
def test_too_little_memory_is_one_line(folder, limit):
    resource = pytest.importorskip("resource")
    Image.new("RGB", (32, 32)).save(folder / "photo.png")
    process = subprocess.run(
        [sys.executable, "-m", "svhn", "predict", "--model", "model_4_1", folder / "photo.png"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        timeout=600,
    )
    assert_one_clear_line(process, "memory", "ulimit -v unlimited")


def test_a_terminal_that_knows_few_characters_gets_a_mark_for_the_others(folder, command):
    process = command("predict", "--model", "model_1_2", folder / "für.png", PYTHONIOENCODING="ascii")
    assert_one_clear_line(process, "f?r.png", "no such file")


def test_no_command_draws_with_what_a_person_draws_with(folder, command):
    process = command("report", "--out", folder, MPLBACKEND="no such backend")
    assert_one_clear_line(process, "Assignment3.ipynb is missing", "make run")


NO_TEMPORARY = """
import tempfile
def fail(*arguments, **settings):
    raise FileNotFoundError("No usable temporary directory")
tempfile.TemporaryDirectory = fail
"""


def test_without_a_folder_for_temporary_files_a_notebook_is_one_line(folder):
    assert "set TMPDIR" in python(folder, NO_TEMPORARY + EXECUTE)
