"""In what networks compute: bfloat16 only where the processor is known to, and float32 unless asked."""

import pytest
from conftest import assert_one_clear_line

import svhn.backend
from svhn.backend import precision, use_precision
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
