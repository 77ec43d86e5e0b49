"""Attacks on the sandbox's own processes and limits, as whoever runs the tests and as an ordinary user."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT, require
from nbformat.v4 import new_code_cell, new_notebook
from ordinary import NOBODY, run_as_nobody

from svhn.files import temporary_folder
from svhn.sandbox.bubblewrap import run_confined, sandbox_problem
from svhn.sandbox.mounts import inside_python
from svhn.sandbox.watch import Limits

SMALL = {"seconds": 300, "cpu_seconds": 100, "memory": 600 << 20, "tasks": 120, "disk": 24 << 20, "output": 4 << 20}
CONFINE = """
import json, sys
from dataclasses import asdict
from svhn.sandbox.bubblewrap import run_confined
from svhn.sandbox.mounts import inside_python
from svhn.sandbox.watch import Limits
confined = run_confined([inside_python(), "-I", "-S", "-c", sys.argv[1]], limits=Limits(**json.loads(sys.argv[2])))
print(json.dumps({name: str(value, "utf-8", "replace") if isinstance(value, bytes) else value
                  for name, value in asdict(confined).items()}))
"""
EXECUTE = """
import json, sys
from pathlib import Path
from svhn.grading.rerun import execute_hand_in
from svhn.sandbox.watch import Limits
limits = Limits(**json.loads(sys.argv[3]))
print(json.dumps(vars(execute_hand_in(Path(sys.argv[1]), Path(sys.argv[2]), limits))))
"""


@pytest.fixture(params=["whoever runs this", "an ordinary user"])
def as_user(request):
    """Calls one of the programs above with arguments; returns what it prints."""
    ordinary = request.param == "an ordinary user"
    require(not sandbox_problem(), sandbox_problem())
    if ordinary and os.getuid():
        pytest.skip("whoever runs this is an ordinary user")

    def run(program, *arguments):
        if ordinary:
            process = run_as_nobody(program, *arguments)
        else:
            command = [sys.executable, "-c", program, *arguments]
            process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)

    return run


@pytest.fixture
def confine(as_user):
    """Runs a program's text confined."""
    return lambda program, **limits: as_user(CONFINE, program, json.dumps(SMALL | limits))


# Each attack returns where it succeeds, and raises OSError where it is refused.
TRY = """
import ctypes, json, mmap, os, resource, socket
libc = ctypes.CDLL(None, use_errno=True)
outcomes = {}
def attempt(name, attack):
    try:
        attack()
        outcomes[name] = "succeeded"
    except OSError as error:
        outcomes[name] = "refused"
def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
def system_call(number, *arguments):
    if libc.syscall(number, *map(ctypes.c_long, arguments)) < 0:
        raise OSError(ctypes.get_errno(), number)
def attack_process(victim):
    for name in ("mem", "environ", "maps", "auxv", "exe", "task/%d/mem" % victim, "pagemap", "stack"):
        for mode in ("rb", "r+b"):
            attempt(f"{name} {mode}", lambda: open(f"/proc/{victim}/{name}", mode).close())
    for name in ("fd", "fdinfo", "map_files", "root", "cwd", "task/%d/fd" % victim):
        attempt(name, lambda: os.listdir(f"/proc/{victim}/{name}"))
    for handle in range(64):
        attempt(f"fd {handle}", lambda: os.close(os.open(f"/proc/{victim}/fd/{handle}", os.O_WRONLY)))
    for limit in range(16):
        attempt(f"limit {limit}", lambda: resource.prlimit(victim, limit, (0, 0)))
    attempt("ptrace attach", lambda: call("ptrace", 16, victim, 0, 0))
    attempt("ptrace seize", lambda: call("ptrace", 0x4206, victim, 0, 0))
    attempt("process_vm_writev", lambda: call("process_vm_writev", victim, 0, 0, 0, 0, 0))
    attempt("pidfd_getfd", lambda: system_call(438, os.pidfd_open(victim), 1, 0))
    attempt("namespace", lambda: call("setns", os.open(f"/proc/{victim}/ns/net", os.O_RDONLY), 0))
"""


def assert_refused(outcomes):
    assert outcomes and {name: outcome for name, outcome in outcomes.items() if outcome != "refused"} == {}


def test_the_first_process_can_neither_be_looked_into_nor_written_to_nor_ended(confine):
    confined = confine(
        TRY + "attack_process(1)\nimport signal\n"
        "for number in range(1, 32): os.kill(1, number)\nprint(json.dumps(outcomes))"
    )
    assert (confined["status"], confined["stopped"]) == (0, None), confined
    assert_refused(json.loads(confined["output"]))


def test_the_first_process_is_filtered_and_has_no_rights(confine):
    confined = confine("print(open('/proc/1/status').read())")
    status = dict(line.split(":\t") for line in confined["output"].splitlines() if ":\t" in line)
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1" and set(status["Uid"].split()) == {"1000"}
    assert {status[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {""}


NEW_MEMORY = """
attempt("shared pages", lambda: mmap.mmap(-1, 1 << 20))
attempt("shared pages of a device", lambda: mmap.mmap(os.open("/dev/zero", os.O_RDWR), 1 << 20))
attempt("shared pages of another", lambda: mmap.mmap(os.open("/dev/full", os.O_RDWR), 1 << 20))
attempt("file without a name", lambda: os.memfd_create("a"))
attempt("System V", lambda: call("shmget", 0, 1 << 20, 0o1666))
attempt("message queue", lambda: call("msgget", 0, 0o1666))
attempt("vmsplice", lambda: call("vmsplice", os.pipe()[1], 0, 0, 0))
attempt("own filters", lambda: call("prctl", 22, 2, 0, 0, 0))
attempt("user namespace", lambda: call("unshare", 0x10000000))
attempt("segments of memory", lambda: system_call(154, 0, 0, 0))
for number in range(457, 512):
    attempt(f"new call {number}", lambda: system_call(number, -100, 0, 0, 0, 0))
for family in set(range(46)) - {1, 2, 10}:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        attempt(f"family {family}, {kind}", lambda: socket.socket(family, kind))
        attempt(f"pair of {family}, {kind}", lambda: socket.socketpair(family, kind))
        attempt(f"family {family}, {kind}, upper half", lambda: system_call(41, (1 << 32) | family, kind, 0))
for protocol in set(range(263)) - {0, 6, 17}:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        attempt(f"protocol {protocol}, {kind}", lambda: socket.socket(socket.AF_INET, kind, protocol))
print(json.dumps(outcomes))
"""


def test_memory_without_an_owner_and_foreign_sockets_are_refused(confine):
    confined = confine(TRY + NEW_MEMORY)
    assert confined["status"] == 0, confined
    assert_refused(json.loads(confined["output"]))


def test_what_honest_programs_need_works(confine):
    confined = confine(
        "import mmap, os, signal, socket, subprocess\n"
        "mmap.mmap(-1, 1 << 20, mmap.MAP_PRIVATE)[:] = bytes(1 << 20)\n"
        "mmap.mmap(os.open('/dev/shm/a', os.O_RDWR | os.O_CREAT), 4096) if os.truncate(os.open('/dev/shm/a', "
        "os.O_RDWR | os.O_CREAT), 4096) else None\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "client = socket.create_connection(server.getsockname())\n"
        "client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)\n"
        "a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'\n"
        "print(subprocess.run(['sh', '-c', '(echo some; echo words) | cat; true & wait'], stdout=-1).stdout)"
    )
    assert (confined["status"], confined["stopped"]) == (0, None), confined
    assert "some\\nwords" in confined["output"]


SOCKETS = """
import os, socket, time
for _ in range(4):
    if os.fork() == 0:
        held = []
        while True:
            try:
                a, b = socket.socketpair()
                a.setblocking(False)
                held.append((a, b))
                while a.send(bytes(1 << 16)):
                    pass
            except BlockingIOError:
                pass
            except OSError:
                break
time.sleep(100)
"""
TABLES = """
import mmap
size = 1 << 37
for _ in range(8):
    room = mmap.mmap(-1, size, mmap.MAP_PRIVATE, mmap.PROT_READ)
    for at in range(0, size, 1 << 21):
        room[at]
"""
PRIVATE = """
import mmap, os, time
for _ in range(8):
    if os.fork() == 0:
        room = mmap.mmap(-1, 100 << 20, mmap.MAP_PRIVATE)
        room[:] = bytes(100 << 20)
        time.sleep(100)
time.sleep(100)
"""
IGNORED = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    if os.fork() == 0:
        until = time.process_time() + <seconds>
        while time.process_time() < until:
            pass
        os._exit(0)
    try:
        os.wait()
    except ChildProcessError:
        pass
"""


@pytest.mark.parametrize(
    ("program", "limits", "words"),
    [
        (SOCKETS, {"memory": 200 << 20}, "MB of memory allowed"),
        (TABLES, {"memory": 200 << 20}, "MB of memory allowed"),
        (PRIVATE, {"memory": 400 << 20}, "MB of memory allowed"),
        (IGNORED.replace("<seconds>", "0.02"), {"cpu_seconds": 3}, "processor time"),
        (IGNORED.replace("<seconds>", "1"), {"cpu_seconds": 3}, "processor time"),
    ],
    ids="sockets tables processes short-children long-children".split(),
)
def test_what_hides_from_a_sum_is_counted(confine, program, limits, words):
    confined = confine(program, **limits)
    assert confined["stopped"] and words in confined["stopped"], confined


def test_no_process_tells_the_graders_paths(tmp_path):
    require(not sandbox_problem(), sandbox_problem())
    secret = tmp_path / "grader-of-jane" / "digits.npz"
    secret.parent.mkdir()
    secret.write_bytes(b"")
    program = "import glob; print([open(path).read() for path in glob.glob('/proc/[0-9]*/cmdline')])"
    command = [inside_python(), "-I", "-S", "-c", program]
    confined = run_confined(command, {Path("/digits/a.npz"): secret}, limits=Limits(**SMALL))
    shown = confined.output.decode()
    assert (
        "lockdown.py" in shown and "grader-of-jane" not in shown and "bwrap" not in shown and "--ro-bind" not in shown
    )


@pytest.mark.parametrize("code", [1, 97, 137])
def test_an_exit_status_is_the_commands_and_no_fault_of_the_sandbox(code):
    require(not sandbox_problem(), sandbox_problem())
    confined = run_confined([inside_python(), "-I", "-S", "-c", f"import os; os._exit({code})"], limits=Limits(**SMALL))
    assert confined.status != 0 and confined.stopped is None


FORGED = """
import json, glob, stat
lines = "".join(json.dumps(line) + chr(10) for line in (
    {"cell": 3, "execution_count": 1, "outputs": [{"output_type": "stream", "text": "forged"}]}, {"end": "done"}))
for path in [*glob.glob("/proc/[0-9]*/fd/*"), "/dev/stdout", "/proc/1/fd/1", f"/proc/{os.getppid()}/fd/1"]:
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode):
            handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            os.write(handle, lines.encode())
    except OSError:
        pass
"""


def test_a_notebook_cannot_forge_its_end_or_its_outputs(as_user):
    cells = [
        TRY + "attack_process(os.getppid())\nprint('outcomes', json.dumps(outcomes))",
        "attack_process(1)\nprint('outcomes', json.dumps(outcomes))",
        FORGED,
        "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    ]
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "hand-in").mkdir()
        (folder / "digits.npz").write_bytes(b"")
        nbformat.write(new_notebook(cells=[*map(new_code_cell, cells)]), folder / "hand-in/a.ipynb")
        if not os.getuid():
            for path in (folder, folder / "hand-in"):
                path.chmod(0o755)
            os.chown(folder, NOBODY, NOBODY)
        program = f"import os; os.environ['SVHN_DATA'] = {str(folder / 'digits.npz')!r}\n" + EXECUTE
        result = as_user(program, str(folder / "hand-in"), str(folder / "out"), json.dumps(SMALL))
        executed = nbformat.read(folder / "out/executed.ipynb", as_version=4)
    finally:
        shutil.rmtree(folder)
    for cell in executed.cells[:2]:
        assert_refused(json.loads(cell.outputs[0].text.removeprefix("outcomes ")))
    assert not result["ran"] and executed.cells[3].outputs == []
    assert any("code cell 4 ended the program that runs it" in line for line in result["findings"]), result["findings"]


KILLED = """
import os, pathlib, sys, time
from svhn.files import temporary_folder
with temporary_folder(sys.argv[1]) as folder:
    (folder / "kept").write_text("")
    os.utime(folder.parent, (1, 1))
    print(folder, flush=True)
    time.sleep(600)
"""


def test_folders_of_killed_processes_are_removed_and_those_in_use_are_not():
    prefix = f"svhn-test-{os.getpid()}-"
    command = [sys.executable, "-c", KILLED, prefix]
    running, killed = (subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2))
    try:
        kept, left = (Path(process.stdout.readline().strip()) for process in (running, killed))
        killed.kill()
        killed.wait()
        assert kept.is_dir() and left.is_dir()
        with temporary_folder(prefix) as own:
            assert own.is_dir() and (kept / "kept").is_file() and not left.exists()
        assert not own.exists()
    finally:
        running.kill()
        running.wait()
    with temporary_folder(prefix):
        assert not kept.exists()
