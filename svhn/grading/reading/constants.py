"""The assignments of a source, out of its syntax tree; none of it is run."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from svhn.grading.reading.names import answered_by

# Ways to lay out a long text, by name: of methods, and of functions of `textwrap` and `inspect`.
_METHODS = {"strip": str.strip, "lstrip": str.lstrip, "rstrip": str.rstrip}
_FUNCTIONS: dict[str | None, Callable[[str], str]] = {
    "dedent": textwrap.dedent,
    "cleandoc": inspect.cleandoc,
    "str": str,
}
_LEADING_ZEROS = re.compile(r"^([ \t]*\w+[ \t]*=[ \t]*)(0\d+)([ \t]*(?:#.*)?)$", re.M)
_LONGEST_ASSIGNMENT, _MOST_LOST = 80, 50
Values = dict[str, tuple[Any, str]]


def parse(source: str) -> ast.Module:
    """The syntax tree of a source; a number with leading zeros, as of a student, is taken for a text.

    Raises:
        SyntaxError, ValueError, RecursionError or MemoryError: It is no Python, or nested too deeply.
    """
    try:
        return ast.parse(source)
    except SyntaxError:
        quoted = _LEADING_ZEROS.sub(r'\1"\2"\3', source)
        if quoted == source:
            raise
        return ast.parse(quoted)


def collect(tree: ast.Module, where: str, values: Values, is_wanted: Callable[[str], bool]) -> None:
    """Notes the constants that a source assigns outside functions; a later one replaces or lengthens an earlier one.

    Args:
        tree: Of the source.
        where: Its name in findings.
        values: Gets a value and where it is from, by name; None for a value that is computed.
        is_wanted: Tells the names that are noted.
    """
    for name, node, lengthens in _assignments(tree.body):
        if not is_wanted(name):
            continue
        value, earlier = constant(node), values.get(name, (None, ""))[0]
        if lengthens:
            value = earlier + value if isinstance(earlier, str) and isinstance(value, str) else None
        values[name] = (value, where)
    # An answer that is set where no value can be told is computed, and not missing.
    for name in _out_of_sight(tree):
        if answered_by(name):
            values.setdefault(name, (None, where))


def salvage(source: str, where: str, values: Values, is_wanted: Callable[[str], bool]) -> set[str]:
    """Notes single assignments of a source that is no Python as a whole.

    Returns:
        The names that it assigns and that could not be read.
    """
    lines, lost = source.splitlines(), set[str]()
    for start, line in enumerate(lines):
        if len(lost) > _MOST_LOST:
            break
        found = re.match(r"\s*(\w+)\s*(?::\s*\w+\s*)?\+?=(?!=)", line)
        if not found or not is_wanted(found[1]):
            continue
        for end in range(start + 1, min(start + _LONGEST_ASSIGNMENT, len(lines)) + 1):
            try:
                tree = parse(textwrap.dedent("\n".join(lines[start:end])))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            collect(tree, where, values, is_wanted)
            lost.discard(found[1])
            break
        else:
            lost.add(found[1])
    return lost


def _assignments(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr, bool]]:
    """Names that are assigned outside functions, their values, and whether these are added to earlier ones (`+=`)."""
    waiting = list(reversed(body))
    while waiting:
        statement = waiting.pop()
        waiting += reversed(_inner(statement))
        augments = isinstance(statement, ast.AugAssign)
        lengthens = isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add)
        if isinstance(statement, ast.Assign):
            pairs = [(target, statement.value) for target in statement.targets]
        elif isinstance(statement, ast.AnnAssign | ast.AugAssign) and statement.value and (lengthens or not augments):
            pairs = [(statement.target, statement.value)]
        else:
            continue
        for target, value in pairs:
            named = [(target, value)]
            if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
                shared_out = not any(isinstance(part, ast.Starred) for part in [*target.elts, *value.elts])
                named = list(zip(target.elts, value.elts, strict=False)) if shared_out else []
            for one, node in named:
                yield from ((name, part, lengthens) for name, part in _entries(_name_of(one), node) if name)


def _name_of(target: ast.expr) -> str:
    """The name of a target: `answers`, `answers['1.1']` or `answers.q_1_1`; empty where it has none."""
    owner = getattr(target, "value", None)
    if isinstance(target, ast.Subscript) and isinstance(owner, ast.Name) and isinstance(target.slice, ast.Constant):
        return f"{owner.id}[{target.slice.value!r}]"
    if isinstance(target, ast.Attribute) and isinstance(owner, ast.Name):
        return f"{owner.id}.{target.attr}"
    return target.id if isinstance(target, ast.Name) else ""


def _entries(name: str, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """The value of a name, and of a dictionary each entry under a name of its own."""
    yield name, value
    if isinstance(value, ast.Dict):
        named = ((key, part) for key, part in zip(value.keys, value.values, strict=True))
        yield from ((f"{name}[{key.value!r}]", part) for key, part in named if isinstance(key, ast.Constant))
    elif isinstance(value, ast.Call) and getattr(value.func, "id", None) == "dict":
        yield from ((f"{name}[{entry.arg!r}]", entry.value) for entry in value.keywords)


def _out_of_sight(tree: ast.Module) -> Iterator[str]:
    """Names that are set or imported anywhere, in functions too, and those that something is stored under."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield node.asname or node.name
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) == "setattr" and len(node.args) == 3:
            yield str(getattr(node.args[1], "value", ""))
        elif isinstance(getattr(node, "ctx", None), ast.Store):
            yield _name_of(cast(ast.expr, node)) or str(getattr(getattr(node, "slice", None), "value", ""))


def _inner(statement: ast.stmt) -> list[ast.stmt]:
    """The statements of a block that are run where the block is; of `if False:` those of its `else`."""
    if isinstance(statement, ast.If) and isinstance(statement.test, ast.Constant):
        return statement.body if statement.test.value else statement.orelse
    if isinstance(statement, ast.If | ast.For | ast.While):
        return [*statement.body, *statement.orelse]
    if isinstance(statement, ast.With):
        return statement.body
    if isinstance(statement, ast.Try):
        return [*statement.body, *statement.orelse, *statement.finalbody]
    return []


def constant(node: ast.expr) -> str | int | None:
    """The value of a text or number, or of texts put together out of constants; None for anything else.

    A template's `None` or `...` is an empty text. A row of texts, as a comma after one makes, is its lines.
    """
    if isinstance(node, ast.Constant):
        value = node.value.decode(errors="replace") if isinstance(node.value, bytes) else node.value
        if value is None or value is ...:
            return ""
        if isinstance(value, int) and not isinstance(value, bool):
            # A number of thousands of digits is nobody's, and cannot be written as text.
            return value if value.bit_length() < 100 else None
        return value if isinstance(value, str) else None
    if isinstance(node, ast.JoinedStr) and all(isinstance(part, ast.Constant) for part in node.values):
        return "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
    if isinstance(node, ast.List | ast.Tuple):
        values = [constant(part) for part in node.elts]
        return "\n".join(map(str, values)) if values and None not in values else None
    if isinstance(node, ast.BinOp):
        return _joined("", _added(node))
    return _called(node) if isinstance(node, ast.Call) and not node.keywords else None


def _added(node: ast.expr) -> Iterator[ast.expr]:
    """The parts of a row of `+`, however long."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add):
            waiting += [part.right, part.left]
        else:
            # Another operation is no text: as a name, which is none either, it cannot be asked the same again.
            yield ast.Name("?") if isinstance(part, ast.BinOp) else part


def _joined(between: str, nodes: Iterable[ast.expr]) -> str | None:
    values = [constant(node) for node in nodes]
    texts = [value for value in values if isinstance(value, str)]
    return between.join(texts) if len(texts) == len(values) else None


def _called(node: ast.Call) -> str | None:
    """The result of `text.strip()`, `dedent(text)` or `" ".join([text, text])` of constants."""
    name = getattr(node.func, "attr", getattr(node.func, "id", None))
    owner = constant(node.func.value) if isinstance(node.func, ast.Attribute) else None
    if isinstance(owner, str) and name == "join" and len(node.args) == 1:
        return _joined_by(owner, node.args[0])
    texts = [text for argument in node.args if isinstance(text := constant(argument), str)]
    if len(texts) < len(node.args):
        return None
    if isinstance(owner, str) and name in _METHODS and not texts:
        return _METHODS[name](owner)
    if isinstance(owner, str) and name == "replace" and len(texts) == 2:
        # Nobody's answer grows by that: a text of a few bytes could ask for gigabytes.
        old, new = texts
        return owner.replace(old, new) if len(new) <= len(old) else None
    return _FUNCTIONS[name](texts[0]) if name in _FUNCTIONS and len(texts) == 1 else None


def _joined_by(between: str, node: ast.expr) -> str | None:
    """The result of `between.join(...)` of a row of texts, or of the words of one."""
    if isinstance(node, ast.List | ast.Tuple):
        return _joined(between, node.elts)
    if not isinstance(node, ast.Call) or getattr(node.func, "attr", "") != "split" or node.args:
        return None
    text = constant(getattr(node.func, "value", node))
    return between.join(text.split()) if isinstance(text, str) else None
