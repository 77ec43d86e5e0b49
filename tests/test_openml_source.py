"""Data set 41081 through the real client, from a server on this machine."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import openml
import pyarrow as pa
import pytest
from openml_server import ARFF_PATH, OFFICIAL, PARQUET_PATH, OpenMLServer, noise, write_arff, write_parquet

from svhn.data import openml_source
from svhn.data.openml_source import load_openml
from svhn.data.protocol import split_digits
from svhn.data.sources import load_digits
from svhn.errors import SVHNError
from svhn.learning.batches import Augmented
from svhn.learning.evaluation import run_evaluation
from svhn.learning.records import load_record

ROWS = 230


@pytest.fixture(autouse=True)
def client(tmp_path, monkeypatch):
    """The client as a user has it, but for its cache, and without waiting between attempts."""
    cache = tmp_path / "client"
    cache.mkdir()
    monkeypatch.setattr(openml.config, "_root_cache_directory", cache)
    monkeypatch.setattr(openml.config, "connection_n_retries", 1)
    monkeypatch.setattr(openml.config, "server", "http://127.0.0.1:9/api/v1/xml")
    monkeypatch.delenv("OPENML_SKIP_PARQUET", raising=False)
    return cache


@pytest.fixture
def arff(tmp_path):
    return write_arff(tmp_path / "served.arff", *noise(ROWS))


def load_from(server, folder, monkeypatch):
    monkeypatch.setenv("OPENML_SERVER", server.url)
    return load_openml(folder)


def check_noise(digits, rows=ROWS):
    pixels, positions = noise(rows)
    assert (digits.name, digits.real) == ("OpenML 41081", True)
    assert np.array_equal(digits.images, pixels.reshape(-1, 32, 32, 3))
    assert np.array_equal(digits.labels, (positions + 1) % 10)
    assert digits.labels.dtype == np.uint8


def one_line(caught):
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_arff_cold_then_from_the_converted_cache(tmp_path, monkeypatch, arff, client, capsys):
    with OpenMLServer(arff, ROWS) as server:
        check_noise(load_from(server, tmp_path / "data", monkeypatch))
        assert server.downloads == [ARFF_PATH]
        assert capsys.readouterr().out == ""
        asked = len(server.requests)
        digits = load_from(server, tmp_path / "data", monkeypatch)
        assert len(server.requests) == asked
    check_noise(digits)
    assert isinstance(digits.images, np.memmap)
    assert not digits.images.flags.writeable
    # The file lies where the client itself looks for it.
    assert openml.datasets.get_dataset(41081, download_data=True).data_file == str(next(client.rglob("dataset.arff")))
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["openml-41081"]


def test_a_lost_conversion_is_redone_from_the_clients_cache(tmp_path, monkeypatch, arff):
    with OpenMLServer(arff, ROWS) as server:
        load_from(server, tmp_path / "first", monkeypatch)
    # The server is gone by now.
    check_noise(load_from(server, tmp_path / "second", monkeypatch))


def test_the_servers_address_is_the_clients_own_setting(tmp_path, monkeypatch, arff):
    monkeypatch.delenv("OPENML_SERVER", raising=False)
    with OpenMLServer(arff, ROWS) as server:
        monkeypatch.setattr(openml.config, "server", server.url)
        check_noise(load_openml(tmp_path / "data"))


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float64"])
def test_parquet(tmp_path, monkeypatch, arff, dtype):
    pixels, positions = noise(ROWS)
    classes = pa.DictionaryArray.from_arrays(pa.array(positions.astype(np.int8)), pa.array(OFFICIAL))
    parquet = write_parquet(tmp_path / "served.pq", pixels, classes, dtype)
    with OpenMLServer(arff, ROWS, parquet=parquet) as server:
        check_noise(load_from(server, tmp_path / "data", monkeypatch))
        load_from(server, tmp_path / "other", monkeypatch)
        assert server.downloads == [PARQUET_PATH]


def test_arff_where_the_parquet_file_is_offered_but_not_there(tmp_path, monkeypatch, arff):
    with OpenMLServer(arff, ROWS, parquet=tmp_path / "served.pq") as server:
        del server._files[PARQUET_PATH]
        check_noise(load_from(server, tmp_path / "data", monkeypatch))
        assert server.downloads == [ARFF_PATH]


def test_arff_where_the_user_wants_no_parquet(tmp_path, monkeypatch, arff):
    monkeypatch.setenv("OPENML_SKIP_PARQUET", "true")
    with OpenMLServer(arff, ROWS, parquet=arff) as server:
        check_noise(load_from(server, tmp_path / "data", monkeypatch))


@pytest.mark.parametrize(
    ("values", "digits"),
    [
        (OFFICIAL, [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]),
        (("1", "10", "2", "3", "4", "5", "6", "7", "8", "9"), [1, 0, 2, 3, 4, 5, 6, 7, 8, 9]),
        (tuple("0123456789"), [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]),
        (tuple("1234567890"), [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]),
        (
            ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero"),
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 0],
        ),
    ],
)
@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_nominal_classes(tmp_path, monkeypatch, values, digits, quote):
    pixels, positions = noise(20)
    arff = write_arff(tmp_path / "served.arff", pixels, positions, values=values, quote=quote)
    with OpenMLServer(arff, 20, values=values) as server:
        labels = load_from(server, tmp_path / "data", monkeypatch).labels
    assert np.array_equal(labels, np.array(digits)[positions])


@pytest.mark.parametrize(
    ("classes", "values"),
    [
        (np.arange(1, 11), None),
        (np.arange(1, 11).astype(float), None),
        (np.arange(10), None),
        (np.arange(10), OFFICIAL),
        ([str(i) for i in range(10)], tuple("0123456789")),
    ],
)
def test_numeric_classes(tmp_path, monkeypatch, arff, classes, values):
    pixels, _ = noise(10)
    parquet = write_parquet(tmp_path / "served.pq", pixels, pa.array(classes))
    with OpenMLServer(arff, 10, parquet=parquet, values=values) as server:
        assert load_from(server, tmp_path / "data", monkeypatch).labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


def test_comments_blank_lines_and_windows_line_ends(tmp_path, monkeypatch):
    arff = write_arff(tmp_path / "served.arff", *noise(ROWS), newline="\r\n", quote="'")
    lines = arff.read_bytes().split(b"\r\n")
    lines[-5:-5] = [b"% a comment, between the rows", b"", b" % another"]
    arff.write_bytes(b"\r\n".join(lines).rstrip())
    with OpenMLServer(arff, ROWS) as server:
        check_noise(load_from(server, tmp_path / "data", monkeypatch))


def spoil(arff, old, new):
    """Replaces bytes in the last row."""
    head, row = arff.read_bytes().rstrip().rsplit(b"\n", 1)
    assert old in row
    arff.write_bytes(head + b"\n" + row.replace(old, new, 1) + b"\n")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b",", b",256,", "3074"),
        (b",25", b",925", "not 0..255"),
        (b",25", b",-25", "not 0..255"),
        (b",25", b",0.25", "not whole"),
        (b",25", b",x25", "x25"),
        (b",25", b",?,25", "3074"),
    ],
)
def test_bad_rows(tmp_path, monkeypatch, arff, old, new, said):
    spoil(arff, old, new)
    with OpenMLServer(arff, ROWS) as server, pytest.raises(SVHNError) as caught:
        load_from(server, tmp_path / "data", monkeypatch)
    text = one_line(caught)
    assert "dataset.arff" in text
    assert said in text
    assert "--data drawn" in text
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("missing", [b"?", b""])
def test_missing_pixel(tmp_path, monkeypatch, arff, missing):
    head, row = arff.read_bytes().rstrip().rsplit(b"\n", 1)
    arff.write_bytes(head + b"\n" + missing + b"," + row.split(b",", 1)[1] + b"\n")
    with OpenMLServer(arff, ROWS) as server, pytest.raises(SVHNError, match=r"dataset\.arff") as caught:
        load_from(server, tmp_path / "data", monkeypatch)
    one_line(caught)


@pytest.mark.parametrize("kept", [0.001, 0.5, 0.999])
def test_truncated_arff(tmp_path, monkeypatch, arff, kept):
    content = arff.read_bytes()
    arff.write_bytes(content[: int(len(content) * kept)])
    with (
        OpenMLServer(arff, ROWS) as server,
        pytest.raises(SVHNError, match=r"dataset\.arff.*delete this file") as caught,
    ):
        load_from(server, tmp_path / "data", monkeypatch)
    one_line(caught)


def test_rows_missing_at_the_end(tmp_path, monkeypatch, arff):
    with OpenMLServer(arff, ROWS + 1) as server, pytest.raises(SVHNError, match="has 230 rows, not 231"):
        load_from(server, tmp_path / "data", monkeypatch)
    assert list((tmp_path / "data").iterdir()) == []


def test_truncated_parquet(tmp_path, monkeypatch, arff):
    parquet = write_parquet(tmp_path / "served.pq", noise(ROWS)[0], pa.array(["1"] * ROWS))
    parquet.write_bytes(parquet.read_bytes()[:-1000])
    with OpenMLServer(arff, ROWS, parquet=parquet) as server, pytest.raises(SVHNError, match=r"41081\.pq") as caught:
        load_from(server, tmp_path / "data", monkeypatch)
    one_line(caught)


def test_another_data_set(tmp_path, monkeypatch, arff):
    arff.write_text("@relation iris\n@attribute width real\n@attribute class {a,b}\n@data\n1.5,a\n")
    with OpenMLServer(arff, 1) as server, pytest.raises(SVHNError, match="has 2 columns"):
        load_from(server, tmp_path / "data", monkeypatch)


def test_classes_that_are_not_digits(tmp_path, monkeypatch):
    arff = write_arff(tmp_path / "served.arff", *noise(20), values="abcdefghij")
    with (
        OpenMLServer(arff, 20, values=None) as server,
        pytest.raises(SVHNError, match=r"classes a, b, c.* not ten digits"),
    ):
        load_from(server, tmp_path / "data", monkeypatch)


def test_md5_mismatch(tmp_path, monkeypatch, arff, client):
    with OpenMLServer(arff, ROWS, md5="0" * 32) as server, pytest.raises(SVHNError, match="MD5 is") as caught:
        load_from(server, tmp_path / "data", monkeypatch)
    assert "mat" in one_line(caught)
    assert list(client.rglob("*.arff")) == []


def test_arff_that_is_not_there(tmp_path, monkeypatch, arff, client):
    with OpenMLServer(arff, ROWS) as server:
        del server._files[ARFF_PATH]
        with pytest.raises(SVHNError, match=r"SVHN\.arff: the download failed \(404") as caught:
            load_from(server, tmp_path / "data", monkeypatch)
    one_line(caught)
    assert list(client.rglob("*.arff")) == []


def test_download_that_breaks_off(tmp_path, monkeypatch, arff, client):
    with OpenMLServer(arff, ROWS) as server:
        server.broken_off = True
        with pytest.raises(SVHNError, match=r"SVHN\.arff: the download failed") as caught:
            load_from(server, tmp_path / "data", monkeypatch)
        one_line(caught)
        assert list(client.rglob("*.arff")) == []
        server.broken_off = False
        check_noise(load_from(server, tmp_path / "data", monkeypatch))


def test_half_a_download_in_the_clients_cache_is_replaced(tmp_path, monkeypatch, arff, client):
    with OpenMLServer(arff, ROWS) as server:
        load_from(server, tmp_path / "first", monkeypatch)
        cached = next(client.rglob("dataset.arff"))
        cached.write_bytes(cached.read_bytes()[:500_000])
        features = next(client.rglob("features.xml"))
        features.write_bytes(features.read_bytes()[:5000])
        features.with_suffix(".xml.pkl").unlink()
        check_noise(load_from(server, tmp_path / "second", monkeypatch))


def test_unreachable_server(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENML_SERVER", "http://127.0.0.1:9/api/v1/xml")
    with pytest.raises(SVHNError, match=r"127\.0\.0\.1:9/api/v1/xml cannot be reached.*train_32x32\.mat") as caught:
        load_openml(tmp_path / "data")
    one_line(caught)


def test_server_without_the_data_set(tmp_path, monkeypatch, arff):
    with OpenMLServer(arff, ROWS) as server:
        server._texts.clear()
        with pytest.raises(SVHNError, match="no data set 41081") as caught:
            load_from(server, tmp_path / "data", monkeypatch)
    one_line(caught)


def cut(path):
    path.write_bytes(path.read_bytes()[:-8])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("images.npy", cut),
        ("images.npy", Path.unlink),
        ("labels.npy", cut),
        ("labels.npy", flip),
        ("meta.json", cut),
        ("meta.json", lambda path: path.write_text("[]")),
        ("meta.json", Path.unlink),
    ],
)
def test_damaged_conversion_is_redone(tmp_path, monkeypatch, arff, capsys, name, damage):
    with OpenMLServer(arff, ROWS) as server:
        load_from(server, tmp_path / "data", monkeypatch)
        damage(tmp_path / "data/openml-41081" / name)
        check_noise(load_from(server, tmp_path / "data", monkeypatch))
    assert "is damaged" in capsys.readouterr().err


def test_interrupted_by_the_user(tmp_path, monkeypatch, arff):
    def interrupted(*arguments, blocks=openml_source.blocks):
        yield next(blocks(*arguments))
        raise KeyboardInterrupt

    with OpenMLServer(arff, ROWS) as server:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(openml_source, "blocks", interrupted)
            load_from(server, tmp_path / "data", patch)
        assert list((tmp_path / "data").iterdir()) == []
        check_noise(load_from(server, tmp_path / "data", monkeypatch))


CONVERT_AND_STALL = """
import sys, time
from pathlib import Path
from svhn.data import openml_source

def stalling(*arguments, blocks=openml_source.blocks):
    for number, block in enumerate(blocks(*arguments)):
        yield block
        if number == 1:
            print("midway", flush=True)
            time.sleep(600)

openml_source.blocks = stalling
openml_source.load_openml(Path(sys.argv[1]))
"""


def test_killed_midway(tmp_path, monkeypatch, client):
    rows = 1200
    arff = write_arff(tmp_path / "served.arff", *noise(rows))
    data = tmp_path / "data"
    with OpenMLServer(arff, rows) as server:
        environment = os.environ | {
            "OPENML_SERVER": server.url,
            "OPENML_CACHE_DIR": str(client),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
        }
        with subprocess.Popen(
            [sys.executable, "-c", CONVERT_AND_STALL, str(data)],
            cwd=Path(__file__).parents[1],
            env=environment,
            stdout=subprocess.PIPE,
        ) as child:
            assert child.stdout.readline() == b"midway\n"
            child.send_signal(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
        left = [path.name for path in data.iterdir()]
        assert len(left) == 1
        assert left[0].startswith(".openml-41081-")

        check_noise(load_from(server, data, monkeypatch), rows)
        assert server.downloads == [ARFF_PATH]

        # The first conversion that finds them old removes the remains of the killed one.
        scratch = data / left[0]
        for path in (*scratch.rglob("*"), scratch):
            os.utime(path, (time.time() - 7200,) * 2)
        (data / "openml-41081/meta.json").unlink()
        load_from(server, data, monkeypatch)
        assert not scratch.exists()


def test_two_first_loads_at_once(tmp_path, monkeypatch, client):
    arff = write_arff(tmp_path / "served.arff", *noise(1200))
    data = tmp_path / "data"
    with OpenMLServer(arff, 1200) as server:
        environment = os.environ | {
            "OPENML_SERVER": server.url,
            "OPENML_CACHE_DIR": str(client),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
        }
        first, second = CONVERT_AND_STALL, "import sys; from svhn.data.sources import *; load_openml(Path(sys.argv[1]))"
        children = []
        for program, awaited in ((first, b"midway"), (second, b"waiting")):
            child = subprocess.Popen(
                [sys.executable, "-c", program, str(data)],
                cwd=Path(__file__).parents[1],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            children.append(child)
            assert any(awaited in line for line in child.stdout)
        # The first is stopped halfway: the one that waited takes over, and finds what was downloaded.
        children[0].kill()
        said, _ = children[1].communicate()
        assert children[1].returncode == 0, said
        assert len(server.downloads) == 1
        children[0].communicate()
    check_noise(load_digits("openml", data), 1200)


def test_the_recipes_train_on_the_openml_layout(tmp_path, monkeypatch, definitions):
    with OpenMLServer(write_arff(tmp_path / "served.arff", *noise(3000)), 3000) as server:
        monkeypatch.setenv("OPENML_SERVER", server.url)
        split = split_digits(load_digits("openml", tmp_path / "data"))
    training = Augmented(split.X_train, split.y_train, definitions["augment"])
    run_evaluation(
        "model_1_1",
        definitions["build_model_1_1"],
        (training, split.X_val, split.y_val),
        tmp_path,
        verbose=0,
        generator=True,
        epochs=2,
        batch_size=128,
        steps_per_epoch=15,
        split=split,
    )
    record = load_record(tmp_path, "model_1_1")
    assert (record.data.name, record.data.train_real) == ("OpenML 41081", 1920)
    assert record.data.drawn is None and record.recipe.augmentation == "augment"
