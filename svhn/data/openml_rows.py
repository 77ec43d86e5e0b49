"""The rows of OpenML's data files: pixels as uint8 and class values as text, a few megabytes at a time.

pyarrow reads both formats into the same record batches. ARFF is CSV below its @data line.

Two things are assumed that no file of data set 41081 says. A row's 3,072 pixels, in column order, are an image
(32, 32, 3) in row-major order. The class at position c of the nominal values is the digit (c + 1) % 10;
`digits_of_classes` has the details.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from svhn.digits import IMAGE_SHAPE
from svhn.errors import SVHNError, one_line

# pyarrow takes a while to import and is needed for the first load only, so the functions import it.
if TYPE_CHECKING:
    import pyarrow as pa

PIXELS = int(np.prod(IMAGE_SHAPE))
REMEDY = "put train_32x32.mat and test_32x32.mat into data/, or use --data drawn"

BLOCK_BYTES = 4 << 20
BLOCK_ROWS = 1024

Block = tuple[np.ndarray, list[str]]


def blocks(source: Path, target: str) -> Iterator[Block]:
    """Reads a data file of OpenML from first to last row.

    Args:
        source: A parquet file (.pq), or a dense ARFF file.
        target: The name of the class column, in upper or lower case. All other columns are pixels.

    Yields:
        Pixels, uint8 (rows, 3072), and their class values, text without quotes.

    Raises:
        SVHNError: The file is damaged, has other columns, or pixels that are not whole numbers from 0 to 255.
    """
    import pyarrow as pa

    batches = _parquet_batches if source.suffix == ".pq" else _arff_batches
    try:
        for batch in batches(source, target.lower()):
            column = _class_column(batch.schema.names, target.lower())
            others = [i for i in range(batch.num_columns) if i != column]
            pixels = batch.select(others).to_tensor(row_major=True).to_numpy()
            classes = batch.column(column).cast(pa.string()).to_pylist()
            yield _as_bytes(pixels), [str(value).strip("'\" ").removesuffix(".0") for value in classes]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SVHNError(f"{source}: {one_line(error)}; delete this file and load again, or {REMEDY}") from error


def _parquet_batches(path: Path, target: str) -> "Iterator[pa.RecordBatch]":
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, memory_map=True) as file:
        yield from file.iter_batches(BLOCK_ROWS)


def _arff_batches(path: Path, target: str) -> "Iterator[pa.RecordBatch]":
    """Reads a dense ARFF file, which is CSV from its @data line on, but for comments between the rows."""
    import pyarrow as pa
    from pyarrow import csv

    def comment(row: csv.InvalidRow) -> str:
        return "skip" if row.text.lstrip().startswith("%") else "error"

    with path.open("rb") as file:
        names = _arff_columns(file)
        column = _class_column(names, target)
        types = {str(i): pa.string() if i == column else pa.float32() for i in range(len(names))}
        with csv.open_csv(
            file,
            csv.ReadOptions(block_size=BLOCK_BYTES, column_names=list(types)),
            csv.ParseOptions(quote_char=False, invalid_row_handler=comment),
            csv.ConvertOptions(column_types=types, null_values=["?"]),
        ) as rows:
            for batch in rows:
                yield batch.rename_columns(names)


def _arff_columns(file: BinaryIO) -> list[str]:
    """Reads the header up to and with its @data line, and gives the attributes' names."""
    names: list[str] = []
    for line in iter(file.readline, b""):
        text = line.decode("utf-8", "replace").strip()
        if text.lower() == "@data":
            return names
        attribute = re.match(r"""@attribute\s+('[^']*'|"[^"]*"|\S+)""", text, re.IGNORECASE)
        if attribute:
            names.append(attribute[1].strip("'\""))
    raise ValueError("has no @data line")


def _class_column(names: Sequence[str], target: str) -> int:
    matches = [i for i, name in enumerate(names) if name.lower() == target]
    if len(matches) != 1 or len(names) != PIXELS + 1:
        raise ValueError(f"has {len(names)} columns, {len(matches)} of them named {target}, not {PIXELS} and a class")
    return matches[0]


def _as_bytes(pixels: np.ndarray) -> np.ndarray:
    """Converts whole numbers 0..255 of any type to uint8, and raises for everything else."""
    if pixels.dtype == np.uint8 or len(pixels) == 0:
        return pixels.astype(np.uint8)
    low, high = pixels.min(), pixels.max()
    if not (low >= 0 and high <= 255):  # NaN comes here as well.
        raise ValueError(f"has pixels from {low} to {high}, not 0..255")
    whole = pixels.astype(np.uint8)
    if not np.array_equal(whole, pixels):
        raise ValueError("has pixels that are not whole numbers")
    return whole


def digits_of_classes(values: list[str], nominal: list[str] | None, source: Path) -> np.ndarray:
    """Turns class values into digits.

    The values "1" to "10" are the official labels in any order; 10 is the digit 0. Any other ten nominal values count
    by their position c, as the digit (c + 1) % 10. Numbers 0 to 9 without nominal values are such positions themselves,
    as are those of a file that stores positions in place of values.

    Args:
        values: The class value of each row.
        nominal: The class attribute's values in OpenML's order; None where OpenML lists none.
        source: The file that they come from, for the error's text.

    Returns:
        The digit of each row, uint8 (n,).

    Raises:
        SVHNError: The values cannot stand for ten digits.
    """
    seen = set(values)
    declared = nominal if nominal and seen <= set(nominal) else sorted(seen)
    if set(declared) <= {str(i) for i in range(1, 11)}:
        digits = {value: int(value) % 10 for value in declared}
    elif len(declared) == 10 and declared is nominal:
        digits = {value: (c + 1) % 10 for c, value in enumerate(declared)}
    elif set(declared) <= {str(i) for i in range(10)}:
        digits = {value: (int(value) + 1) % 10 for value in declared}
    else:
        shown = ", ".join(sorted(seen)[:12])
        raise SVHNError(f"{source}: classes {shown} are not ten digits; delete this file and load again, or {REMEDY}")
    return np.array([digits[value] for value in values], dtype=np.uint8)
