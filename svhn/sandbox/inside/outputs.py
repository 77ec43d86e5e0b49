"""Cleans a notebook's outputs and texts: they keep a sane size, and kinds that cannot harm a reader."""

import base64
import binascii
import re
from typing import Any

MOST_TEXT = 100_000  # Characters of one output.
MOST_IMAGE = 5_000_000  # Characters of one plot, in base64.
# The beginnings of tags, entities, links, pictures, formulas, code and addresses. MathJax loads pictures, too.
_ACTIVE = re.compile(r"[<>&\[\]`$\\@~^{}\x00-\x08\x0b-\x1f\x7f]|://|www\.", re.I)
_FIRST_BYTES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}


def clean_output(output: Any) -> dict[str, Any] | None:
    """Cleans one output of a cell.

    Printed text, errors, plain text and plots (PNG, JPEG) are kept. HTML, JavaScript, SVG and widgets are not: a page
    that shows the notebook would run them.

    Args:
        output: The output in a kernel's message or in an untrusted file; it may be anything.

    Returns:
        The output in nbformat's form, or None where nothing of it can be kept.
    """
    if not isinstance(output, dict):
        return None
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return {"output_type": kind, "name": name, "text": cut_text(output.get("text"))}
    if kind == "error":
        lines = output.get("traceback")
        lines = [cut_text(line) for line in lines[:50]] if isinstance(lines, list) else []
        name, value = cut_text(output.get("ename"), 200), cut_text(output.get("evalue"), 2000)
        return {"output_type": kind, "ename": name, "evalue": value, "traceback": lines}
    if kind in ("display_data", "execute_result") and isinstance(output.get("data"), dict):
        data = {key: kept for key, value in output["data"].items() if (kept := _clean_data(key, value))}
        return {"output_type": "display_data", "data": data, "metadata": {}} if data else None
    return None


def clean_markdown(source: str) -> str:
    """A markdown cell without anything that a page could run, fetch or link to.

    Paragraphs of plain words, headings, lists and tables stay as they are. Every other paragraph becomes a block of
    code, unchanged.
    """
    paragraphs = re.split(r"\n[^\S\n]*\n", source.replace("\r\n", "\n").replace("\r", "\n"))
    return "\n\n".join(_as_code(text) if _ACTIVE.search(text) else text for text in paragraphs)


def _as_code(text: str) -> str:
    fence = "~" * max(3, *(len(run) + 1 for run in re.findall("~+", text)), 0)
    return f"{fence}text\n{text}\n{fence}"


def cut_text(text: Any, most: int = MOST_TEXT) -> str:
    """A text's beginning and end, with a note between them where it is longer than `most` characters.

    Half a pair of surrogates, which cannot be written to a file, becomes a question mark.
    """
    text = text.encode(errors="replace").decode() if isinstance(text, str) else ""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}\n[... {len(text) - most:,} characters left out ...]\n{text[-(most // 2) :]}"


def _clean_data(kind: str, value: Any) -> str | None:
    if kind == "text/plain":
        return cut_text(value)
    if kind not in _FIRST_BYTES or not isinstance(value, str) or len(value) > MOST_IMAGE:
        return None
    try:
        image = base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return base64.b64encode(image).decode() if image.startswith(_FIRST_BYTES[kind]) else None
