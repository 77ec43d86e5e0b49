"""Names of strangers' files: of which model they speak, and how they are shown and written."""

import re
from pathlib import PurePath, PurePosixPath

from svhn.rubric.questions import BY_NUMBER, MODELS

# Of a name that is made into a file's: characters, and bytes of UTF-8, of which a file system takes 255.
_CHARACTERS, _BYTES = 100, 200
# What a model, its weights or its curves may be stored as; and what other programs store, which is named and not read.
MODEL_SUFFIXES = {".keras", ".h5", ".hdf5", ".hdf", ".json", ".p", ".pkl", ".pickle", ".joblib", ".csv", ".npy", ".npz",
                   ""}  # fmt: skip
FOREIGN = {
    ".pb": "a TensorFlow program", ".tflite": "a TensorFlow Lite model", ".pt": "a PyTorch model",
    ".pth": "a PyTorch model", ".onnx": "an ONNX model", ".index": "a TensorFlow checkpoint",
    ".ckpt": "a TensorFlow checkpoint", ".mat": "a MATLAB file", ".xlsx": "a spreadsheet", ".dill": "a pickle of code",
}  # fmt: skip
NETWORKS = (".keras", ".h5", ".hdf5", ".hdf")
_WRITTEN = ("answers.py", "solution.py")
_NAMED = re.compile(r"model[ _.-]*([1-9])[ _.-]*([1-9])(?!\d)", re.I)
_NUMBER = re.compile(r"(?<!\d)(?<!\d[_.-])([1-9])[_.-]([1-9])(?!\d|[_.-]\d)")
ANSWER_WORD = r"(?:answers?|antwoord(?:en)?|explanations?|responses?|ans)"
# "answer_q_1_1" and what people write in its place: "ANSWER_1_1", "q11_answer", "answers['1.1']", "answers.q_1_1".
_ANSWER = re.compile(
    rf"(?:(?:my|the|written|text)_?)?{ANSWER_WORD}[\W_]*(?:to_?)?(?:answer_?)?(?:question|vraag|q)?[\W_]*"
    rf"([1-9])[_. -]?([1-9])(?:_?(?:answer|text|final)|_(?:[a-d]|v?\d))?\W*"
    rf"|(?:(?:question|vraag|q)_?)?([1-9])_?([1-9])_?{ANSWER_WORD}",
    re.I,
)


def model_of(name: str) -> str | None:
    """The model that a file's name speaks of: "model_2_1" of "Model-2.1 (final).h5" and of "cnn_2_1.h5".

    Where a name says "model" and its number, that counts; else the only number of a question in it, if it has one.
    """
    found = _NAMED.findall(name) or list(dict.fromkeys(_NUMBER.findall(name)))
    numbers = ["_".join(number) for number in dict.fromkeys(found)]
    name = f"model_{numbers[0]}" if len(numbers) == 1 else ""
    return name if name in MODELS else None


def answered_by(name: str) -> str | None:
    """The question that a variable of that name answers, "1.1"; None where it is none of the ten."""
    found = _ANSWER.fullmatch(name[:80])
    number = ".".join(filter(None, found.groups())) if found else ""
    return number if number in BY_NUMBER else None


def is_named_as_asked(name: str) -> bool:
    """Whether a file of a model has the name that the assignment asks for, with an ending of its own or none."""
    return bool(re.match(rf"(?:{'|'.join(MODELS)})(?:\D.*)?$", name))


def shown_name(name: str | PurePath) -> str:
    """A file's name for people and terminals: bytes that are no text and what steers a terminal become marks."""
    text = str(name).encode(errors="replace").decode()
    return "".join(character if character.isprintable() else "?" for character in text)


def file_name(name: str, taken: tuple[str, ...] = (), keep: int = 0) -> str:
    """A name that every file system takes.

    Args:
        name: Any text.
        taken: Names that it must not be, in small letters.
        keep: So many of its last characters stay where it is cut.
    """
    plain = re.sub(r"[^\w .+@()-]", "_", name).strip(" .")
    plain = re.sub(r"^[-+@]", "_", plain)  # With which a spreadsheet's formula may start.
    end = plain[len(plain) - keep :] if keep else ""
    start = plain[: len(plain) - keep][: _CHARACTERS - keep]
    start = start.encode()[: _BYTES - len(end.encode())].decode(errors="ignore")
    plain = f"{start}{end}".strip(" .") or "handin"
    return f"{plain}_" if plain.casefold() in taken else plain


def is_of_interest(name: str) -> bool:
    """Whether a file of that name is read: a notebook, written answers, or a file of a model."""
    notebook = name.lower().endswith(".ipynb") and not name.startswith(".")
    return notebook or name.lower() in _WRITTEN or is_model(name)


def is_wanted(name: str) -> bool:
    """Whether to unpack a file of an archive in any case: what is read, and what is named as unread."""
    suffix = PurePosixPath(name).suffix.lower()
    return is_of_interest(name) or suffix in (*NETWORKS, *FOREIGN) or "history" in name.lower()


def kind_of_name(name: str) -> str:
    """Which of a hand-in's three kinds of file a file of interest is."""
    return "models" if is_model(name) else "notebooks" if name.lower().endswith(".ipynb") else "written"


def is_model(name: str) -> bool:
    """Whether a file of that name holds a model, its weights or its curves."""
    suffix = PurePosixPath(name).suffix.lower()
    # "model_2.1" has no suffix.
    plain = suffix in MODEL_SUFFIXES or bool(re.fullmatch(r"\.\d\w*", suffix))
    return plain and not name.startswith(".") and model_of(name) is not None
