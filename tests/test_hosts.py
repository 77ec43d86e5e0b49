"""A training on two hosts, which are two processes here, is the training on one; it survives the death of either."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT

from svhn.errors import SVHNError
from svhn.hosts import train_together

PROGRAM = """
import json, pathlib, sys, time
import numpy as np
from svhn.hosts import train_together

folder, addresses, number = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
slow, epochs = float(sys.argv[4]), int(sys.argv[5])

def work():
    from svhn.backend import keras, use_devices
    from svhn.learning.batches import Augmented, predict
    from svhn.learning.training import Schedule, fit

    def slowly(batch, generator):
        time.sleep(slow)
        return batch + generator.random(batch.shape, np.float32)

    use_devices(1)
    chance = np.random.default_rng(1)
    images, labels = chance.integers(0, 256, (211, 32, 32, 1), np.uint8), chance.integers(0, 10, 211, np.uint8)
    keras.utils.set_random_seed(1)
    layers = keras.layers
    network = [layers.Flatten(), layers.Dense(16, "relu"), layers.BatchNormalization(), layers.Dropout(0.2)]
    model = keras.Sequential([keras.Input((32, 32, 1)), *network, layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    shown = Augmented(images[:150], labels[:150], slowly)
    trained = fit("small", model, shown, (images[150:], labels[150:]), Schedule(epochs, 32, 4), folder, None)
    read = predict(trained.model, images[:101]).tolist()
    (folder / "outcome.json").write_text(json.dumps([trained.learning_curves, read]))

try:
    train_together(addresses, number, work) if addresses else work()
except (Exception, KeyboardInterrupt) as error:
    sys.exit(str(error) or "stopped")
"""
JAX = os.environ | {"KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3"}


def start(folder, addresses="", number=0, slow=0.0, epochs=6):
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", PROGRAM, str(folder), addresses, str(number), str(slow), str(epochs)]
    return subprocess.Popen(
        command, cwd=ROOT, env=JAX, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def start_both(folder, slow=0.0, epochs=(6, 6)):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        addresses = f"127.0.0.1:{free.getsockname()[1]},127.0.0.1"
    return [start(folder / str(number), addresses, number, slow, epochs[number]) for number in (0, 1)]


def outcome(folder):
    return json.loads((folder / "outcome.json").read_text())


@pytest.mark.parametrize("victim", [0, 1])
def test_a_training_whose_host_is_killed_stops_in_a_line_and_ends_as_on_one_host(tmp_path, victim):
    alone = start(tmp_path / "alone")
    assert alone.wait(120) == 0, alone.stderr.read()
    hosts = start_both(tmp_path, slow=0.2)
    while not (tmp_path / "0" / "small.keras").exists():
        assert all(host.poll() is None for host in hosts), [host.stderr.read() for host in hosts]
        time.sleep(0.05)
    os.killpg(hosts[victim].pid, signal.SIGKILL)
    _, said = hosts[1 - victim].communicate(timeout=120)
    assert hosts[1 - victim].returncode == 1
    assert said.startswith(f"host {1 - victim}: another host is gone, or did not come; give the command again")
    assert said.count("\n") == 1
    assert not (tmp_path / "0" / "outcome.json").exists()

    hosts = start_both(tmp_path)
    assert [host.communicate(timeout=120)[1] for host in hosts] == ["", ""]
    assert [host.returncode for host in hosts] == [0, 0]
    assert [path.name for path in (tmp_path / "1").iterdir()] == []
    (curves, read), (curves_alone, read_alone) = outcome(tmp_path / "0"), outcome(tmp_path / "alone")
    assert curves["loss"] == pytest.approx(curves_alone["loss"], abs=1e-4)
    assert curves["accuracy"] == pytest.approx(curves_alone["accuracy"], abs=1e-2)
    np.testing.assert_allclose(read, read_alone, atol=1e-3)


def test_a_fault_of_the_training_is_not_taken_for_a_lost_host(tmp_path):
    for number, host in enumerate(start_both(tmp_path, slow=-1)):
        _, said = host.communicate(timeout=120)
        reason = "ValueError: sleep length must be non-negative"
        assert said == f"host {number}: the training failed ({reason}); mend that, and begin again\n"


def test_hosts_that_would_train_another_thing_each_are_one_line(tmp_path):
    hosts = start_both(tmp_path, epochs=(6, 7))
    for host in hosts:
        _, said = host.communicate(timeout=120)
        assert said == "small: hosts differ in notebook, digits or settings; make them the same, and begin again\n"
        assert host.returncode == 1


def test_ctrl_c_while_no_other_host_came_ends_at_once(tmp_path):
    waiting = start(tmp_path, "127.0.0.1:1,127.0.0.1", 1)
    assert waiting.stdout.readline().startswith("host 1 of 2: waiting for the others at 127.0.0.1:1")
    time.sleep(2)
    os.kill(waiting.pid, signal.SIGINT)
    assert waiting.wait(60) == 1 and waiting.stderr.read() == "stopped\n"


@pytest.mark.parametrize(
    ("addresses", "number", "line"),
    [
        ("10.0.0.1", 0, "give two or more, the first with a port"),
        ("10.0.0.1,10.0.0.2", 0, "give two or more, the first with a port"),
        ("10.0.0.1:80,10.0.0.2", 2, "--host is 2, and there are 2 hosts; number them from 0 to 1"),
    ],
)
def test_hosts_that_make_no_sense_are_one_line(monkeypatch, addresses, number, line):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(SVHNError, match=line):
        train_together(addresses, number, lambda: None)


def test_another_backend_than_jax_is_one_line(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    with pytest.raises(SVHNError, match="set KERAS_BACKEND=jax on each"):
        train_together("10.0.0.1:80,10.0.0.2", 0, lambda: None)
