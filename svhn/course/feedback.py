"""nbgrader's feedback made a student's page: one file, in which each row of marks has the course's name."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from svhn.files import write_text
from svhn.rubric.questions import BY_NUMBER, ROWS, Row

_KEPT = ("timestamp.txt",)


def grade_id(row: Row) -> str:
    """A row's identifier in nbgrader: "performance_1_1", "plots_3_2"."""
    kind = row.aspect or ("performance" if row.calibrated else "plots")
    return f"{kind}_{BY_NUMBER[row.question].identifier}"


_NAMES = {grade_id(row): row.name for row in ROWS}


def name_rows(page: str) -> str:
    """A feedback page of nbgrader's with rows called "1.1 performance", where it says "Test cell" or "Task" of each.

    Links to the rows that a person marks, which lead nowhere in nbgrader's own page, lead to them.
    """
    known = "|".join(_NAMES)
    page = re.sub(rf'(<a href="#({known})">)[^<]*', lambda found: found[1] + _NAMES[found[2]], page)
    page = re.sub(
        rf'<a href="#comment-({known})">Comment(?=<)', lambda found: f"{found[0]} on {_NAMES[found[1]]}", page
    )
    page = re.sub(rf"(?:Grade cell|Task): <code>({known})</code>", lambda found: f"Question {_NAMES[found[1]]}", page)
    # The name that it gets stands before the one that it has: so it is not named twice.
    return re.sub(
        rf'(?<!</a>)(<a name="comment-({known})"></a>)(\s*<div class="panel-heading">\s*'
        r'<span class="nbgrader-label">)[^<]*',
        lambda found: f'<a name="{found[2]}"></a>{found[1]}{found[3]}Question {_NAMES[found[2]]}',
        page,
    )


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
            named = name_rows(text)
            if named != text:
                write_text(path, named)
        elif path.name not in _KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
