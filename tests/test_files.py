"""Files that are there whole or not at all."""

import os
import subprocess
import sys
import time

import pytest

from svhn.errors import SVHNError
from svhn.files import NoRoom, atomic_path, cache_folder, check_writable, digest_of, write_text


def test_an_exception_leaves_the_former_file_and_nothing_else(tmp_path):
    write_text(tmp_path / "a.txt", "former")
    with pytest.raises(KeyError), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise KeyError
    assert (tmp_path / "a.txt").read_text() == "former"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_kill_leaves_the_former_file_and_what_it_left_goes_with_a_later_write(tmp_path):
    write_text(tmp_path / "a.txt", "former")
    script = f"""
import os, signal
from pathlib import Path
from svhn.files import atomic_path
with atomic_path(Path({str(tmp_path / "a.txt")!r})) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], timeout=60)
    assert (tmp_path / "a.txt").read_text() == "former"
    left = next(path for path in tmp_path.iterdir() if path.name != "a.txt")
    write_text(tmp_path / "a.txt", "second")
    assert left.exists()  # It might belong to a run that lives.
    os.utime(left, (time.time() - 7200,) * 2)
    write_text(tmp_path / "b.txt", "another file's leftovers stay")
    assert left.exists()
    write_text(tmp_path / "a.txt", "third")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SVHNError, match="choose a folder you may write to"):
        write_text(tmp_path / "file" / "a.txt", "")


def test_a_folder_is_tried_before_a_long_work_and_left_as_it_was(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SVHNError, match="choose a folder you may write to"):
        check_writable(tmp_path / "file" / "output")
    check_writable(tmp_path / "new" / "output")
    check_writable(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "room/a.py").write_text("x = 2"),
        lambda folder: (folder / "room/new.py").write_text(""),
        lambda folder: (folder / "room/a.py").rename(folder / "room/b.py"),
        lambda folder: (folder / "room/a.py").unlink(),
    ],
)
def test_a_folder_s_digest_is_of_every_file_and_its_name(tmp_path, change):
    (tmp_path / "room").mkdir()
    (tmp_path / "room/a.py").write_text("x = 1")
    (tmp_path / "c.py").write_text("")
    before = digest_of(tmp_path, "*.py")
    (tmp_path / "room/notes.txt").write_text("of another kind")
    assert digest_of(tmp_path, "*.py") == before
    change(tmp_path)
    assert digest_of(tmp_path, "*.py") != before


def test_a_cache_without_room_is_told_before_the_work(tmp_path, monkeypatch):
    for variable in ("XDG_CACHE_HOME", "TMPDIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert cache_folder(tmp_path / "kept", 1000) == tmp_path / "kept"
    with pytest.raises(NoRoom, match=r"has no room for 1,000,000,000,000 MB; free some space, or set TMPDIR"):
        cache_folder(tmp_path / "kept", 10**18)
    assert list(tmp_path.iterdir()) == []
