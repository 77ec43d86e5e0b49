"""Students' names and numbers as people write them, and the placeholders that they leave."""

import re
from typing import Any

from svhn.grading.facts import Student
from svhn.grading.reading.constants import Values
from svhn.grading.reading.names import model_of

# Variables, in small letters and without "_"; a plain `name` is often a layer's.
_NAMES = ("yourname", "studentname", "fullname", "myname", "author", "names", "authors", "students", "name")
_IDS = ("studentid", "studentnumber", "yourid", "studentnr", "myid", "studentno", "idnumber", "studentids")
_PERSON = re.compile(r"(?=.*[A-Z])[^\d_]{3,}")
_TEAM = r"(?:(?:team|group)_?)?(?:member|student|author|partner"
_MEMBER = re.compile(rf"{_TEAM}|name|teammate)_?(?:name_?)?\d{{1,2}}$", re.I)
_MEMBER_ID = re.compile(rf"{_TEAM})_?(?:id|number|nr)_?\d{{1,2}}$|id_?\d$", re.I)
_NUMBER = re.compile(r"(?<!\w)[sS]?\d{5,10}(?!\w)")
_STUDENT = re.compile(r"^Student: (.{1,100}?) \((\w{1,20})\)\s*$", re.M)
_LABEL = r"(?:your|my|full|student'?s?|group|team)?[ _]*"
_NAME_LINE = re.compile(
    rf"^{_LABEL}(?:names?|naam|namen|authors?|auteurs?|members?|students?)\b[ ]*[:=][ ]*(\S.{{0,200}})$", re.I | re.M
)
_ID_LINE = re.compile(
    rf"\b{_LABEL}(?:ids?|numbers?|nummer|nr|no|s-number)\b\.?[ ]*[:=#]?[ ]*(?<!\w)([sS]?\d{{5,10}})(?!\w)", re.I
)
_EACH = re.compile(r"([^\d,;()]{3,60}?)[\s,;:(#-]*(?<!\w)([sSuU]?\d{5,10})(?!\w)")
_PLACEHOLDER = re.compile(
    r"(?:(?:please )?(?:type|write|put|enter|fill in|insert|add)? ?(?:your|the|my) "
    r"(?:full |student |own |written )?(?:answers?|texts?|names?|ids?|numbers?|nr|explanation)(?: (?:goes )?here)?"
    r"|(?:last ?name|surname|family name) (?:first ?name|given name)|(?:first ?name) (?:last ?name|surname)"
    r"|(?:student )?(?:name|id|number)|not (?:done|answered|attempted|yet|done yet|finished|implemented)"
    r"|(?:to ?do|tbd|tba|n a|none|answer|answer here|text here|x{2,}|lorem ipsum.*|placeholder|fill in|empty)|)"
)


def is_of_a_person(name: str) -> bool:
    """Whether a variable of that name is a student's name or number."""
    return _plain(name) in (*_NAMES, *_IDS) or bool(_MEMBER.match(name) or _MEMBER_ID.match(name))


def _plain(name: str) -> str:
    """The name of a variable or of a dictionary's entry in small letters, nothing but letters and digits."""
    return re.sub(r"[\W_]+", "", name).lower()


def is_placeholder(text: str) -> bool:
    """Whether a text is a template's placeholder for an answer, a name or a number."""
    if len(text) > 200:
        return False
    words = " ".join(re.sub(r"[\W_]+", " ", text.casefold()).split())
    return bool(text.strip()) and _PLACEHOLDER.fullmatch(words) is not None


def student(values: Values, cells: list[dict[str, Any]], outputs: str, findings: list[str] | None) -> Student:
    """Name and number of the student; of several all, with semicolons between them.

    Args:
        values: The assignments of the sources.
        cells: Of the notebook; a markdown cell may say it, too.
        outputs: The printed text of its cells.
        findings: Gets a line where one of the two is not found; None where the notebook was not read.
    """
    found = {"name": _first(values, _NAMES), "id": _first(values, _IDS)}
    if not found["name"]:
        found = _members(values) | {key: value for key, value in found.items() if value}
    if printed := _STUDENT.search(outputs):
        found = {"name": found["name"] or printed[1], "id": found["id"] or printed[2]}
    if not found["name"] or not found["id"]:
        said = _in_markdown(cells)
        found = {key: found[key] or said[key] for key in found}
    if found["name"] and not found["id"] and (number := _NUMBER.search(found["name"])):
        found = {"name": _bare(found["name"]) or None, "id": number[0]}
    missing = [word for word, key in (("name", "name"), ("student number", "id")) if not found[key]]
    if missing and findings is not None:
        findings.append(f"no {' and no '.join(missing)} was found (your_name, student_id)")
    return Student(name=found["name"], id=found["id"])


def _first(values: Values, names: tuple[str, ...]) -> str | None:
    given: dict[str, str] = {}
    for name, (value, _) in values.items():
        lines = [line.strip() for line in str(value or "").strip().splitlines()]
        # A name may stand on two lines, or several people's on a line each.
        text = ("; " if all(" " in line or line[-1:].isdigit() for line in lines) else " ").join(lines)
        person = _plain(name) != "name" or (_PERSON.fullmatch(_bare(text)) and not model_of(text))
        if text and person and not is_placeholder(text):
            given[_plain(name)] = text[:200]
    return next((given[name] for name in names if name in given), None)


def _members(values: Values) -> dict[str, str | None]:
    """The members of a team out of `team_member_1 = "Doe, Jane, 1234567"` and the like."""
    names, numbers = [], []
    for variable in sorted(values):
        value = values[variable][0]
        text = str(value).strip() if value is not None else ""
        if not text or is_placeholder(text):
            continue
        if _MEMBER_ID.match(variable):
            numbers.append(text[:20])
        elif _MEMBER.match(variable):
            numbers += _NUMBER.findall(text)
            names.append(_bare(text))
    return {"name": "; ".join(filter(None, names))[:200] or None, "id": "; ".join(numbers)[:200] or None}


def _in_markdown(cells: list[dict[str, Any]]) -> dict[str, str | None]:
    """Name and number out of lines such as "**Name:** Jane Doe" of the first markdown cells that have them."""
    text = "\n".join(cell["source"][:5000] for cell in cells[:30] if cell["cell_type"] == "markdown")
    text = re.sub(r"^[ \t]*\|([^|\n]+)\|([^|\n]+)\|[ \t]*$", r"\1:\2", text, flags=re.M)  # A row of a table.
    plain = "\n".join(re.sub(r"[*_`#|>]+|<[^>]*>", " ", line).strip(" -\t") for line in text.splitlines())
    name, number = _NAME_LINE.search(plain), _ID_LINE.search(plain)
    if name and len(each := _EACH.findall(name[1])) > 1:
        return {"name": "; ".join(_bare(one) for one, _ in each), "id": "; ".join(number for _, number in each)}
    said = re.split(r"[(;|]| - |\bid\b|\bstudent\b", name[1], flags=re.I)[0] if name else ""
    if name and not number:
        number = _NUMBER.search(name[1])
    shown = _bare(said)
    return {
        "name": shown if shown and not is_placeholder(shown) else None,
        "id": (number[number.re.groups] if number else None),
    }


def _bare(text: str) -> str:
    """A name without the number beside it."""
    return re.sub(r"\s+", " ", _NUMBER.sub("", text)).strip(" ,;:()-")[:200]
