"""A training spread over several devices, which JAX makes out of one processor here, is the training on one."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

import svhn.backend
from svhn.backend import use_devices
from svhn.errors import SVHNError

PROGRAM = """
import json, pathlib, sys
import numpy as np
from svhn.backend import devices, keras, use_devices
from svhn.errors import SVHNError
from svhn.learning.batches import Augmented, predict, unaltered
from svhn.learning.training import Schedule, fit

chance = np.random.default_rng(1)
images, labels = chance.integers(0, 256, (211, 32, 32, 1), np.uint8), chance.integers(0, 10, 211, np.uint8)

def train(count, batch_size=32):
    use_devices(count)
    keras.utils.set_random_seed(1)
    layers = keras.layers
    network = [layers.Flatten(), layers.Dense(16, "relu"), layers.BatchNormalization(), layers.Dropout(0.2)]
    model = keras.Sequential([keras.Input((32, 32, 1)), *network, layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    schedule, place = Schedule(2, batch_size, 4), pathlib.Path(sys.argv[1]) / str(count)
    shown, held_out = Augmented(images[:150], labels[:150], unaltered), (images[150:], labels[150:])
    trained = fit("small", model, shown, held_out, schedule, place, None)
    spread = len(model.layers[1].kernel.value.sharding.device_set)
    return spread, trained.learning_curves, predict(trained.model, images[:101]).tolist()

runs = [train(1), train(2), train(1)]
messages = []
for count, batch_size in ((2, 31), (3, 30)):
    try:
        train(count, batch_size)
    except SVHNError as error:
        messages.append(str(error))
print(json.dumps([runs, messages]))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    environment = {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path_factory.mktemp("checkpoints")],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def test_two_devices_learn_what_one_learns(trained):
    (spread, alone, read_alone), (spread_over_two, together, read_together), (_, again, _) = trained[0]
    assert (spread, spread_over_two) == (1, 2) and again == alone
    for name in ("loss", "accuracy"):
        assert together[name] == pytest.approx(alone[name], abs=1e-4)
    # Of 61 validation digits, two devices measure 60.
    assert together["val_loss"] == pytest.approx(alone["val_loss"], abs=0.1)
    np.testing.assert_allclose(read_together, read_alone, atol=1e-3)
    assert len(read_together) == 101


def test_what_cannot_be_spread_is_one_clear_line(trained):
    uneven, too_few = trained[1]
    assert "batches of 31 do not divide among 2 devices" in uneven
    assert "devices is 3, and there are 2 (cpu:0, cpu:1)" in too_few


def test_another_backend_than_jax_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(svhn.backend.load_keras().backend, "backend", lambda: "tensorflow")
    with pytest.raises(SVHNError, match=r"^devices is 2, and only JAX spreads batches here; set KERAS_BACKEND=jax, or"):
        use_devices(2)
    use_devices(1)
