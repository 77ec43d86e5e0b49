"""What a file really is, by its first bytes: a name may say anything."""

from pathlib import Path

_HEAD = 4096
_MAGIC = {
    b"\x89HDF\r\n\x1a\n": "hdf5",
    b"PK\x03\x04": "zip",
    b"\x93NUMPY": "npy",
    b"\x1f\x8b": "gzip",
    b"Rar!": "rar",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"\x89PNG": "picture",
    b"version https://git-lfs": "lfs",
}
_NO_DATA = {
    "empty": "is an empty file: its upload or download was cut off",
    "html": "is a web page and not what its name says: a download failed and its error page was saved",
    "lfs": "is a pointer of Git LFS and not the file itself, which `git lfs pull` fetches",
    "annex": "is a pointer of git-annex and not the file itself, which `git annex get` fetches",
}


def kind_of(path: Path) -> str:
    """The kind of a file.

    Returns:
        "hdf5", "zip", "npy", "gzip", "rar", "7z", "picture", "lfs", "annex", "html", "empty", "pickle", "json", "text",
        or "unknown".
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        return "empty"
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    # HDF5 may start with a block of somebody else's.
    if any(_bytes_at(path, place, 8) == b"\x89HDF\r\n\x1a\n" for place in (512, 1024, 2048)):
        return "hdf5"
    if head[0] == 0x80 and len(head) > 1 and head[1] <= 5:
        return "pickle"
    return _kind_of_text(head)


def reason_for_no_data(path: Path) -> str | None:
    """Why a file holds nothing that could be read, whatever its name promises; None where it may."""
    if reason := _NO_DATA.get(kind_of(path)):
        return f"{path.name} {reason}; hand in the file itself"
    return None


def _bytes_at(path: Path, place: int, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(place)
        return file.read(count)


def _kind_of_text(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = text[:200].lower()
    if lower.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<body")):
        return "html"
    if b"/annex/objects/" in lower:
        return "annex"
    if text.startswith((b"{", b"[")):
        return "json"
    if (
        head.startswith((b"(dp", b"(lp", b"ccopy_reg", b"ccollections", b"cnumpy", b"cpandas", b"(i"))
        or b"\n." in head[-3:]
    ):
        return "pickle"
    return "text" if b"\0" not in head else "unknown"
