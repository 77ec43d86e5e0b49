"""Who handed in: names and numbers as people write them, and the placeholders that they leave."""

import re
from typing import Any

from svhn.grading.facts import Student
from svhn.grading.reading.constants import Values

_NAMES = ("your_name", "student_name", "full_name", "name", "author", "my_name", "names", "authors", "students")
_IDS = ("student_id", "student_number", "your_id", "student_nr", "studentnumber", "studentid", "my_id", "student_no",
        "id_number", "student_ids")  # fmt: skip
_MEMBER = re.compile(r"(?:(?:team|group)_?)?(?:member|student|author|partner|name|teammate)_?(?:name_?)?\d{1,2}$")
_MEMBER_ID = re.compile(r"(?:(?:team|group)_?)?(?:member|student|author|partner)_?(?:id|number|nr)_?\d{1,2}$|id_?\d$")
_NUMBER = re.compile(r"(?<!\w)[sS]?\d{5,10}(?!\w)")
_STUDENT = re.compile(r"^Student: (.{1,100}?) \((\w{1,20})\)\s*$", re.M)
_LABEL = r"(?:your|my|full|student'?s?|group|team)?[ _]*"
_NAME_LINE = re.compile(rf"^{_LABEL}(?:names?|authors?|members?|students?)\b[ ]*[:=][ ]*(\S.{{0,200}})$", re.I | re.M)
_ID_LINE = re.compile(
    rf"\b{_LABEL}(?:ids?|numbers?|nr|no|s-number)\b\.?[ ]*[:=#]?[ ]*(?<!\w)([sS]?\d{{5,10}})(?!\w)", re.I
)
_PLACEHOLDER = re.compile(
    r"(?:(?:please )?(?:type|write|put|enter|fill in|insert|add)? ?(?:your|the|my) "
    r"(?:full |student |own |written )?(?:answers?|texts?|names?|ids?|numbers?|nr|explanation)(?: (?:goes )?here)?"
    r"|(?:last ?name|surname|family name) (?:first ?name|given name)|(?:first ?name) (?:last ?name|surname)"
    r"|(?:student )?(?:name|id|number)|not (?:done|answered|attempted|yet|done yet|finished|implemented)"
    r"|(?:to ?do|tbd|tba|n a|none|answer|answer here|text here|x{2,}|lorem ipsum.*|placeholder|fill in|empty)|)"
)


def is_of_a_person(name: str) -> bool:
    """Whether a variable of that name says who handed in."""
    return name in _NAMES or name in _IDS or bool(_MEMBER.match(name) or _MEMBER_ID.match(name))


def is_placeholder(text: str) -> bool:
    """Whether a text is what a template has in the place of an answer, a name or a number."""
    if len(text) > 200:
        return False
    words = " ".join(re.sub(r"[\W_]+", " ", text.casefold()).split())
    return bool(text.strip()) and _PLACEHOLDER.fullmatch(words) is not None


def student(values: Values, cells: list[dict[str, Any]], outputs: str, findings: list[str] | None) -> Student:
    """Name and number of who handed in; of several people all, with semicolons between them.

    Args:
        values: What the sources assign.
        cells: Of the notebook; a markdown cell may say it, too.
        outputs: What its cells printed.
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
    texts = [str(values[name][0]).strip() for name in names if name in values and values[name][0] is not None]
    return next((text[:200] for text in texts if text and not is_placeholder(text)), None)


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
    plain = "\n".join(re.sub(r"[*_`#|>]+|<[^>]*>", " ", line).strip(" -\t") for line in text.splitlines())
    name, number = _NAME_LINE.search(plain), _ID_LINE.search(plain)
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
