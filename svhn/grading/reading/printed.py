"""What a notebook's cells printed, and the accuracy of 4.2 in it, in whatever words it was said."""

import re
from collections.abc import Iterator
from typing import Any

from svhn.grading.reading.causes import without_escapes
from svhn.grading.reading.cells import joined

_EVALUATION = re.compile(r"^\W*Evaluation\W*: *([01]?\.\d+|[01])\b", re.M)
_HEADING = re.compile(r"^#+ .*?\b([1-4]\.[1-3])\b", re.M)
_SHARE = r"(?<![\w.])(\d{1,3}(?:\.\d+)? ?%|[01]?\.\d+|1(?:\.0*)?)(?![\w.]*\d)"
_WORDED = re.compile(rf"\b(?:accuracy|acc|score|evaluation)\b[^\n\d]{{0,60}}?{_SHARE}", re.I)
_BARE = re.compile(rf"^\s*(?:np\.float\d+\()?{_SHARE}\)?\s*$")
_SHOWN = 300


def printed(cells: list[dict[str, Any]]) -> Iterator[str]:
    """What each output says as text, without the codes that colour it; of a long one the start."""
    for cell in cells:
        yield from _texts(cell)


def stated_accuracy(cells: list[dict[str, Any]]) -> tuple[float | None, str | None]:
    """The accuracy of 4.2 on the test digits that a notebook's outputs state.

    `Evaluation: 0.8351` counts wherever it stands, the last one. Else what is said in words below the heading of 4.2,
    about the test digits first; else a result that is nothing but a share. Where two shares are stated and nothing says
    which is meant, neither is taken.

    Returns:
        A share, 0..1, or None; and where it is None what the cells of 4.2 printed, for a person to read.
    """
    if stated := _EVALUATION.findall("\n".join(printed(cells))):
        last = float(stated[-1])
        return (last, None) if last <= 1 else (None, f"Evaluation: {stated[-1]}")
    own = [text for cell in _of_4_2(cells) for text in _texts(cell) if text.strip()]
    lines = [line for text in own for line in text.splitlines()]
    worded = [(line, share) for line in lines for share in _WORDED.findall(line)]
    for chosen in ([item for item in worded if re.search(r"\btest", item[0], re.I)], worded):
        shares = {share for _, text in chosen if (share := _share(text)) is not None}
        if len(shares) == 1:
            return shares.pop(), None
    bare = [share for text in own if (found := _BARE.match(text)) and (share := _share(found[1])) is not None]
    if not worded and len(set(bare)) == 1:
        return bare[0], None
    shown = " ".join(" ".join(own).split())
    return None, (shown if len(shown) <= _SHOWN else f"... {shown[-_SHOWN:]}") or None


def _texts(cell: dict[str, Any]) -> Iterator[str]:
    for output in cell["outputs"]:
        data = output.get("data")
        yield without_escapes(joined(output.get("text"))[:100_000])
        yield without_escapes(joined(data.get("text/plain"))[:100_000]) if isinstance(data, dict) else ""


def _of_4_2(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The code cells below the heading of 4.2, or that name its functions."""
    chosen, question = [], None
    for cell in cells:
        if cell["cell_type"] == "markdown" and (headings := _HEADING.findall(cell["source"])):
            question = headings[-1]
        elif cell["cell_type"] == "code" and (
            question == "4.2" or re.search(r"\bevaluat\w*_4_2|\bevaluate_pipeline|\bpipeline_4_2", cell["source"])
        ):
            chosen.append(cell)
    return chosen


def _share(text: str) -> float | None:
    value = float(text.rstrip(" %")) / (100 if text.endswith("%") else 1)
    return value if 0 <= value <= 1 else None
