"""In what networks compute: bfloat16 only where the processor is known to, and float32 unless asked."""

import numpy as np
import pytest
from conftest import assert_one_clear_line

import svhn.backend
from svhn.backend import computing_in, precision, use_precision
from svhn.errors import SVHNError

WITH = "processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16 sse\n\nprocessor\t: 1\nflags\t\t: fpu avx2 avx512_bf16 sse\n"
# A name that only looks like it, and a line of another kind.
WITHOUT = "model name\t: amx_bf16 compatible\nflags\t\t: fpu avx2 avx512_bf16x\n"


@pytest.fixture
def processor(tmp_path, monkeypatch):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setattr(svhn.backend.load_keras().backend, "backend", lambda: "tensorflow")

    def describe(text):
        (tmp_path / "cpuinfo").write_text(text)
        return tmp_path / "cpuinfo"

    yield describe
    monkeypatch.undo()
    use_precision("float32")


def test_auto_is_what_the_processor_computes_in(processor):
    assert precision() == "float32"
    assert use_precision("auto", processor(WITHOUT)) == precision() == "float32"
    assert use_precision("auto", processor(WITH)) == precision() == "bfloat16"
    assert use_precision("bfloat16", processor(WITH)) == precision() == "bfloat16"
    assert use_precision("float32", processor(WITH)) == precision() == "float32"
    assert use_precision("auto", processor(WITH.replace("avx512_bf16", "amx_bf16"))) == "bfloat16"


def refused(wanted, processor):
    with pytest.raises(SVHNError, match=r"^precision is bfloat16, and .*; set it to float32, or to auto$") as caught:
        use_precision(wanted, processor)
    assert precision() == use_precision("auto", processor) == "float32"
    return str(caught.value)


def test_where_it_is_not_it_is_refused_in_one_line_and_auto_goes_without(processor, tmp_path, monkeypatch):
    assert "this processor does not" in refused("bfloat16", processor(WITHOUT))
    assert "nothing says" in refused("bfloat16", tmp_path / "missing")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert "TF_ENABLE_ONEDNN_OPTS=0" in refused("bfloat16", processor(WITH))
    monkeypatch.setattr(svhn.backend.load_keras().backend, "backend", lambda: "jax")
    assert "only TensorFlow" in refused("bfloat16", processor(WITH))


def test_another_precision_than_float32_is_never_published(command):
    assert_one_clear_line(command("publish", SVHN_PRECISION="auto"), "precision is auto", "set it to float32")


def test_a_block_computes_in_float32_and_what_follows_as_before(processor):
    use_precision("bfloat16", processor(WITH))
    with pytest.raises(ValueError, match="within"), computing_in("float32") as before:
        assert (precision(), before) == ("float32", "bfloat16")
        raise ValueError("within")
    assert precision() == "bfloat16"


def test_a_model_trained_in_bfloat16_is_measured_in_float32(processor, tmp_path, monkeypatch):
    import keras

    from svhn.learning import evaluation
    from svhn.learning.records import load_record

    def network():
        model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def measured(*arguments):
        seen.append(precision())
        return accuracy(*arguments)

    seen, accuracy = [], evaluation.accuracy
    monkeypatch.setattr(evaluation, "accuracy", measured)
    images, labels = np.zeros((20, 32, 32, 3), np.uint8), np.arange(20) % 10
    use_precision("bfloat16", processor(WITH))
    data = images, images, labels, labels
    evaluation.run_evaluation("model_x", network, data, tmp_path, epochs=1, batch_size=10, verbose=0)
    assert seen == ["float32"] and precision() == "bfloat16"
    assert load_record(tmp_path, "model_x").precision == "bfloat16"
