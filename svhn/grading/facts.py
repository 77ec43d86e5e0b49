"""The facts about a hand-in: its texts, its models' scores, and the comparison of both."""

from dataclasses import dataclass, field

from svhn.data.provenance import Provenance
from svhn.rubric.questions import MODELS

FORMAT = 2
# The reasons in evidence where nothing was handed in.
NO_MODEL, NO_CURVES = "no model was handed in", "no file of learning curves was handed in"


@dataclass(frozen=True, kw_only=True)
class NamedDigits:
    """The digits that a hand-in's record speaks of."""

    name: str
    real: bool
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """The parts of a hand-in's record that grading reads; of its accuracies, those on validation and test digits.

    Attributes:
        accuracy: By part.
        data: None where it says nothing of its digits.
        preprocessing: A function's name; None of a model that sees the colours, empty where nothing is said.
    """

    accuracy: dict[str, float] = field(default_factory=dict)
    data: NamedDigits | None = None
    preprocessing: str | None = ""

    def __post_init__(self) -> None:
        """Checks the values, since strangers write them.

        Raises:
            ValueError: An accuracy is no share, or a text is longer than names are.
        """
        shares = {part: share for part, share in self.accuracy.items() if not 0 <= share <= 1}
        if shares:
            raise ValueError(f"its accuracies are {list(shares.values())[:3]}, not between 0 and 1")
        texts = [self.preprocessing or "", *self.accuracy]
        texts += [self.data.name, self.data.fingerprint] if self.data else []
        if any(len(text) > 255 for text in texts) or len(self.accuracy) > 10:
            raise ValueError("it holds more than names and shares")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A figure that a hand-in states, against the measured one.

    Attributes:
        part: "validation" or "test".
        source: Of the hand-in, "its record".
        claimed, measured, difference: Shares 0..1.
        standard_error: Of the measured one.
        same: Whether it is of these very digits.
        digits: The name that the hand-in's record gives its digits, or None.
        comparable: Whether it is of the same digits or of the same kind.
        at_least: The preprocessing is a guess, and the true figure may be higher.
        above: So far above the claim that the model may have been trained on these digits.
        flagged: Over one percentage point apart.
        contradicted: Flagged, and less than claimed by more than chance explains.
    """

    part: str
    source: str
    claimed: float
    measured: float
    difference: float
    standard_error: float
    same: bool
    digits: str | None
    comparable: bool
    at_least: bool
    above: bool
    flagged: bool
    contradicted: bool


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A model of a hand-in as it was measured.

    Attributes:
        file, bytes: Name and size of its file, its weights included.
        parameters, layers: How many.
        kinds: Of layers with weights, each once.
        filters: Of each convolution.
        structure: A digest of kinds and shapes of all layers with weights.
        convolutions: How many.
        dense: Units of the dense layers, in order.
        channels: Of the images that it sees.
        weights: A digest.
        accuracy: On validation and test digits, 0..1.
        digits: How many there were of each.
        preprocessing, preprocessing_from: By which the images were seen, and why by this one.
        guessed, candidates: Whether it had to be chosen, and the accuracies to choose by.
        outputs: Whether output d stands for the digit d or for OpenML's class index d, the digit (d + 1) % 10.
    """

    file: str
    bytes: int
    parameters: int
    layers: int
    kinds: list[str]
    filters: list[int]
    structure: str
    convolutions: int
    dense: list[int]
    channels: int
    weights: str
    accuracy: dict[str, float]
    digits: dict[str, int]
    preprocessing: str
    preprocessing_from: str
    guessed: bool
    candidates: dict[str, float] | None = None
    outputs: str


@dataclass(kw_only=True)
class Model:
    """A model of a hand-in: its claims and its measurement.

    Attributes:
        curves: The four learning curves; a value is None where it is not finite.
        curves_refused: Why there are none.
        curves_here: Whether this machine's limits or faults are why.
        record: None where there is none.
        notes: Oddities of curves and record.
        measured: None where it was not measured.
        refused: Why it was not.
        here: Whether this machine's limits or faults are why.
        claims: Stated figures against measured ones.
        doubts: Why it may not be the model that its question asks for.
    """

    curves: dict[str, list[float | None]] | None = None
    curves_refused: str = ""
    curves_here: bool = False
    record: Recorded | None = None
    notes: list[str] = field(default_factory=list)
    measured: Measured | None = None
    refused: str = ""
    here: bool = False
    claims: list[Claim] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Student:
    """The student, or several."""

    name: str | None = None
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A written answer, with the length that it had and may have, and where it stands."""

    text: str
    characters: int
    limit: int
    where: str


@dataclass(frozen=True, kw_only=True)
class LastModified:
    """The date of a hand-in's last change, and its source."""

    value: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A plot that a notebook stores below the heading of a question, PNG in base64."""

    question: str
    png: str


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of a hand-in; `unread` is why it was not read."""

    name: str
    bytes: int
    unread: str | None = None


@dataclass(kw_only=True)
class Execution:
    """A notebook's run in the sandbox.

    Attributes:
        ran: Whether all cells ran to the end without an error.
        seconds: How long.
        findings: One line for each fault, attack or limit.
        notebook: The executed copy's file name, None where there was nothing to execute.
        faults: How many of the findings may be this machine's doing.
    """

    ran: bool
    seconds: float
    findings: list[str]
    notebook: str | None
    faults: int = 0


@dataclass(kw_only=True)
class Written:
    """The texts of a hand-in, out of notebooks and sources.

    Attributes:
        student: Name and number.
        date: None where nothing says when.
        answers: By question.
        no_answer: Why there is none, by question.
        no_notebook: Why none was read, empty where one was or there is none.
        evaluation_4_2: The test accuracy of 4.2 that the notebook's outputs state, 0..1.
        printed_4_2: The output of 4.2's cells, where no accuracy was found in it.
        plots: For the person who marks.
        findings: One line for each thing that is missing or unreadable.
        texts_here: Whether this machine's limits or faults are why something was not read.
    """

    student: Student = field(default_factory=Student)
    date: LastModified | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    no_answer: dict[str, str] = field(default_factory=dict)
    no_notebook: str = ""
    evaluation_4_2: float | None = None
    printed_4_2: str | None = None
    plots: list[Plot] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    texts_here: bool = False


@dataclass(kw_only=True)
class Evidence(Written):
    """All that is known of a hand-in.

    Attributes:
        files: Those read, and those that were not.
        models: By name.
        faults: How often the grader itself failed at it.
        execution: Of its notebook, None where it was not asked for.
        unopened: Why it could not be opened.
        digits, data: The digits that its models were measured on.
        handin, key, format: Its name, a digest of all that the evidence depends on, and the evidence's form.
    """

    files: list[File] = field(default_factory=list)
    models: dict[str, Model] = field(default_factory=dict)
    faults: int = 0
    execution: Execution | None = None
    unopened: str | None = None
    digits: str = ""
    data: Provenance | None = None
    handin: str = ""
    key: str = ""
    format: int = FORMAT


def nothing_but(finding: str) -> Evidence:
    """The evidence of a hand-in that could not be opened: one finding."""
    unread = {
        name: Model(
            curves_refused="the learning curves were not read",
            curves_here=True,
            refused="the hand-in could not be opened",
            here=True,
        )
        for name in MODELS
    }
    return Evidence(findings=[finding], texts_here=True, models=unread)
