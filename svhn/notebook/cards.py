"""A headline about the stored models for the README, and a card for each of them."""

from collections.abc import Sequence
from pathlib import Path

from scipy.stats import binomtest

from svhn.data.provenance import Provenance
from svhn.files import write_text
from svhn.learning.records import Record

CARDS = "README.md"
_TOP = """# The stored models

Each is one file for `keras.saving.load_model` and a record beside it. Written by `make publish` from the records alone.

```python
import keras

model = keras.saving.load_model("models/model_1_1.keras")
```

A model takes float32 (n, 32, 32, 1 or 3), preprocessed as its card says, and gives the probabilities of the digits 0 to
9. `python -m svhn predict --model NAME photo.png` does both. Each reads one digit in the middle of its image, and reads
one in whatever it is shown; none was made for whole numbers, handwriting or the digits of other scripts. SVHN is for
non-commercial use, and so is what was learned from it.
"""


def share_with_interval(share: float, of: int) -> str:
    """A share of a number of digits with its 95 % interval (Wilson, 1927), in per cent."""
    interval = binomtest(round(share * of), of).proportion_ci(method="wilson")
    return f"{share:.1%} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def headline(records: Sequence[Record]) -> str:
    """One sentence about the best model, its test accuracy and its training digits; empty without such a record."""
    measured = [(record, record.data) for record in records if record.data and "test" in record.accuracy]
    if not measured:
        return ""
    # The best model is chosen by validation accuracy: the greatest test accuracy of several would flatter.
    best, data = max(measured, key=lambda pair: pair[0].accuracy["validation"])
    read = share_with_interval(best.accuracy["test"], data.test)
    return (
        f"The network that reads most validation digits, {best.name}, reads {read} of {data.test:,} test digits, "
        f"after learning from {_learned_from(data)}; in brackets, the 95 % interval."
    )


def write_cards(models: Path, records: Sequence[Record]) -> Path:
    """Writes a card for each record into the models' folder.

    Args:
        models: The folder of the stored models.
        records: The records of its models.

    Returns:
        The file.
    """
    write_text(models / CARDS, "\n".join([_TOP, *(_card(record) for record in records)]))
    return models / CARDS


def _card(record: Record) -> str:
    recipe, data = record.recipe, record.data
    sees = f"what `{record.preprocessing}` of the notebook makes of an image"
    steps = f"{recipe.epochs} epochs of {recipe.steps_per_epoch:,} batches of {recipe.batch_size}"
    optimizer = recipe.optimizer.get("class_name", "an optimizer that is not recorded")
    rows = {
        "size": f"{record.parameters:,} parameters, {record.bytes / 1e6:.1f} MB",
        "sees": sees if record.preprocessing else "colours, divided by 255",
        "learned from": f"{_learned_from(data)} ({data.name})" if data else "",
        "training": f"{steps}; {optimizer}; seed {recipe.seed}; {record.backend}",
        "augmentation": recipe.augmentation or "none",
    }
    if data:
        for part, share in record.accuracy.items():
            rows[part] = f"{share_with_interval(share, data.of(part))} of {data.of(part):,} digits, 95 % interval"
        rows["test, by digit"] = by_digit(record)
    measured = "one training from one seed; the split divides digits and not photos"
    rows["limits"] = measured if data and data.real else "not measured on real digits"
    lines = [f"| {title} | {text} |" for title, text in rows.items() if text]
    return "\n".join([f"## {record.name}", "", "| | |", "|---|---|", *lines, ""])


def by_digit(record: Record) -> str:
    """The share of each test digit that a model reads right, as one line; empty where it was not measured."""
    shares = enumerate(record.test_by_digit or [])
    return ", ".join(f"{digit}: {share:.1%}" for digit, share in shares if share is not None)


def _learned_from(data: Provenance) -> str:
    real, drawn = data.train_real, data.train_drawn
    kinds = [f"{real:,} real digits"] if real else []
    return " and ".join(kinds + ([f"{drawn:,} drawn ones" if real else f"{drawn:,} drawn digits"] if drawn else []))
