"""Grading on a Dask cluster: a real scheduler and two workers in processes of their own, one of which is killed."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import ROOT, assert_one_clear_line, require

from svhn.errors import SVHNError

NAMES = [f"student-{number}" for number in range(8)]


class Cluster:
    """A scheduler and its workers, each with a folder of its own for temporary files."""

    def __init__(self, folder):
        self.file, self.processes, self.folders = folder / "scheduler.json", [], []
        self.start("dask_scheduler", "--port", "0", "--no-dashboard")
        wait_for(self.file.exists)
        self.address = json.loads(self.file.read_text())["address"]

    def start(self, program, *options):
        # Short: the names of sockets in it may have a hundred characters.
        own = Path(tempfile.mkdtemp(prefix="svhn-test-"))
        self.folders.append(own)
        # Its hand-ins hold no model, and NumPy's backend is soonest there.
        environment = os.environ | {"TMPDIR": str(own), "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "numpy"}
        command = [sys.executable, "-m", f"distributed.cli.{program}", "--scheduler-file", self.file, *options]
        with (own / "log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=own, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self.processes.append(process)
        return process, own

    def worker(self, *options):
        return self.start("dask_worker", "--nthreads", "1", "--no-dashboard", *options)

    def wait_for_workers(self, count):
        from distributed import Client

        with Client(self.address, timeout=120, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=300)

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)


def wait_for(condition, seconds=300):
    for _ in range(50 * seconds):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"in vain for {seconds} seconds")


@pytest.fixture
def cluster(tmp_path):
    require(find_spec("distributed"), "distributed is not installed")
    (tmp_path / "cluster").mkdir()
    cluster = Cluster(tmp_path / "cluster")
    yield cluster
    cluster.stop()


def written(out):
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*/evidence.json")}


def test_a_worker_that_is_killed_midway_costs_no_hand_in_and_none_is_graded_twice(cluster, drawn, tmp_path):
    from svhn.grading.grade import grade

    course, out, at_the_kill = tmp_path / "course", tmp_path / "out", {}
    for name in NAMES:
        (course / name).mkdir(parents=True)
        (course / name / "answers.py").write_text(f"your_name = {name!r}\nanswer_q_1_1 = 'Yes.'\n", encoding="utf-8")
    victim, _ = cluster.worker("--no-nanny")
    _, survivor_s = cluster.worker()  # Under a nanny, as by default: such a process may start none without more ado.
    cluster.wait_for_workers(2)

    def kill():
        wait_for(lambda: written(out))
        os.killpg(victim.pid, signal.SIGKILL)
        at_the_kill.update(written(out))

    killer = threading.Thread(target=kill)
    killer.start()
    graded = grade([course], drawn, out, limit=10, scheduler=cluster.address)
    killer.join()
    assert victim.wait() == -signal.SIGKILL and 0 < len(at_the_kill) < len(NAMES)
    assert [one.evidence.student.name for one in graded] == NAMES
    assert at_the_kill.items() <= written(out).items() and len(written(out)) == len(NAMES)
    with (out / "grades.csv").open(encoding="utf-8", newline="") as file:
        assert [row["handin"] for row in csv.DictReader(file)] == NAMES
    first = written(out)
    assert [one.name for one in grade([course], drawn, out, limit=10, scheduler=cluster.address)] == NAMES
    assert written(out) == first
    # The digits of both gradings are the same: it has copied them once.
    assert len(list(survivor_s.glob("svhn-digits-*"))) == 1


def test_a_scheduler_without_workers_is_told(cluster, drawn, tmp_path):
    from svhn.grading.grade import grade

    (tmp_path / "ann").mkdir()
    with pytest.raises(SVHNError, match="the scheduler has no workers; start some: dask worker tcp"):
        grade([tmp_path / "ann"], drawn, tmp_path / "out", limit=10, scheduler=cluster.address)


def test_a_scheduler_that_is_not_there_is_one_clear_line(command, tmp_path):
    require(find_spec("distributed"), "distributed is not installed")
    (tmp_path / "ann").mkdir()
    options = ("--out", tmp_path / "out", "--data", "drawn", "--limit", 10, "--scheduler", "tcp://127.0.0.1:9")
    process = command("grade", tmp_path / "ann", *options, KERAS_BACKEND="numpy")
    assert_one_clear_line(process, "tcp://127.0.0.1:9", "no Dask scheduler answers there")
    process = command("grade", tmp_path / "ann", *options, "--workers", 2)
    assert_one_clear_line(process, "--workers", "--scheduler", "leave one of them out")
