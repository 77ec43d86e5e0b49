"""The assignment as an nbgrader course: cells marked for nbgrader, its folder, and the release without solutions."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import nbformat

from svhn.course.feedback import grade_id
from svhn.errors import SVHNError, one_line
from svhn.files import write_text
from svhn.notebook.cells import NOTEBOOK, QUESTION, assigned, read_notebook
from svhn.notebook.execution import write_notebook
from svhn.rubric.questions import BY_NUMBER, EXPLANATION, PERFORMANCE, QUESTIONS, Row

ASSIGNMENT = "assignment3"
GRADED = {PERFORMANCE, EXPLANATION, "plots"}
_PACKAGE = Path(__file__).parents[1]
_OF_A_COURSE = "nbgrader_config.py", "source", "submitted"
_STUB = "# YOUR CODE HERE"
# The teacher's rooms: students get the package without them, and without leftovers of editors and Python.
_TEACHERS = {"sandbox", "grading", "course"}
_LEFTOVERS = shutil.ignore_patterns("__pycache__", ".*", "*.tmp*", "*~", "*.orig", "*.rej", "README.md")
_CRITERIA = {
    EXPLANATION: "the written answer above: what was done, why, and what its figures say.",
    "plots": "the plots and the written answer above: are they right, readable and understood?",
}

_CONFIG = '''"""nbgrader's settings for this course, written by `python -m svhn course`; yours to change."""

import os
import sys
import warnings
from pathlib import Path

c = get_config()  # noqa: F821
c.ClearSolutions.code_stub = {{"python": "{stub}"}}
# The written answers are the student's; every other file of the release is put back before a hand-in runs.
c.Autograde.exclude_overwriting = {{"{assignment}": ["answers.py"]}}
c.Execute.timeout = 1800  # seconds a cell may take; the others leave a busy machine time to start and to answer
c.Execute.startup_timeout = c.Execute.iopub_timeout = 300
# Where data, time, memory or disk are lacking here, a hand-in gets no marks rather than zeros.
c.Autograde.autograde_preprocessors.insert(1, "svhn.course.faults.RefuseFaults")
# Kernel and nbgrader, both on this machine, would be warned that they talk unencrypted.
c.Execute.extra_arguments = ["--log-level=ERROR"]
# SQLAlchemy's word to nbgrader's authors.
warnings.filterwarnings("ignore", message="Object of type <Submitted")
# Hand-ins run in folders of their own, all of them on the same digits: those of SVHN_DATA, else of the project's data/,
# or where there are none, drawn ones.
source = os.environ.get("SVHN_DATA") or {data!r}
try:
    sys.path.append({project!r})
    from svhn.data.sources import found_in

    if source == {data!r} and found_in(Path(source)) == "drawn":
        source = "drawn"
except Exception as error:  # nbgrader would go on without any of these settings.
    print(f"{{source}}: {{error}}; set SVHN_DATA to the digits that hand-ins are to be measured on", file=sys.stderr)
os.environ["SVHN_DATA"] = os.path.abspath(source) if os.path.exists(source) else source
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
# Nothing is trained here, whatever a hand-in's switch says: the digits that it would learn from need not be drawn.
os.environ["SVHN_EXTEND"] = "0"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# A student's feedback is one page, with the questions' names.
c.GenerateFeedback.post_convert_hook = "svhn.course.feedback.finish_feedback"
c.FormgradeExtension.debug = False  # or it would print these settings
'''


def mark_cells(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Gives a notebook's cells nbgrader's metadata, by their tags, and each question the cells of its rows of marks.

    Solutions may be changed by students, the answers' cells and the loading of the digits may not. A performance row
    becomes a cell that measures, any other row a task that a person marks. Marking twice changes nothing, and outputs
    stay.

    Args:
        notebook: With tagged cells; changed in place.

    Returns:
        The notebook.
    """
    cells, question, former = [], "", {}
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id", "").split("_")[0] in GRADED:
            former[cell.id] = cell  # made anew below
            continue
        if cell.cell_type == "markdown" and (heading := QUESTION.search(cell.source)):
            cells += _graded_cells(question)
            question = heading[1]
        _mark(cell, question)
        cells.append(cell)
    notebook.cells = cells + _graded_cells(question)
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.id in former:
            cell.outputs, cell.execution_count = former[cell.id].outputs, former[cell.id].execution_count
    return notebook


def build_course(folder: Path = Path("course"), notebook: Path = NOTEBOOK) -> Path:
    """Builds an nbgrader course: its settings, the assignment's source, and with nbgrader the student release.

    Hand-ins and marks that the folder already holds stay as they are.

    Args:
        folder: Of the course.
        notebook: The assignment with its solutions; the rest of the project is beside it.

    Returns:
        The folder of the student release.

    Raises:
        SVHNError: The folder holds other things than a course; or nbgrader refuses, as when cells were added or removed
            after the first hand-in was graded.
    """
    if folder.is_dir() and any(folder.iterdir()) and not any((folder / name).exists() for name in _OF_A_COURSE):
        raise SVHNError(f"{folder} holds other things than a course; name a new or an empty folder with --out")
    project = notebook.resolve().parent
    config = _CONFIG.format(
        stub=_STUB,
        assignment=ASSIGNMENT,
        project=str(project),
        data=str(project / "data"),
    )
    if not (folder / "nbgrader_config.py").exists():
        write_text(folder / "nbgrader_config.py", config)
    source = folder / "source" / ASSIGNMENT
    source.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        staged, former = Path(temporary) / "staged", Path(temporary) / "former"
        _write_source(staged, read_notebook(notebook), project)
        if source.exists():
            source.replace(former)
        staged.replace(source)
        try:
            _nbgrader(folder, "generate_assignment", ASSIGNMENT, "--force")
        except SVHNError:
            if former.exists():  # nbgrader removed the release too: make it again as it was.
                source.replace(staged)
                former.replace(source)
                _nbgrader(folder, "generate_assignment", ASSIGNMENT, "--force")
            raise
    return folder / "release" / ASSIGNMENT


def _mark(cell: nbformat.NotebookNode, question: str) -> None:
    """Sets or removes a cell's nbgrader metadata."""
    tags = cell.metadata.get("tags", [])
    solution = "definitions" in tags or bool(question and {"run", "data"} & set(tags))
    locked = not solution and bool({"answer", "data"} & set(tags))
    cell.metadata.pop("nbgrader", None)
    if solution or locked:
        place = "" if "run" in tags or not question else f"_{question.replace('.', '_')}"
        cell.metadata["nbgrader"] = _metadata(tags[-1] + place, solution=solution, locked=locked)


def _metadata(grade_id: str, **settings: bool | float) -> dict[str, bool | float | str]:
    plain = {"grade": False, "locked": False, "solution": False, "task": False, "schema_version": 3}
    return plain | settings | {"grade_id": grade_id}


def _graded_cells(question: str) -> list[nbformat.NotebookNode]:
    return [_graded_cell(row) for row in BY_NUMBER[question].rows] if question in BY_NUMBER else []


def _graded_cell(row: Row) -> nbformat.NotebookNode:
    name = grade_id(row)
    kind = name.partition("_")[0]
    cell_id = name.replace("_", "-")
    if row.calibrated:
        source = f'from svhn.rubric.performance import performance\n\nperformance("{row.question}", globals())'
        marks = _metadata(name, grade=True, locked=True, points=row.points)
        return nbformat.v4.new_code_cell(source, id=cell_id, metadata={"tags": ["performance"], "nbgrader": marks})
    points = f"{row.points:g} point{'' if row.points == 1 else 's'}"
    source = f"**{row.question}, {kind}, {points}, marked by a person:** {_CRITERIA[kind]}"
    marks = _metadata(name, locked=True, task=True, points=row.points)
    return nbformat.v4.new_markdown_cell(source, id=cell_id, metadata={"nbgrader": marks})


def _write_source(folder: Path, notebook: nbformat.NotebookNode, project: Path) -> None:
    """The assignment as its teacher has it: the notebook with solutions marked, empty answers, the harness."""
    stubs, whole = _stubs(), mark_cells(notebook).cells
    notebook.cells = []
    for cell in whole:
        # Words on a solution are part of it, and so is the number of its cells: without a stub, students find none.
        name = cell.metadata.nbgrader.grade_id if cell.metadata.get("nbgrader", {}).get("solution") else ""
        if "solution" in cell.metadata.get("tags", []) or (name and name not in stubs):
            continue
        if name:
            cell.source = f"{stubs[name]}\n### BEGIN SOLUTION\n{cell.source}\n### END SOLUTION"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        notebook.cells.append(cell)
    write_notebook(notebook, folder / NOTEBOOK.name)
    shutil.copytree(_PACKAGE, folder / _PACKAGE.name, ignore=_not_released)
    try:
        write_text(folder / "Makefile", _student_rules((project / "Makefile").read_text(encoding="utf-8")))
        for path in (project / "requirements.txt", *project.glob("constraints.txt")):
            shutil.copy(path, folder)
        shutil.copy(Path(__file__).with_name("student_readme.md"), folder / "README.md")
        names = list(assigned((project / "answers.py").read_text(encoding="utf-8")))
    except (OSError, SyntaxError, ValueError) as error:
        raise SVHNError(f"{project} is not a whole project ({one_line(error)}); restore it from git") from error
    empty = "".join(f'\n{name} = (\n    ""\n)\n' for name in names)
    write_text(folder / "answers.py", f'"""The written answers: full sentences, {_limits()}."""\n{empty}')


def _not_released(folder: str, names: list[str]) -> set[str]:
    return _LEFTOVERS(folder, names) | (_TEACHERS if Path(folder) == _PACKAGE else set())


def _limits() -> str:
    """How long answers may be, as "at most 500 characters each, 800 for 2.1 and 3.1"."""
    limits = {question.number: question.answer_limit for question in QUESTIONS}
    (usual, _), *_ = Counter(limits.values()).most_common()
    others = defaultdict(list)
    for number, limit in limits.items():
        if limit != usual:
            others[limit].append(number)
    listed = "".join(f", {limit} for {' and '.join(numbers)}" for limit, numbers in others.items())
    return f"at most {usual} characters each{listed}"


def _student_rules(makefile: str) -> str:
    """A Makefile without the rules that only the teacher's copy of the project can follow."""
    teachers = "test|grade|samples|bench|publish|verify|course"
    rules = re.sub(rf"^(?:{teachers}):.*\n(?:\t.*\n)*\n", "", makefile, flags=re.M)
    kept = [line for line in rules.splitlines(keepends=True) if not line.startswith(("BENCH", "ARGS", "DATA"))]
    return "".join(re.sub(rf" (?:{teachers})\b", "", line) if line.startswith(".PHONY") else line for line in kept)


def _stubs() -> dict[str, str]:
    """The stubs in place of solution cells, by the cell's id in nbgrader."""
    parts = re.split(r"^# %% (\w+)\n", Path(__file__).with_name("stubs.py").read_text(encoding="utf-8"), flags=re.M)
    return {name: stub.strip() + "\n" for name, stub in zip(parts[1::2], parts[2::2], strict=True)}


def _nbgrader(folder: Path, *arguments: str) -> None:
    # nbgrader starts alembic by its name alone, also where the virtual environment was not activated.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    process = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )
    if process.returncode:
        reasons = re.findall(r"^\s*[\w.]*(?:Error|Exception): (.+)$", process.stderr, re.M) or [process.stderr[-200:]]
        raise SVHNError(f"nbgrader {arguments[0]} failed in {folder}: {one_line(reasons[-1])}")
