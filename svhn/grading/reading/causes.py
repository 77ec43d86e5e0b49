"""Why something failed, out of an error's text: its cause, without escape codes, paths of this machine or its tail."""

import re

_MOST = 400
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
# Where libraries put the cause: Keras between a headline and the arguments, or at the end of a long description.
_CAUSES = (
    re.compile(r"Exception encountered when calling [^\n]*\n+(.*?)\n+Arguments received", re.S),
    re.compile(r".*(?:Exception encountered|exception was raised|Error encountered): ?(.+)", re.S),
)
_PATH = re.compile(r"(?<![\w./])/(?:[\w.@+-]+/)+([\w.@+-]*)")


def without_escapes(text: str) -> str:
    """A text without the codes that colour it or steer a terminal."""
    return _ESCAPES.sub("", text)


def cause_of(error: BaseException | str) -> str:
    """An error's cause in one line; of a path only the last name stays."""
    text = without_escapes(str(error))
    for pattern in _CAUSES:
        if found := pattern.search(text):
            text = found[1]
            break
    line = " ".join(_PATH.sub(r"\1", text).split())
    line = "".join(character if character.isprintable() else "?" for character in line)
    return (line if len(line) <= _MOST else f"{line[: _MOST - 3]}...") or type(error).__name__
