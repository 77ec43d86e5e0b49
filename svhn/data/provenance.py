"""The digits that a figure is of, as records name them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Extension:
    """The drawn digits that extend the training digits."""

    name: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """A record's entry about its digits.

    Attributes:
        name, real, fingerprint: As `Digits` has them.
        digits: How many there are to split.
        split_seed: Of the split.
        train, validation, test: How many each part has.
        train_real, train_drawn: How many of the training digits are real and how many drawn.
        drawn: What the training digits were extended by, None where they were not.
        shown_in_a_pass: How many digits a pass over the training digits shows, None where that is each once.
    """

    name: str
    real: bool
    digits: int
    fingerprint: str
    split_seed: int
    train: int
    validation: int
    test: int
    train_real: int
    train_drawn: int
    drawn: Extension | None = None
    shown_in_a_pass: int | None = None

    @property
    def description(self) -> str:
        """Kind and name, "real SVHN digits (svhn-8k.npz)"."""
        return f"{'real SVHN' if self.real else 'drawn'} digits ({self.name})"

    def of(self, part: str) -> int:
        """How many digits a part has: "train", "validation" or "test"."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[part]
