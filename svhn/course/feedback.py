"""nbgrader's feedback made a student's page: one file, in which each row of marks has the course's name."""

import re
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from svhn.files import write_text
from svhn.rubric.questions import BY_NUMBER, ROWS, Row

_KEPT = ("timestamp.txt",)
# nbgrader's page lets plots be wider than itself.
_STYLE = "<style>img { max-width: 100%; height: auto }</style>"
_SCORE = r"Score: ([\d.]+) / ([\d.]+)"


def grade_id(row: Row) -> str:
    """A row's identifier in nbgrader: "performance_1_1", "plots_3_2"."""
    kind = row.aspect or ("performance" if row.calibrated else "plots")
    return f"{kind}_{BY_NUMBER[row.question].identifier}"


_NAMES = {grade_id(row): row.name for row in ROWS}


def name_rows(page: str, unmarked: Collection[str] = ()) -> str:
    """A feedback page of nbgrader's with rows called "1.1 performance", where it says "Test cell" or "Task" of each.

    Links to the rows that a person marks, which lead nowhere in nbgrader's own page, lead to them.

    Args:
        page: HTML.
        unmarked: Identifiers of the rows that no person has marked yet, to which nbgrader gives 0 points.
    """
    known = "|".join(_NAMES)
    page = re.sub(rf'(<a href="#({known})">)[^<]*', lambda found: found[1] + _NAMES[found[2]], page)
    page = re.sub(
        rf'<a href="#comment-({known})">Comment(?=<)', lambda found: f"{found[0]} on {_NAMES[found[1]]}", page
    )
    page = re.sub(rf"(?:Grade cell|Task): <code>({known})</code>", lambda found: f"Question {_NAMES[found[1]]}", page)
    # The name that it gets stands before the one that it has: so it is not named twice.
    page = re.sub(
        rf'(?<!</a>)(<a name="comment-({known})"></a>)(\s*<div class="panel-heading">\s*'
        r'<span class="nbgrader-label">)[^<]*',
        lambda found: f'<a name="{found[2]}"></a>{found[1]}{found[3]}Question {_NAMES[found[2]]}',
        page,
    )
    page = page if _STYLE in page else page.replace("</head>", f"{_STYLE}</head>", 1)
    return _with_open_rows(page, unmarked) if unmarked else page


def _with_open_rows(page: str, unmarked: Collection[str]) -> str:
    """A page that says which rows are not yet marked, and leaves them out of the sum."""
    rows = "|".join(unmarked)
    listed = re.compile(rf'(<a href="#(?:{rows})">[^<]*</a> \(){_SCORE}')
    open_points = sum(float(found[3]) for found in listed.finditer(page))
    page = listed.sub(r"\1not yet marked, \3 points", page)
    at_the_row = (
        rf'(<a name="(?:{rows})"></a>(?:<a name="[^"]*"></a>)?\s*<div class="panel-heading">(?:(?!</div>).)*?){_SCORE}'
    )
    page = re.sub(at_the_row, r"\1Not yet marked, \3 points", page, flags=re.S)

    def so_far(found: re.Match[str]) -> str:
        return f"{found[1]}Score so far: {found[2]} / {float(found[3]) - open_points:g}; {found[3]} in all"

    return re.sub(rf"(<h4>[^<]*\(){_SCORE}", so_far, page, count=1)


def finish_feedback(assignment: str, notebooks: Iterable[str], **_: Any) -> None:
    """Has a student's feedback be one page, with the rows named; nbgrader would hand back models and harness with it.

    Args:
        assignment: Its name in nbgrader.
        notebooks: Those that pages were made of.
    """
    pages = {f"{Path(notebook).stem}.html" for notebook in notebooks}
    for path in Path("feedback").glob(f"*/{assignment}/*"):
        if path.name in pages and path.is_file():
            text = path.read_text(encoding="utf-8")
            named = name_rows(text, _unmarked(path.stem, assignment, path.parent.parent.name))
            if named != text:
                write_text(path, named)
        elif path.name not in _KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _unmarked(notebook: str, assignment: str, student: str) -> list[str]:
    """The rows of a hand-in that wait for a person, as the course's database says, where it is in its usual place."""
    from nbgrader.api import Gradebook, MissingEntry  # Only nbgrader itself has loaded it.

    if not Path("gradebook.db").exists():
        return []
    with Gradebook("sqlite:///gradebook.db") as gradebook:
        try:
            grades = gradebook.find_submission_notebook(notebook, assignment, student).grades
        except MissingEntry:
            return []
        return [grade.name for grade in grades if grade.needs_manual_grade and grade.name in _NAMES]
