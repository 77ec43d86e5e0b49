"""Hostile hand-ins, thrown at the sandbox: each is contained, each is reported, and the next one notices nothing."""

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil
import pytest
from conftest import ROOT, require
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from svhn.errors import SVHNError
from svhn.grading.rerun import execute_hand_in
from svhn.sandbox.bubblewrap import run_confined, sandbox_problem
from svhn.sandbox.inside.outputs import MOST_TEXT, clean_output
from svhn.sandbox.mounts import WORK, harness, inside_python
from svhn.sandbox.watch import Limits

SMALL = {"seconds": 300, "cpu_seconds": 100, "memory": 600 << 20, "tasks": 120, "disk": 24 << 20, "output": 4 << 20}
SECRET = "the-grader's-secret-7f3a"


@pytest.fixture(scope="module")
def sandbox():
    problem = sandbox_problem()
    require(not problem, problem)


@pytest.fixture
def grader(tmp_path, monkeypatch):
    """The grader's own file, variable and digits; the digits are drawn once for all notebooks."""
    (tmp_path / "grader").mkdir()
    secret = tmp_path / "grader" / "secret.txt"
    secret.write_text(SECRET)
    monkeypatch.setenv("GRADER_SECRET", SECRET)
    digits = tmp_path / "grader" / "digits.npz"
    digits.write_bytes(b"no digits, but a file that can be read")
    monkeypatch.setenv("SVHN_DATA", str(digits))
    return secret


@pytest.fixture
def execute(sandbox, grader, tmp_path):
    """Executes a hand-in of some cells and files; returns the result, with what the executed copy shows as `shown`."""
    numbers = iter(range(100))

    def run(*cells, files=None, **limits):
        number = next(numbers)
        folder, out = tmp_path / f"hand-in-{number}", tmp_path / f"out-{number}"
        for name, content in (files or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        folder.mkdir(exist_ok=True)
        notebook = new_notebook(cells=[new_code_cell(cell.replace("<secret>", str(grader))) for cell in cells])
        nbformat.write(notebook, folder / "hand-in.ipynb")
        result = vars(execute_hand_in(folder, out, Limits(**{**SMALL, **limits})))
        executed = nbformat.read(out / result["notebook"], as_version=4)
        nbformat.validate(executed)
        outputs = [output for cell in executed.cells for output in cell.outputs]
        return {**result, "shown": str(outputs), "cells": executed.cells, "file": out / result["notebook"]}

    return run


def assert_contained(result, grader, *words):
    """A line of the findings holds the words, and the grader's own is as it was and unseen."""
    assert not result["ran"]
    assert any(all(word in line for word in words) for line in result["findings"]), result["findings"]
    assert all("\n" not in line and len(line) < 500 for line in result["findings"])
    assert grader.read_text() == SECRET and SECRET not in result["file"].read_text()
    assert sorted(path.name for path in grader.parent.iterdir()) == ["digits.npz", "secret.txt"]
    assert result["file"].stat().st_size < 4 << 20


def test_a_benign_notebook_runs_and_its_copy_has_its_outputs(execute, monkeypatch):
    result = execute(
        "your_name, stop_training = 'A, B', False\nimport os",
        "print(stop_training, open('words.txt').read(), open(os.environ['SVHN_DATA']).read())",
        "from IPython.display import HTML, Image, display\n"
        "display(HTML('<script>alert(1)</script>'))\n"
        "display(Image(data=b'\\x89PNG\\r\\n\\x1a\\n' + bytes(9)))\n6 * 7",
        "open('words.txt', 'w').write('mine'), open('/tmp/a', 'w').write('b'), os.makedirs('data/new')",
        files={"words.txt": b"words", "data/old.txt": b""},
    )
    assert result["findings"] == [] and result["ran"] and result["seconds"] > 0
    assert "True words no digits" in result["shown"] and "'42'" in result["shown"]
    assert "image/png" in result["shown"] and "script" not in result["shown"]
    assert (result["file"].parent / "../hand-in-0/words.txt").read_text() == "words"


FORK = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
SHARED = (
    "import mmap, os, time\nfor _ in range(8):\n    if os.fork() == 0:\n"
    "        room = mmap.mmap(-1, 100 << 20, mmap.MAP_PRIVATE)\n"
    "        while True:\n            room[:] = bytes(100 << 20)\ntime.sleep(100)"
)
STEADY = "import time\nwhile True:\n    print('x' * 100_000)\n    time.sleep(0.005)"
MANY_FILES = "for i in range(1000):\n    open(f'file{i}', 'wb').write(bytes(1 << 20))"


@pytest.mark.parametrize(
    ("cell", "limits", "words"),
    [
        ("while True: pass", {"seconds": 8}, ["was stopped", "8 seconds allowed"]),
        ("while True: pass", {"cpu_seconds": 4}, ["code cell 2 was stopped", "processor time"]),
        ("hoard = []\nwhile True: hoard.append(bytearray(10**7))", {}, ["code cell 2", "the limit on memory"]),
        (SHARED, {"memory": 400 << 20}, ["code cell 2 was stopped", "MB of memory allowed"]),
        (FORK, {}, ["code cell 2 was stopped", "120 processes and threads"]),
        ("with open('big', 'wb') as f:\n    while True: f.write(bytes(1 << 20))", {}, ["code cell 2", "disk"]),
        (MANY_FILES, {}, ["code cell 2", "disk"]),
        (STEADY, {}, ["code cell 2 was stopped", "printed far more"]),
        # Faster than anybody can listen: what ends it first depends on the machine.
        ("while True: print('x' * 100_000)", {}, ["code cell 2"]),
        ("print('x' * 40_000_000)", {}, ["code cell 2 was stopped", "printed far more"]),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", {}, ["code cell 2 killed its own kernel"]),
        ("import os, signal; os.kill(-1, signal.SIGKILL)", {}, ["code cell 2 ended the program that runs it"]),
    ],
    ids="loop cpu memory processes-memory fork disk files print fast-print huge-print kernel everything".split(),
)
def test_what_exhausts_or_kills_is_stopped_and_named(execute, grader, cell, limits, words):
    result = execute("print('before')", cell, "print('after')", **limits)
    assert_contained(result, grader, *words)
    assert "before" in result["shown"] or "seconds" in limits  # A busy machine may not come to the first cell in time.


ATTACKS = {
    "print(open('<secret>').read())": ["tried to read", "secret.txt"],
    "try: open('<secret>.quiet')\nexcept OSError: pass": ["tried to read", "secret.txt.quiet"],
    "import os; print(os.environ['GRADER_SECRET'])": ["code cell 3 failed", "GRADER_SECRET"],
    "open('/proc/1/environ').read() + open('/proc/2/environ').read(); 1 / 0": ["tried to look into", "/environ"],
    "open('<secret>', 'w').write('mine')": ["tried to change", "secret.txt"],
    "open('/usr/bin/python3', 'w')": ["tried to change", "/usr/bin/python3"],
    "open('/proc/sys/kernel/core_pattern', 'w').write('|/x')": ["tried to change", "core_pattern"],
    "import subprocess; subprocess.run(['cat', '<secret>'], check=True)": ["started another program", "cat"],
    "!cat <secret>": ["started another program", "shell"],
    "import os; os.setuid(0)": ["code cell 10 failed with OSError"],
    "import ctypes, os\nc = ctypes.CDLL(None, use_errno=True)\nif c.ptrace(16, os.getppid(), 0, 0):\n"
    "    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))": [
        "code cell 11 failed",
        "allows no such thing",
    ],
    "import os; open(f'/proc/{os.getppid()}/mem', 'r+b')": ["code cell 12 failed", "allows no such thing"],
    "import os; os.memfd_create('unseen')": ["code cell 13 failed", "allows no such thing"],
    "import os; os.kill(1, 9); os.kill(os.getpid() + 1000, 9)": ["tried to kill process 1"],
}


def test_what_reaches_out_gets_nothing_and_is_named(execute, grader):
    result = execute(*ATTACKS)
    for words in ATTACKS.values():
        assert_contained(result, grader, *words)


def test_nothing_of_the_environment_gets_in(execute, grader):
    result = execute(
        "import glob, os\nfor path in glob.glob('/proc/[0-9]*/environ'):\n    try:\n        print(open(path).read())\n"
        "    except OSError:\n        pass\nprint(dict(os.environ)); raise ValueError(os.listdir('/'))"
    )
    assert_contained(result, grader, "tried to look into another process")
    assert "SVHN_DATA" in result["shown"] and "GRADER_SECRET" not in result["shown"]


def test_the_network_is_out_of_reach(execute, grader):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        name = f"\0svhn-test-{os.getpid()}"
        abstract.bind(name)
        abstract.listen()
        port = server.getsockname()[1]
        result = execute(
            f"import socket; socket.create_connection(('127.0.0.1', {port})).send(b'x')",
            "import urllib.request; urllib.request.urlopen('http://www.openml.org', timeout=5)",
            f"s = socket.socket(socket.AF_UNIX); s.connect({name!r})",
        )
        for listening in (server, abstract):
            listening.settimeout(0.2)
            with pytest.raises(TimeoutError):
                listening.accept()
    assert_contained(result, grader, "tried to connect to 127.0.0.1", "no network")
    assert_contained(result, grader, "www.openml.org", "none")
    assert_contained(result, grader, "code cell 3 failed", "no network")


def test_a_foreign_harness_is_named_and_has_no_effect(execute, grader):
    result = execute(
        "import svhn.errors; print('faked:', hasattr(svhn.errors, 'FAKE'))",
        "open('svhn/errors.py', 'w').write('FAKE = 1')",
        "import os; os.rename('svhn', 'gone')",
        "import shutil; shutil.rmtree('svhn')",
        files={"svhn/__init__.py": b"", "svhn/errors.py": b"FAKE = 1", "svhn/extra.py": b""},
    )
    assert_contained(result, grader, "brings its own version", "svhn/errors.py", "the grader's was used")
    assert_contained(result, grader, "tried to overwrite the course's harness", "svhn/errors.py")
    assert "faked: False" in result["shown"]
    assert next(line for line in result["findings"] if "code cell" in line).startswith("code cell 2 failed")
    assert (harness()[WORK / "svhn"] / "errors.py").stat().st_size > 500


class Malicious:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_malicious_pickle_acts_in_the_sandbox_only(execute, grader, tmp_path):
    content = pickle.dumps(Malicious(f"cat {grader}; touch {tmp_path}/grader/mine /tmp/mine"))
    cell = "import pickle; pickle.load(open('model_1_1.p', 'rb')); import os; assert not os.path.exists('/tmp/mine')"
    result = execute(cell, files={"model_1_1.p": content})
    assert_contained(result, grader, "unpickled data that call", "system")
    assert_contained(result, grader, "started another program", "touch")
    assert_contained(result, grader, "code cell 1 failed with AssertionError")


def test_a_malicious_layer_acts_in_the_sandbox_only(execute, grader, tmp_path):
    import keras

    # Keras stores the code of a lambda in the file.
    layer = eval(f"lambda x: (open({str(grader)!r}, 'w').write('mine'), x)[1]")
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Lambda(layer, output_shape=(2,))(inputs))
    grader.write_text(SECRET)  # Building the model has called the layer here, once.
    model.save(tmp_path / "model.keras")
    result = execute(
        "import keras\nmodel = keras.saving.load_model('models/model_1_1.keras', safe_mode=False)",
        "model(keras.ops.zeros((1, 2)))",
        files={"models/model_1_1.keras": (tmp_path / "model.keras").read_bytes()},
        memory=4 << 30,
        tasks=500,
        seconds=300,
        cpu_seconds=300,
    )
    assert_contained(result, grader, "tried to change", "secret.txt")


def test_links_of_a_hand_in_lead_nowhere(sandbox, grader, tmp_path):
    folder = tmp_path / "hand-in"
    folder.mkdir()
    (folder / "answers.py").symlink_to(grader)
    (folder / "all").symlink_to(grader.parent)
    nbformat.write(new_notebook(cells=[new_code_cell("print(open('answers.py').read())")]), folder / "a.ipynb")
    result = vars(execute_hand_in(folder, tmp_path / "out", Limits(**SMALL)))
    assert "FileNotFoundError" in result["findings"][0]
    assert SECRET not in (tmp_path / "out/executed.ipynb").read_text()


def sleepers(name):
    """The processes, anywhere on this machine, that sleep for so many seconds."""
    return [process for process in psutil.process_iter(["cmdline"]) if name in (process.info["cmdline"] or [])]


def test_no_process_is_left(execute):
    name = str(10**9 + os.getpid())
    result = execute(f"import subprocess; subprocess.Popen(['setsid', 'sleep', '{name}'])\nprint('started')")
    assert "started" in result["shown"] and not sleepers(name)


def test_no_process_outlives_a_killed_grader(sandbox):
    name = str(2 * 10**9 + os.getpid())
    program = (
        "from svhn.sandbox.bubblewrap import run_confined; "
        f"run_confined(['/usr/bin/setsid', '-w', '/usr/bin/sleep', '{name}'])"
    )
    grader = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    # Until the sandbox stands, only bubblewrap's own command line names the program.
    wait_until(lambda: any(Path(sleeper.info["cmdline"][0]).name == "sleep" for sleeper in sleepers(name)))
    grader.kill()
    grader.wait()
    wait_until(lambda: not sleepers(name))


def wait_until(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("a minute went by in vain")


def test_a_hand_in_beside_and_after_hostile_ones_notices_nothing(execute):
    benign = ("import os\nfor _ in range(20): os.waitpid(os.fork() or os._exit(0), 0)", "print('fine')")
    with ThreadPoolExecutor() as pool:
        hostile = [pool.submit(execute, FORK), pool.submit(execute, "import os; os.kill(-1, 9)")]
        beside = execute(*benign)
        assert not any(future.result()["ran"] for future in hostile)
    for result in (beside, execute(*benign)):
        assert result["ran"] and result["findings"] == [] and "fine" in result["shown"]


def test_training_that_happens_anyway_is_named(execute):
    result = execute("stop_training = False\nprint('Epoch 1/40')")
    assert result["findings"] == ["code cell 1 trained, although training is turned off"]


@pytest.mark.parametrize(
    ("notebooks", "reason"),
    [
        ({}, "there is no notebook"),
        ({"a.ipynb": b"{}", "b.ipynb": b"{}"}, "several notebooks (a.ipynb, b.ipynb)"),
        ({"a.ipynb": b"\xff\xfe not json"}, "a.ipynb is not a readable notebook"),
        ({"a.ipynb": b"[" * 100_000}, "a.ipynb is not a readable notebook"),
        ({"a.ipynb": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"a": 1}]}'}, "not executed"),
        ({"a.ipynb": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": 3, "cells": [[]]}'}, "not executed"),
    ],
)
def test_what_cannot_be_executed_says_why(sandbox, tmp_path, notebooks, reason):
    for name, content in notebooks.items():
        (tmp_path / name).write_bytes(content)
    result = vars(execute_hand_in(tmp_path, tmp_path / "out"))
    assert not result["ran"] and result["notebook"] is None and reason in result["findings"][0]


def test_only_the_private_folder_can_be_written_to(sandbox):
    program = (
        "import os\nfor top in ('/', '/dev', '/etc', '/harness', '/sandbox', '/tmp', '/usr'):\n"
        "    for folder, folders, _ in os.walk(top):\n        folders[:] = folders if folder.count('/') < 2 else []\n"
        "        try: open(folder + '/probe', 'w'); print(folder)\n        except OSError: pass"
    )
    confined = run_confined([inside_python(), "-I", "-c", program], limits=Limits(**SMALL))
    writable = set(confined.output.decode().split())
    assert writable == {"/sandbox", "/sandbox/run", "/sandbox/home", "/sandbox/tmp", "/tmp", "/dev/shm"}


def test_output_that_floods_past_the_runner_is_cut(sandbox):
    limits = Limits(**{**SMALL, "output": 100_000})
    confined = run_confined(["/usr/bin/yes"], limits=limits)
    assert "handed out more" in confined.stopped and len(confined.output) == 100_000


def test_very_many_files_are_stopped(sandbox):
    program = "i = 0\nwhile True: open(str(i := i + 1), 'w')"
    assert "2,000 files" in run_confined([inside_python(), "-c", program], limits=Limits(**SMALL, files=2000)).stopped


def test_a_notebook_that_asks_for_gigabytes_to_be_read_is_not_read(sandbox, grader, tmp_path):
    (tmp_path / "hand-in").mkdir()
    path = tmp_path / "hand-in/a.ipynb"
    path.write_text(
        '{"cells": [], "metadata": {"x": [%s{}]}, "nbformat": 4, "nbformat_minor": 5}' % ("{}," * 9_000_000)
    )
    result = vars(execute_hand_in(tmp_path / "hand-in", tmp_path / "out", Limits(**SMALL)))
    assert not result["ran"] and result["notebook"] is None
    assert "not executed: it asked for more than 1 GB of memory" in result["findings"][0]


def test_an_interrupted_grader_accuses_nobody(sandbox, grader, tmp_path):
    """Ctrl-C at a terminal reaches every process of the foreground, and is not the hand-in's doing."""
    (tmp_path / "course/ann").mkdir(parents=True)
    cell = new_code_cell("import time\nopen('/tmp/here', 'w')\ntime.sleep(500)")
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "course/ann/a.ipynb")
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "svhn", "grade", tmp_path / "course/ann", "--execute", "--out", out, "--data", "drawn"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        # Before anything is loaded the sandbox is tried out; the folder is made when the hand-in is about to run.
        inside = []
        while not ((out / "ann").exists() and inside):
            assert process.poll() is None
            time.sleep(0.1)
            with suppress(psutil.Error):
                inside = [p for p in psutil.Process(process.pid).children(recursive=True) if p.name() == "bwrap"]
        time.sleep(2)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
    assert not (out / "ann/evidence.json").exists()
    assert not psutil.wait_procs(inside, 10)[1]


def test_without_bubblewrap_it_refuses(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox_problem.cache_clear()
    try:
        with pytest.raises(SVHNError, match="bubblewrap is not installed; install bubblewrap"):
            execute_hand_in(tmp_path, tmp_path)
    finally:
        sandbox_problem.cache_clear()


def test_a_sandbox_that_does_not_work_is_refused(monkeypatch, tmp_path):
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    sandbox_problem.cache_clear()
    try:
        with pytest.raises(SVHNError, match=r"No permissions to create new namespace.*install bubblewrap"):
            execute_hand_in(tmp_path, tmp_path)
    finally:
        sandbox_problem.cache_clear()


@pytest.mark.parametrize(
    "output",
    [
        None,
        [],
        "x",
        {},
        {"output_type": "stream", "text": 3},
        {"output_type": "error", "traceback": {"a": 1}},
        {"output_type": "display_data", "data": {"text/html": "<b>", "image/svg+xml": "<svg/>"}},
        {"output_type": "display_data", "data": {"image/png": "PHNjcmlwdD4="}},
        {"output_type": "display_data", "data": {"image/png": ["x"], "application/javascript": "alert(1)"}},
        {"output_type": "execute_result", "data": "x"},
        {"output_type": ["stream"]},
    ],
)
def test_forged_outputs_are_made_harmless(output):
    cleaned = clean_output(output)
    assert not cleaned or cleaned["output_type"] in ("stream", "error")
    notebook = new_notebook(cells=[new_code_cell(""), new_markdown_cell("")])
    notebook.cells[0].outputs = [nbformat.from_dict(cleaned)] if cleaned else []
    nbformat.validate(notebook)


def test_long_text_keeps_its_beginning_and_end():
    text = clean_output({"output_type": "stream", "text": "begin" + "x" * 10 * MOST_TEXT + "end"})["text"]
    assert text.startswith("begin") and text.endswith("end") and len(text) < MOST_TEXT + 100
    assert "characters left out" in text
