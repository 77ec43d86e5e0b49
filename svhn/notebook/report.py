"""The verification report: what an executed notebook showed, in the course's shape, as HTML and as plain text."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from jinja2 import Environment
from nbconvert.filters import ansi2html, strip_ansi

from svhn.errors import SVHNError
from svhn.files import write_text
from svhn.notebook.cells import QUESTION, RESULTS, read_figures

_SHOWN = {"run", "answer"}

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
 body { font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; color: #222 }
 body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
 h1 { margin-bottom: .2rem } h2 { margin-top: 3rem; border-bottom: 2px solid #1f5fa8; padding-bottom: .2rem }
 h2 small { color: #666; font-weight: normal; font-size: .7em }
 pre { font: 12px/1.35 "DejaVu Sans Mono", Menlo, Consolas, monospace }
 pre { background: #f6f7f9; padding: .8rem; overflow-x: auto }
 img { max-width: 100%; display: block; margin: 1rem auto }
 blockquote { margin: 1.2rem 0; padding: .6rem 1rem; border-left: 4px solid #1f5fa8; background: #eef3f9 }
 blockquote { white-space: pre-line }
 .ansi-red-fg, .ansi-red-intense-fg { color: #c62828; font-weight: 600 } .ansi-bold { font-weight: 600 }
 nav a { margin-right: .8rem } .facts { color: #555 }
 @media print { h2 { break-before: page } body { max-width: none } }
</style>
<h1>{{ title }}</h1>
<p class="facts">{% for line in head %}{{ line }}<br>{% endfor %}</p>
<nav>{% for s in sections %}<a href="#q{{ s.number }}">{{ s.number }}</a>{% endfor %}</nav>
{% for s in sections %}
<h2 id="q{{ s.number }}">Answer {{ s.number }} ({{ s.points }}p) <small>{{ s.title }}</small></h2>
{% for kind, content in s.parts %}
{%- if kind == "text" %}<pre>{{ ansi(content) | safe }}</pre>
{%- elif kind == "plot" %}<img alt="plot of answer {{ s.number }}" src="data:image/png;base64,{{ content }}">
{%- else %}<blockquote>{{ content }}</blockquote>{% endif %}
{% endfor %}{% endfor %}
<h2>About this run</h2>
<p class="facts">{% for line in foot %}{{ line }}<br>{% endfor %}</p>
</html>
"""


@dataclass
class Section:
    """One question's part of the report; `parts` are pairs of a kind ("text", "plot", "answer") and its content."""

    number: str
    title: str
    points: str
    parts: list[tuple[str, str]] = field(default_factory=list)


def write_report(
    notebook: nbformat.NotebookNode, folder: Path, title: str, last_modified: str, note: str | None = None
) -> list[Path]:
    """Writes `Submission.html` and `Submission.txt`.

    Args:
        notebook: Executed, with tagged cells.
        folder: Where to.
        title: Of the report.
        last_modified: When the hand-in was last changed.
        note: What a reader must know first.

    Returns:
        The two paths.

    Raises:
        SVHNError: The notebook was not executed.
    """
    sections = read_sections(notebook)
    if not any(section.parts for section in sections):
        raise SVHNError("the notebook holds no outputs to report; execute it first (make run)")
    head = _printed(notebook, "versions")[:1] + _printed(notebook, "digits")[:1] + ([note] if note else [])
    foot = [
        f"Running time: {notebook.metadata.get('svhn', {}).get('seconds', float('nan')):.2f} seconds",
        f"Last modified: {last_modified}",
        *_printed(notebook, "versions")[1:],
    ]
    environment = Environment(autoescape=True)
    page = environment.from_string(_PAGE).render(title=title, head=head, sections=sections, foot=foot, ansi=ansi2html)
    html, text = folder / "Submission.html", folder / "Submission.txt"
    write_text(html, page)
    write_text(text, _as_text(title, head, sections, foot))
    return [html, text]


def note_on_answers(notebook: nbformat.NotebookNode, models: Path) -> str | None:
    """That the written answers speak of other digits than those an executed notebook shows; None where they do not."""
    try:
        published = json.loads((models / RESULTS).read_text(encoding="utf-8"))["3.1"]["data"]
        shown = read_figures(notebook)["3.1"]["data"]
        if shown["fingerprint"] == published["fingerprint"]:
            return None
        return f"The written answers speak of the run on {published['name']}; all else here is of other digits."
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_sections(notebook: nbformat.NotebookNode) -> list[Section]:
    """The questions of an executed notebook with what their `run` and `answer` cells put out."""
    sections: list[Section] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (question := QUESTION.search(cell.source)):
            sections.append(Section(question[1], question[2], question[3]))
        tags = set(cell.metadata.get("tags", ()))
        if cell.cell_type != "code" or not sections or not tags & _SHOWN:
            continue
        for kind, content in _outputs(cell):
            sections[-1].parts.append(("answer" if "answer" in tags and kind == "text" else kind, content))
    return sections


def _outputs(cell: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """Texts and plots of a cell in order; standard error (progress bars) is left out."""
    found: list[tuple[str, str]] = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream" and output.name == "stdout":
            # A kernel cuts what was printed into pieces wherever it happens to flush.
            printed = found.pop()[1] if found and found[-1][0] == "text" else ""
            found.append(("text", printed + output.text))
        elif "image/png" in output.get("data", {}):
            found.append(("plot", output.data["image/png"].strip()))
        elif "text/plain" in output.get("data", {}):
            found.append(("text", output.data["text/plain"] + "\n"))
    return [(kind, content.rstrip()) for kind, content in found if content.strip()]


def _printed(notebook: nbformat.NotebookNode, tag: str) -> list[str]:
    """The lines that the cell with a tag printed."""
    cells = [cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())]
    return [line for cell in cells for kind, text in _outputs(cell) if kind == "text" for line in text.splitlines()]


def _as_text(title: str, head: list[str], sections: list[Section], foot: list[str]) -> str:
    lines = [title, "=" * len(title), *head]
    for section in sections:
        heading = f"Answer {section.number} ({section.points}p)"
        lines += ["", heading, "-" * len(heading)]
        for kind, content in section.parts:
            lines += ["[plot]"] if kind == "plot" else [*strip_ansi(content).splitlines(), ""]
    return "\n".join([*lines, "", *foot]) + "\n"
