"""A loopback stand-in for openml.org that serves data set 41081 as the REST API and the file store do.

Not a test itself: the tests and the memory benchmark load from it through the real client. The digits are noise.
"""

import hashlib
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PIXELS = 3072
OFFICIAL = tuple(str(i) for i in range(1, 11))
API = "/api/v1/xml/data"
ARFF_PATH = "/data/v1/download/41081/SVHN.arff"
PARQUET_PATH = "/datasets/0004/41081/dataset_41081.pq"


def noise(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pixels, uint8 (rows, 3072), and class positions, int64 (rows,), 0..9."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, PIXELS), dtype=np.uint8), rng.permutation(rows) % 10


def write_arff(
    path: Path,
    pixels: np.ndarray,
    positions: np.ndarray,
    *,
    values: Sequence[str] = OFFICIAL,
    newline: str = "\n",
    quote: str = "",
) -> Path:
    """Writes digits as dense ARFF; `positions` are those of the class values."""
    number = np.array([f"{value}," for value in range(256)], dtype="S4")
    nominal = ",".join(quote + value + quote for value in values)
    header = ["% made for a test", "@RELATION SVHN", "", *(f"@ATTRIBUTE V{i} INTEGER" for i in range(PIXELS))]
    header += [f"@attribute Class {{{nominal}}}", "", "@DATA"]
    with path.open("wb") as file:
        file.write("".join(line + newline for line in header).encode())
        for row, c in zip(pixels, positions, strict=True):
            # The numbers differ in width, and NumPy pads the narrow ones with zero bytes.
            file.write(number[row].tobytes().replace(b"\0", b"") + f"{quote}{values[c]}{quote}{newline}".encode())
    return path


def write_parquet(path: Path, pixels: np.ndarray, classes: pa.Array, dtype: str = "uint8") -> Path:
    """Writes digits as parquet with one row group; `classes` becomes the column "class"."""
    columns = {f"V{i}": pixels[:, i].astype(dtype) for i in range(PIXELS)}
    pq.write_table(pa.table({**columns, "class": classes}), path)
    return path


class OpenMLServer:
    """Serves one data set on a free port of this machine while its `with` block runs.

    Attributes:
        url: What belongs into `openml.config.server`.
        requests: The paths asked for so far.
        broken_off: Whether to hang up in the middle of a data file.
    """

    def __init__(
        self,
        arff: Path,
        rows: int,
        *,
        parquet: Path | None = None,
        values: Sequence[str] | None = OFFICIAL,
        md5: str | None = None,
    ) -> None:
        """Takes the files; `values` are the nominal class values that the API lists, `md5` a digest to claim."""
        self.requests: list[str] = []
        self.broken_off = False
        self._files = {ARFF_PATH: arff} | ({PARQUET_PATH: parquet} if parquet else {})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        root = f"http://127.0.0.1:{self._http.server_port}"
        self.url = f"{root}/api/v1/xml"
        if md5 is None:
            with arff.open("rb") as file:
                md5 = hashlib.file_digest(file, "md5").hexdigest()
        self._texts = {
            f"{API}/41081": _description(root, md5, parquet is not None),
            f"{API}/features/41081": _features(values),
            f"{API}/qualities/41081": _qualities(rows),
        }

    def __enter__(self) -> "OpenMLServer":
        """Starts to serve."""
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops serving and frees the port."""
        self._http.shutdown()
        self._http.server_close()

    @property
    def downloads(self) -> list[str]:
        """The requests for data files, without those that only ask whether they are there."""
        return [path for path in self.requests if path in (ARFF_PATH, PARQUET_PATH)]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.split("?")[0]
                server.requests.append(path)
                self._answer(path, body=True)

            def do_HEAD(self) -> None:
                self._answer(self.path.split("?")[0], body=False)

            def _answer(self, path: str, body: bool) -> None:
                if path in server._texts:
                    content = server._texts[path].encode()
                    self._headers(200, len(content), "text/xml; charset=utf-8")
                    if body:
                        self.wfile.write(content)
                elif path in server._files:
                    with server._files[path].open("rb") as file:
                        self._headers(200, server._files[path].stat().st_size, "text/plain; charset=utf-8")
                        while body and (chunk := file.read(1 << 20)):
                            self.wfile.write(chunk)
                            if server.broken_off:
                                return
                else:
                    self._headers(404, 0, "text/xml")

            def _headers(self, status: int, size: int, kind: str) -> None:
                self.send_response(status)
                for name, value in {
                    "Content-Type": kind,
                    "Content-Length": str(size),
                    "ETag": '"0123456789abcdef"',
                    "Last-Modified": "Thu, 02 Jan 2020 03:04:05 GMT",
                }.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _description(root: str, md5: str, parquet: bool) -> str:
    fields = {
        "id": "41081",
        "name": "SVHN",
        "version": "1",
        "format": "ARFF",
        "licence": "Public",
        "url": root + ARFF_PATH,
        **({"parquet_url": root + PARQUET_PATH} if parquet else {}),
        "default_target_attribute": "class",
        "visibility": "public",
        "status": "active",
        "md5_checksum": md5,
    }
    return _document("data_set_description", "".join(_element(name, text) for name, text in fields.items()))


def _features(values: Sequence[str] | None) -> str:
    features = [{"name": f"V{i}", "data_type": "numeric"} for i in range(PIXELS)]
    features.append({"name": "class", "data_type": "numeric" if values is None else "nominal"})
    texts = []
    for index, feature in enumerate(features):
        nominal = "".join(_element("nominal_value", v) for v in values or ()) if feature["name"] == "class" else ""
        inner = _element("index", str(index)) + "".join(_element(k, v) for k, v in feature.items()) + nominal
        texts.append(f"<oml:feature>{inner}{_element('number_of_missing_values', '0')}</oml:feature>")
    return _document("data_features", "".join(texts))


def _qualities(rows: int) -> str:
    pair = _element("name", "NumberOfInstances") + _element("value", f"{rows}.0")
    other = _element("name", "NumberOfFeatures") + _element("value", f"{PIXELS + 1}.0")
    return _document("data_qualities", "".join(f"<oml:quality>{text}</oml:quality>" for text in (pair, other)))


def _document(name: str, inner: str) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><oml:{name} xmlns:oml="http://openml.org/openml">{inner}</oml:{name}>'
    )


def _element(name: str, text: str) -> str:
    return f"<oml:{name}>{escape(text)}</oml:{name}>"
