"""Names of strangers' files and variables: their meaning, and how they are shown and written."""

import re
import unicodedata
from pathlib import PurePath, PurePosixPath

from svhn.rubric.questions import BY_NUMBER, MODELS

# Of a name that is made into a file's: characters, and bytes of UTF-8, of which a file system takes 255.
_CHARACTERS, _BYTES = 100, 200
# Files of other programs, which are named and not read.
FOREIGN = {
    ".pb": "a TensorFlow program", ".tflite": "a TensorFlow Lite model", ".pt": "a PyTorch model",
    ".pth": "a PyTorch model", ".onnx": "an ONNX model", ".index": "a TensorFlow checkpoint",
    ".ckpt": "a TensorFlow checkpoint", ".mat": "a MATLAB file", ".xlsx": "a spreadsheet", ".dill": "a pickle of code",
    ".part": "an unfinished download", ".crdownload": "an unfinished download",
}  # fmt: skip
NETWORKS = (".keras", ".h5", ".hdf5", ".hdf")
DOCUMENTS = (".docx", ".doc", ".odt", ".rtf", ".pdf", ".html", ".htm", ".txt", ".md", ".rmd", ".qmd", ".tex", ".pages")
# No model whatever it is called; a table of learning curves may be `.txt`.
_OTHER = (*(suffix for suffix in DOCUMENTS if suffix != ".txt"), ".py", ".pyc", ".ipynb", ".png", ".jpg", ".jpeg",
          ".svg", ".gif", ".bmp")  # fmt: skip
_CURVES = (".json", ".p", ".pkl", ".pickle", ".joblib", ".csv", ".npy", ".npz", ".log", ".tsv")
UNPACKED = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_ARCHIVES = (".gz", ".bz2", ".xz", ".rar", ".7z", ".zst", ".lzma", ".cab", ".arj", ".lzh", ".ace", ".zipx")
_NOTEBOOK = re.compile(r"(?!\.).*\.ipynb(?:\.(?:txt|json))?", re.I | re.S)  # Browsers add an ending of their own.
_ASIDE = re.compile(r"(?:\b|_)(?:old|backups?|copy|copies|drafts?|archives?|previous|tests?)(?:\b|_)", re.I)
_WRITTEN = re.compile(r"(?:answers?|antwoorden|solutions?|assignment)[^/]*\.py", re.I)
_NAMED = re.compile(r"model[ _.-]*([1-9])[ _.-]*([1-9])(?!\d)", re.I)
_NUMBER = re.compile(r"(?<!\d)(?<!\d[_.-])([1-9])[_.-]([1-9])(?!\d|[_.-]\d)")
ANSWER_WORD = r"(?:answers?|antwoord(?:en)?|explanations?|responses?|ans)"
# "answer_q_1_1" and other names that people use: "ANSWER_1_1", "q11_answer", "answers['1.1']", "answers.q_1_1".
_ANSWER = re.compile(
    rf"(?:(?:my|the|written|text)_?)?{ANSWER_WORD}[\W_]*(?:to_?)?(?:answer_?)?(?:question|vraag|q)?[\W_]*"
    rf"([1-9])[_. -]?([1-9])(?:_?(?:answer|text|final)|_(?:[a-d]|v?\d))?\W*"
    rf"|(?:(?:question|vraag|q)_?)?([1-9])_?([1-9])_?{ANSWER_WORD}",
    re.I,
)


def model_of(name: str) -> str | None:
    """The model that a file's name speaks of: "model_2_1" of "Model-2.1 (final).h5" and of "cnn_2_1.h5".

    Where a name says "model" and its number, that counts; else the only number of a question in it, if it has one. Of a
    path the last name with a number counts: "model_2_1/best.h5" is of that model, too.
    """
    for part in map(_plain, reversed(PurePosixPath(name).parts)):
        found = _NAMED.findall(part) or list(dict.fromkeys(_NUMBER.findall(part)))
        numbers = ["_".join(number) for number in dict.fromkeys(found)]
        if numbers:
            model = f"model_{numbers[0]}" if len(numbers) == 1 else ""
            return model if model in MODELS else None
    return None


def answered_by(name: str) -> str | None:
    """The question that a variable of that name answers, "1.1"; None where it is none of the ten."""
    found = _ANSWER.fullmatch(name[:80])
    number = ".".join(filter(None, found.groups())) if found else ""
    return number if number in BY_NUMBER else None


def is_named_as_asked(name: str) -> bool:
    """Whether a file of a model has the name that the assignment asks for, with an ending of its own or none."""
    return bool(re.match(rf"(?:{'|'.join(MODELS)})(?:\D.*)?$", name))


def shown_name(name: str | PurePath) -> str:
    """A file's name for people and terminals: bytes that are no text or steer a terminal become question marks."""
    text = str(name).encode(errors="replace").decode()
    return "".join(character if character.isprintable() else "?" for character in text)


def file_name(name: str, taken: tuple[str, ...] = (), keep: int = 0) -> str:
    """A name that every file system takes.

    Args:
        name: Any text.
        taken: Names that it must not be, in small letters.
        keep: So many of its last characters stay where it is cut.
    """
    name = unicodedata.normalize("NFC", name)  # Two names that look alike would be two folders.
    plain = re.sub(r"[^\w .+@()-]", "_", name).strip(" .")
    plain = re.sub(r"^[-+@]", "_", plain)  # With which a spreadsheet's formula may start.
    end = plain[len(plain) - keep :] if keep else ""
    start = plain[: len(plain) - keep][: _CHARACTERS - keep]
    start = start.encode()[: _BYTES - len(end.encode())].decode(errors="ignore")
    plain = f"{start}{end}".strip(" .") or "handin"
    return f"{plain}_" if plain.casefold() in taken else plain


def is_of_interest(name: str) -> bool:
    """Whether a file of that name is read: a notebook, written answers, or a file of a model."""
    return is_notebook(name) or bool(_WRITTEN.fullmatch(_plain(name))) or is_model(name)


def is_aside(folder: PurePath) -> bool:
    """Whether a folder's path within a hand-in says that somebody put it aside, as "old" and "tests" do."""
    return bool(_ASIDE.search(str(folder)))


def is_notebook(name: str) -> bool:
    """Whether a file of that name is a notebook that a person sees."""
    return bool(_NOTEBOOK.fullmatch(_plain(name)))


def _plain(name: str) -> str:
    """A name without marks that nobody sees, and without dots and spaces at its end."""
    text = unicodedata.normalize("NFKC", name)
    return "".join(character for character in text if unicodedata.category(character) != "Cf").rstrip(" .")


def is_wanted(name: str) -> bool:
    """Whether to unpack a file of an archive in any case, by its path: it is read, or named as unread."""
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    known = suffix in (*NETWORKS, *FOREIGN, *DOCUMENTS, ".py") or "history" in path.name.lower()
    return known or is_of_interest(path.name) or is_model(name)


def kind_of_name(name: str) -> str:
    """Which of a hand-in's three kinds of file a file of interest is, by its name or path."""
    return "notebooks" if is_notebook(PurePosixPath(name).name) else "models" if is_model(name) else "written"


def is_archive(name: str) -> bool:
    """Whether a file of that name is an archive of any kind."""
    return name.lower().endswith((*UNPACKED, *_ARCHIVES))


def is_model(name: str) -> bool:
    """Whether a file of that name or path is read as a model, its weights or its curves, by its content."""
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    other = suffix in (*FOREIGN, *_OTHER) or is_archive(path.name) or suffix.startswith(".data-")
    by_folder = model_of(path.name) is None and suffix not in (*NETWORKS, *_CURVES)
    return not (other or by_folder or path.name.startswith(".")) and model_of(name) is not None
