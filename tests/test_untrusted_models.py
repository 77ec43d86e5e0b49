"""Models of strangers: which are loaded and measured, which are refused, and that the grader outlives them all."""

import json
import math
import os
import signal
import time
import zipfile

import h5py
import keras
import numpy as np
import pytest
from conftest import ROOT, require
from given import SUBMISSION

from svhn.data.laid_out import measured_digits
from svhn.data.protocol import split_digits
from svhn.grading.measurement import measure_model
from svhn.learning.evaluation import accuracy
from svhn.rubric.preprocessing import CANDIDATES
from svhn.sandbox.process import Limits, run_isolated

GOOD = ROOT / "tests/handins/good/models"
OLD = ROOT / "tests/handins/old_layout"
LIMITS = Limits(seconds=120, memory=2_000_000_000, file_bytes=50_000_000)


@pytest.fixture(scope="module")
def split(drawn):
    return split_digits(drawn)


@pytest.fixture(scope="module")
def measure(split):
    """Measures a model as grading does, in a process of its own."""
    with measured_digits(split) as digits:
        yield lambda *paths, recorded=None, limits=LIMITS: run_isolated(
            measure_model, list(paths), digits, recorded, limits=limits
        )


def changed(path, change, **members):
    """A copy of a good model, its description changed and members replaced."""
    with zipfile.ZipFile(GOOD / "model_1_1.keras") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(content["config.json"])
    change(config)
    content |= {"config.json": json.dumps(config).encode()} | members
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def layers_of(config):
    return config["config"]["layers"]


class TestLoading:
    def test_a_model_of_this_project_scores_what_keras_says_it_scores(self, measure, split):
        name, function = "model_2_2", CANDIDATES[1]["contrast_grey"]
        result = measure(GOOD / f"{name}.keras", GOOD / f"{name}.json", recorded="contrast_grey")["result"]
        expected = accuracy(keras.saving.load_model(GOOD / f"{name}.keras"), function(split.X_test), split.y_test)
        assert result["accuracy"]["test"] == pytest.approx(expected)
        assert result["digits"] == {"validation": len(split.y_val), "test": len(split.y_test)}
        assert result["preprocessing"] == "contrast_grey" and "candidates" not in result

    def test_contrast_grey_is_the_notebook_s(self, definitions, drawn):
        ours, images = CANDIDATES[1]["contrast_grey"](drawn.images), drawn.images
        assert np.array_equal(ours, definitions["contrast_grey"](images))
        assert np.array_equal(CANDIDATES[3]["vgg16_input"](images), definitions["vgg16_input"](images))

    def test_a_preprocessing_that_is_not_recorded_is_found(self, measure):
        result = measure(GOOD / "model_2_1.keras")["result"]
        assert result["preprocessing"] == "contrast_grey" and "validation digits" in result["preprocessing_from"]
        assert set(result["candidates"]) == set(CANDIDATES[1])

    @pytest.mark.parametrize("name", ["model_1_1", "model_1_2"])
    def test_keras_2_s_files_and_descriptions_with_weights(self, measure, name):
        result = measure(*sorted(OLD.glob(f"{name}.*")))["result"]
        assert result["file"] == {"model_1_1": "model_1_1.h5", "model_1_2": "model_1_2.json"}[name]
        assert result["outputs"] == "OpenML class index"
        assert result["preprocessing"] == {"model_1_1": "scaled", "model_1_2": "grey"}[name]

    def test_weights_that_were_refused_are_not_read_beside_a_description(self, measure):
        (described,) = OLD.glob("model_1_2.json")
        assert "there is no model_1_2.h5" in measure(described)["refused"]
        result = measure(described, OLD / "model_1_2.h5")["result"]
        assert result["bytes"] == described.stat().st_size + (OLD / "model_1_2.h5").stat().st_size

    def test_what_a_network_is_made_of_is_told(self, measure):
        dense, convolutional = (measure(GOOD / f"{name}.keras")["result"] for name in ("model_1_1", "model_2_1"))
        assert (dense["convolutions"], dense["channels"]) == (0, 3) and dense["dense"][-1] == 10
        assert convolutional["convolutions"] > 0 and convolutional["channels"] == 1
        assert dense["weights"] != convolutional["weights"]

    @pytest.mark.parametrize(("name", "share"), [("model_1_1", 0.709), ("model_1_2", 0.748)])
    def test_models_of_a_real_hand_in_score_their_true_accuracy(self, name, share, real_digits):
        require(SUBMISSION.is_dir(), f"{SUBMISSION} is not there: the real hand-in is no part of the project")
        from svhn.data.protocol import Split
        from svhn.data.sources import load_digits
        from svhn.digits import Digits

        digits = load_digits(real_digits)
        images, labels = digits.images, digits.labels
        everything = Split(Digits(images, labels, "all", True), images, images, images, labels, labels, labels)
        with measured_digits(everything) as measured:
            result = run_isolated(measure_model, [SUBMISSION / f"{name}.h5"], measured, None, limits=LIMITS)["result"]
        assert result["digits"]["test"] == 8001 and round(result["accuracy"]["test"], 3) == share
        assert result["outputs"] == "OpenML class index"

    def test_a_functional_network_of_keras_2(self, measure, tmp_path):
        def layer(kind, name, inbound, **config):
            nodes = [[[source, 0, 0, {}] for source in inbound]] if inbound else []
            return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}

        layers = [
            layer("InputLayer", "input_1", [], batch_input_shape=[None, 32, 32, 1], ragged=False),
            layer(
                "Conv2D",
                "a",
                ["input_1"],
                filters=2,
                kernel_size=[3, 3],
                padding="same",
                activation="relu",
                kernel_initializer={"class_name": "VarianceScaling", "config": {"dtype": "float32"}},
            ),
            layer("BatchNormalization", "b", ["a"], axis=[3], renorm=False),
            layer("Add", "c", ["a", "b"]),
            layer("Flatten", "d", ["c"]),
            layer("Dense", "e", ["d"], units=10, activation="softmax"),
        ]
        config = {
            "name": "model",
            "layers": layers,
            "input_layers": [["input_1", 0, 0]],
            "output_layers": [["e", 0, 0]],
        }
        (tmp_path / "model_2_1.json").write_text(json.dumps({"class_name": "Model", "config": config}))
        shapes = {"a": {"kernel:0": (3, 3, 1, 2), "bias:0": (2,)}, "e": {"kernel:0": (2048, 10), "bias:0": (10,)},
                  "b": dict.fromkeys(("gamma:0", "beta:0", "moving_mean:0", "moving_variance:0"), (2,))}  # fmt: skip
        with h5py.File(tmp_path / "model_2_1.h5", "w") as file:
            file.attrs["layer_names"] = np.array([item["name"] for item in layers], "S")
            for name in (item["name"] for item in layers):
                group, parts = file.create_group(name), shapes.get(name, {})
                group.attrs["weight_names"] = np.array([f"{name}/{part}" for part in parts] or [], "S30")
                for part, shape in parts.items():
                    group[f"{name}/{part}"] = np.full(shape, 0.5, np.float32)
        result = measure(tmp_path / "model_2_1.json", tmp_path / "model_2_1.h5")["result"]
        assert result["parameters"] == 20 + 8 + 20_490

    def test_layers_of_keras_2_that_say_more_than_keras_3_takes(self, measure, tmp_path):
        def layer(kind, name, **config):
            return {"class_name": kind, "config": {"name": name, "trainable": True, "dtype": "float32", **config}}

        kernel = dict.fromkeys(("kernel_regularizer", "kernel_constraint")) | {
            "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}}
        }
        shape = {"batch_input_shape": [None, 32, 32, 3]}
        layers = [
            # TensorFlow 2.3 and later: an InputLayer, and the shape in the first layer as well.
            layer("InputLayer", "conv2d_input", sparse=False, ragged=False, **shape),
            layer("Conv2D", "a", filters=2, kernel_size=[3, 3], activation="relu", groups=1, **shape),
            layer("SpatialDropout2D", "b", rate=0.1, noise_shape=None, seed=None, data_format="channels_last"),
            layer("DepthwiseConv2D", "c", kernel_size=[3, 3], groups=1, depth_multiplier=1),
            layer("SeparableConv2D", "d", filters=3, kernel_size=[3, 3], groups=1, **kernel),
            layer("TimeDistributed", "e", layer=layer("Flatten", "inner", batch_input_shape=[None, 26, 3])),
            layer("Flatten", "f", batch_input_shape=[None, 26, 26, 3]),
            layer("Dense", "g", units=10, activation="softmax"),
        ]
        shapes = {
            "a": {"kernel": (3, 3, 3, 2), "bias": (2,)},
            "c": {"depthwise_kernel": (3, 3, 2, 1), "bias": (2,)},
            "d": {"depthwise_kernel": (3, 3, 2, 1), "pointwise_kernel": (1, 1, 2, 3), "bias": (3,)},
            "g": {"kernel": (26 * 26 * 3, 10), "bias": (10,)},
        }
        with h5py.File(tmp_path / "model_2_1.h5", "w") as file:
            config = {"class_name": "Sequential", "config": {"name": "sequential", "layers": layers}}
            file.attrs["model_config"] = json.dumps(config)
            weights = file.create_group("model_weights")
            weights.attrs["layer_names"] = np.array([item["config"]["name"] for item in layers], "S")
            for name in (item["config"]["name"] for item in layers):
                group, parts = weights.create_group(name), shapes.get(name, {})
                group.attrs["weight_names"] = np.array([f"{name}/{part}:0" for part in parts] or [], "S40")
                for part, size in parts.items():
                    group[f"{name}/{part}:0"] = np.full(size, 0.5, np.float32)
        result = measure(tmp_path / "model_2_1.h5")["result"]
        assert (result["parameters"], result["convolutions"]) == (56 + 20 + 27 + 20_290, 3)

    def test_what_wrappers_hold_counts_as_what_it_is(self, measure, tmp_path):
        rows = keras.layers.TimeDistributed(keras.layers.Conv1D(2, 3))
        normal = keras.layers.SpectralNormalization(keras.layers.Conv2D(2, 3))
        model = keras.Sequential(
            [keras.Input((32, 32, 3)), normal, rows, keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
        )
        keras.saving.save_model(model, tmp_path / "model_1_1.keras")
        result = measure(tmp_path / "model_1_1.keras")["result"]
        assert result["kinds"] == ["Conv1D", "Conv2D", "Dense", "TimeDistributed"] and result["convolutions"] == 2


class TestRefusals:
    def refusal(self, reply, *words):
        assert set(reply) == {"refused"}, reply
        assert "\n" not in reply["refused"]
        for word in words:
            assert word in reply["refused"]

    def test_a_lambda_layer_runs_nothing(self, measure, tmp_path):
        marker = tmp_path / "ran"
        command = f"touch {marker}"
        config = keras.saving.serialize_keras_object(keras.layers.Lambda(lambda x: os.system(command)))
        path = tmp_path / "model_1_1.keras"
        changed(path, lambda c: layers_of(c).insert(1, config))
        self.refusal(measure(path), "model_1_1.keras", "'Lambda'", "none of Keras's own layers")
        assert not marker.exists()

    @pytest.mark.parametrize(
        "layer",
        [
            {"module": "builtins", "class_name": "eval", "config": {}, "registered_name": "eval"},
            {"module": "os", "class_name": "system", "config": {"command": "true"}, "registered_name": None},
            {"module": "keras.layers", "class_name": "Dense", "config": {}, "registered_name": "mine>Dense"},
            {"module": "mine.layers", "class_name": "Dense", "config": {}, "registered_name": None},
            {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://x"}},
            {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/tmp"}},
            {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
            {"class_name": "__lambda__", "config": {"value": "4wAAAAA="}},
            {"class_name": ["Dense"], "config": {}},
            {"module": "keras.layers", "class_name": "TimeDistributed", "config": {
                "layer": {"module": "keras.layers", "class_name": "Lambda", "config": {"function": "x"}}}},
        ],
    )  # fmt: skip
    def test_whatever_is_no_layer_of_keras_is_refused(self, measure, tmp_path, layer):
        path = changed(tmp_path / "model_1_1.keras", lambda c: layers_of(c).insert(1, layer))
        self.refusal(measure(path), "none of Keras's own layers")

    @pytest.mark.parametrize("units", [10**7, 10**12, 1e30, -5, "many", None])
    def test_absurd_shapes_are_refused_before_they_are_allocated(self, measure, tmp_path, units):
        def change(config):
            layers_of(config)[-2]["config"]["units"] = units

        self.refusal(measure(changed(tmp_path / "model_1_1.keras", change)), "model_1_1.keras")

    def test_images_blown_up_beyond_memory_end_their_process_only(self, measure, tmp_path):
        big = {"module": "keras.layers", "class_name": "UpSampling2D", "config": {"size": [500, 500]}}
        pool = {"module": "keras.layers", "class_name": "GlobalMaxPooling2D", "config": {}}

        def change(config):
            layers = layers_of(config)
            layers[1:] = [big, pool, layers[-1] | {"build_config": {"input_shape": [None, 3]}}]

        self.refusal(measure(changed(tmp_path / "model_1_1.keras", change)))
        assert "result" in measure(GOOD / "model_1_1.keras")

    def test_an_archive_that_unpacks_to_gigabytes(self, measure, tmp_path):
        path = tmp_path / "model_1_1.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("config.json", "{}")
            with archive.open("model.weights.h5", "w", force_zip64=True) as member:
                for _ in range(450):
                    member.write(bytes(1_000_000))
        assert path.stat().st_size < 5_000_000
        self.refusal(measure(path), "unpacks to more than 400 MB")

    def test_arrays_that_unpack_to_gigabytes(self, measure, tmp_path):
        path = tmp_path / "model_1_1.h5"
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": []}})
            file.create_dataset(
                "model_weights/a/kernel:0", (40_000, 40_000), "f4", chunks=(1000, 1000), compression="gzip", fillvalue=0
            )
        assert path.stat().st_size < 100_000
        self.refusal(measure(path), "6,400,000,000 bytes")

    def test_weights_that_lie_in_another_file(self, measure, tmp_path):
        secret, path = tmp_path / "secret.h5", tmp_path / "model_1_1.h5"
        with h5py.File(secret, "w") as file:
            file["kernel"] = np.zeros(3)
        for kind in ("link", "external", "virtual"):
            with h5py.File(path, "w") as file:
                file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": []}})
                if kind == "link":
                    file["a"] = h5py.ExternalLink(str(secret), "/kernel")
                elif kind == "external":
                    file.create_dataset("a", (3,), "f8", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
                else:
                    layout = h5py.VirtualLayout((3,), "f8")
                    layout[:] = h5py.VirtualSource(secret, "kernel", (3,))
                    file.create_virtual_dataset("a", layout)
            self.refusal(measure(path), "points to another file")

    @pytest.mark.parametrize(
        ("name", "content", "word"),
        [
            ("model_1_1.keras", b"no archive", "cannot be loaded"),
            ("model_1_1.h5", b"no hdf5", "cannot be loaded"),
            ("model_1_1.json", b'{"class_name": "Sequential", "config": {"layers": []}}', "no model_1_1.h5"),
            ("model_1_1.json", b'{"class_name": ', "no model file"),
            ("model_1_1.p", b"", "no model file"),
            ("model_1_1.json", b"[" * 100_000, "no model file"),
        ],
    )
    def test_damaged_and_missing_files_are_named(self, measure, tmp_path, name, content, word):
        (tmp_path / name).write_bytes(content)
        self.refusal(measure(tmp_path / name), word)

    def test_a_network_of_no_layers(self, measure, tmp_path):
        keras.saving.save_model(keras.Sequential(name="empty"), tmp_path / "model_1_1.keras")
        self.refusal(measure(tmp_path / "model_1_1.keras"), "model_1_1.keras")

    @pytest.mark.parametrize(("shape", "units", "word"), [((48, 48, 3), 10, "(48, 48, 3)"), ((32, 32, 1), 7, "ten")])
    def test_what_is_no_classifier_of_digits(self, measure, tmp_path, shape, units, word):
        model = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(units)])
        keras.saving.save_model(model, tmp_path / "model_1_1.keras")
        self.refusal(measure(tmp_path / "model_1_1.keras"), word)


def spin():
    while True:
        math.factorial(1000)


def swell():
    return len([bytes(100_000_000) for _ in range(100)])


def die():
    os.kill(os.getpid(), signal.SIGSEGV)


def lie():
    os.write(1, b"noise")
    return {"nested": [float("nan")]}


class TestIsolation:
    @pytest.mark.parametrize(
        ("function", "limits", "word"),
        [
            (spin, Limits(seconds=1), "longer than 1 s"),
            (swell, Limits(memory=500_000_000), "GB of memory"),
            (die, Limits(), "SIGSEGV"),
        ],
    )
    def test_a_process_that_hangs_swells_or_dies_is_told_in_one_line(self, function, limits, word):
        assert word in run_isolated(function, limits=limits)["refused"]

    def test_it_goes_on_after_that(self):
        assert math.isnan(run_isolated(lie, limits=Limits())["result"]["nested"][0])

    def test_what_nobody_foresaw_is_called_a_fault(self):
        assert run_isolated(time.sleep, "long", limits=Limits())["fault"].startswith("TypeError")
