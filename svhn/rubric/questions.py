"""The questions of the assignment and their points, in one table that everything else reads."""

from dataclasses import dataclass, field

PERFORMANCE, EXPLANATION, WHOLE = "performance", "explanation", ""
COLOUR, GREY = "colour", "grey"
PYRAMID, DENSE, CONVOLUTIONAL, VGG16 = "pyramid", "dense", "convolutional", "VGG16"
VALIDATION, TEST = "validation", "test"


@dataclass(frozen=True)
class Row:
    """One row of marks.

    Attributes:
        question: Its number, "1.1".
        aspect: `PERFORMANCE`, `EXPLANATION`, or `WHOLE` for a question of one row.
        points: For a mark of 10.
        calibrated: Whether an accuracy decides the mark; otherwise a person does.
    """

    question: str
    aspect: str
    points: float
    calibrated: bool

    @property
    def name(self) -> str:
        """As in tables: "1.1 performance", "3.1"."""
        return f"{self.question} {self.aspect}".strip()


@dataclass(frozen=True)
class Question:
    """A question.

    Attributes:
        number: "1.1".
        title: As the notebook's heading has it.
        points: Shared equally by its rows of marks.
        aspects: Of its rows of marks.
        figure: Of which part an accuracy decides the mark, `VALIDATION` or `TEST`; empty where none does.
        names: Variables and functions that the notebook defines for it, besides `build_MODEL` of its model.
        answer_limit: How many characters its written answer may have.
        answer_optional: Whether a hand-in may leave the answer out.
        model: The name of the model that is stored for it, empty for none.
        base: The name of another question's model whose embeddings it classifies.
        split: The notebook's variable with the digits that the model is trained on; it tells how images are
            preprocessed.
        images: Those that the model sees: `COLOUR` or `GREY`.
        network: `PYRAMID` (dense, each layer narrower), `DENSE`, `CONVOLUTIONAL` or `VGG16`.
        same_network_as: The model whose network it is to have.
        epochs: The fewest and the most that the model may be trained for.
        reference: The reference hand-in's figures, by row of the table of results.
    """

    number: str
    title: str
    points: float
    aspects: tuple[str, ...] = (WHOLE,)
    figure: str = ""
    names: tuple[str, ...] = ()
    answer_limit: int = 500
    answer_optional: bool = False
    model: str = ""
    base: str = ""
    split: str = ""
    images: str = ""
    network: str = ""
    same_network_as: str = ""
    epochs: tuple[int, int] = (5, 100)
    reference: dict[str, str] = field(default_factory=dict)

    @property
    def identifier(self) -> str:
        """The number as names have it: "1_1"."""
        return self.number.replace(".", "_")

    @property
    def rows(self) -> tuple[Row, ...]:
        """Its rows of marks."""
        share = self.points / len(self.aspects)
        decided = {aspect for aspect in self.aspects if self.figure and aspect != EXPLANATION}
        return tuple(Row(self.number, aspect, share, aspect in decided) for aspect in self.aspects)


_BOTH = (PERFORMANCE, EXPLANATION)

# The reference hand-in was trained on 63,544 real digits.
QUESTIONS = (
    Question(
        "1.1", "Baseline model", 4, _BOTH, VALIDATION,
        names=("evaluation_split",),
        model="model_1_1", split="evaluation_split", images=COLOUR, network=PYRAMID, epochs=(5, 50),
        reference={"model_1_1": "84.5 %, validation"},
    ),
    Question(
        "1.2", "Preprocessing", 2, _BOTH, VALIDATION,
        names=("preprocessed_split",),
        model="model_1_2", split="preprocessed_split", images=GREY, network=DENSE,
        reference={"model_1_2": "85.7 %, validation"},
    ),
    Question(
        "1.3", "Regularisation", 4, _BOTH, VALIDATION,
        model="model_1_3", split="preprocessed_split", images=GREY, network=DENSE,
        reference={"model_1_3": "88.9 %, validation"},
    ),
    Question(
        "2.1", "Design a ConvNet", 7, _BOTH, VALIDATION,
        answer_limit=800,
        model="model_2_1", split="preprocessed_split", images=GREY, network=CONVOLUTIONAL,
        reference={"model_2_1": "95.7 %, validation"},
    ),
    Question(
        "2.2", "Data augmentation", 3, _BOTH, VALIDATION,
        names=("augmented_split",),
        model="model_2_2", split="augmented_split", images=GREY, network=CONVOLUTIONAL, same_network_as="model_2_1",
        reference={"model_2_2": "96.6 %, validation"},
    ),
    Question(
        "3.1", "Interpreting misclassifications", 2,
        names=("test_accuracy_3_1", "plot_confusion_matrix", "plot_misclassifications"),
        answer_limit=800,
        reference={"3.1": "96.4 %, test", "3.1 averaged over copies": "96.6 %, test"},
    ),
    Question("3.2", "Visualising activations", 4, names=("plot_activations",)),
    # The template of 2020 asks for no text there.
    Question("3.3", "Class activation map", 4, names=("plot_activation_map", "plot_3_3"), answer_optional=True),
    Question(
        "4.1", "Fast feature extraction with VGG16", 5, _BOTH, VALIDATION,
        names=("vgg_split",),
        model="model_4_1", split="vgg_split", images=COLOUR, network=VGG16,
        reference={"model_4_1": "93.2 %, validation"},
    ),
    Question(
        "4.2", "Embeddings and a pipeline", 5, figure=TEST,
        names=("store_embeddings", "load_embedding", "generate_pipeline", "evaluate_pipeline", "evaluation_4_2",
               "pipeline_4_2"),
        base="model_4_1",
        reference={"4.2": "92.7 %, test"},
    ),
)  # fmt: skip

BY_NUMBER = {question.number: question for question in QUESTIONS}
BY_MODEL = {question.model: question for question in QUESTIONS if question.model}
MODELS = tuple(BY_MODEL)
ROWS = tuple(row for question in QUESTIONS for row in question.rows)
POINTS = sum(question.points for question in QUESTIONS)
REFERENCE = {label: figure for question in QUESTIONS for label, figure in question.reference.items()}
