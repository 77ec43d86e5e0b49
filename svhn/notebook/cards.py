"""The stored models presented to a reader: a headline for the README, and a card for each model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from svhn.files import write_text
from svhn.learning.records import BY_DIGIT

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
    """A share of so many digits with its 95 % interval (Wilson, 1927), in per cent."""
    interval = binomtest(round(share * of), of).proportion_ci(method="wilson")
    return f"{share:.1%} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def headline(records: Sequence[dict[str, Any]]) -> str:
    """One sentence: what the best model reads, and what it learned from; empty where no record says."""
    measured = [record for record in records if record.get("data") and "test" in record.get("accuracy", {})]
    if not measured:
        return ""
    # Chosen by validation: the best test accuracy of several would flatter.
    best = max(measured, key=lambda record: record["accuracy"]["validation"])
    data = best["data"]
    read = share_with_interval(best["accuracy"]["test"], data["test"])
    return (
        f"The network that reads most validation digits, {best['name']}, reads {read} of {data['test']:,} test digits, "
        f"after learning from {_learned_from(data)}; in brackets, the 95 % interval."
    )


def write_cards(models: Path, records: Sequence[dict[str, Any]]) -> Path:
    """Writes a card for each record into the models' folder.

    Args:
        models: The folder.
        records: Of its models, as `load_record` gives them.

    Returns:
        The file.
    """
    write_text(models / CARDS, "\n".join([_TOP, *(_card(record) for record in records)]))
    return models / CARDS


def _card(record: dict[str, Any]) -> str:
    recipe, data = record.get("recipe") or {}, record.get("data")
    optimizer = (recipe.get("optimizer") or {}).get("class_name", "an optimizer that is not recorded")
    lines = [
        f"## {record['name']}",
        "",
        "| | |",
        "|---|---|",
        f"| size | {record['parameters']:,} parameters, {record['bytes'] / 1e6:.1f} MB |",
        f"| sees | {_preprocessing(record)} |",
    ]
    if data:
        lines.append(f"| learned from | {_learned_from(data)} ({data['name']}) |")
    if recipe:
        steps = f"{recipe['epochs']} epochs of {recipe['steps_per_epoch']:,} batches of {recipe['batch_size']}"
        lines.append(f"| training | {steps}; {optimizer}; seed {recipe['seed']}; {record.get('backend', 'unknown')} |")
        lines.append(f"| augmentation | {recipe.get('augmentation') or 'none'} |")
    for part, share in record.get("accuracy", {}).items():
        if data and part in data:
            lines.append(
                f"| {part} | {share_with_interval(share, data[part])} of {data[part]:,} digits, 95 % interval |"
            )
    if data and BY_DIGIT in record:
        lines.append(f"| test, by digit | {by_digit(record)} |")
    lines.append(f"| limits | {_limits(data)} |")
    return "\n".join([*lines, ""])


def by_digit(record: dict[str, Any]) -> str:
    """The share of each test digit that a model reads right, as one line."""
    return ", ".join(f"{digit}: {share:.1%}" for digit, share in enumerate(record[BY_DIGIT]) if share is not None)


def _preprocessing(record: dict[str, Any]) -> str:
    name = record.get("preprocessing")
    return f"what `{name}` of the notebook makes of an image" if name else "colours, divided by 255"


def _learned_from(data: dict[str, Any]) -> str:
    real, drawn = data.get("train_real", data["train"] if data["real"] else 0), data.get("train_drawn", 0)
    kinds = [f"{real:,} real digits"] if real else []
    return " and ".join(kinds + ([f"{drawn:,} drawn ones" if real else f"{drawn:,} drawn digits"] if drawn else []))


def _limits(data: dict[str, Any] | None) -> str:
    if not data or not data["real"]:
        return "not measured on real digits"
    return "one training from one seed; the split divides digits and not photos"
