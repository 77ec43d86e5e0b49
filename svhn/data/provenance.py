"""The digits behind a figure, as records name them."""

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
        name, real, fingerprint: Those of `Digits`.
        digits: The number of digits that were split.
        split_seed: The split's seed.
        train, validation, test: The number of digits in each part.
        train_real, train_drawn: The numbers of real and of drawn training digits.
        drawn: The digits that extend the training digits, if any.
        shown_in_a_pass: The number of digits that a pass over the training digits shows; None means each once.
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
        """The number of digits in a part: "train", "validation" or "test"."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[part]
