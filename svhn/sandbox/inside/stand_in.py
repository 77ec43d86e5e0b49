"""A stand-in for OpenML's two clients inside the sandbox, which has no network: it gives the grader's digits.

The first cell of most hand-ins fetches data set 41081 with `openml` or with scikit-learn's `fetch_openml`.
"""

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

DATASET_ID = 41081
_TARGET = "class"
_NAMES = {"svhn", str(DATASET_ID)}


def install() -> None:
    """Makes the stand-ins take the place of `openml` and `sklearn.datasets` in later imports."""
    sys.meta_path.insert(0, _Finder())


class Dataset:
    """Data set 41081 in the `openml` client's form, made of the grader's digits."""

    dataset_id = id = DATASET_ID
    name, default_target_attribute = "SVHN", _TARGET

    def get_data(
        self,
        target: str | Sequence[str] | None = None,
        include_row_id: bool = False,
        include_ignore_attribute: bool = False,
        dataset_format: str = "dataframe",
    ) -> tuple[Any, Any, list[bool], list[str]]:
        """The client's method of this name.

        Returns:
            Four values. The pixels, float32 (n, 3072), with the class as another column where there is no target. The
            class indices (n,), 0 for the digit 1 and 9 for the digit 0, or None. Whether each column is categorical.
            The columns' names. With `dataset_format` "dataframe" they are pandas objects, and classes are categories.
        """
        pixels, classes = _rows()
        names = [f"V{number}" for number in range(1, pixels.shape[1] + 1)]
        categorical = [False] * len(names)
        if dataset_format == "array":
            import numpy as np

            if target:
                return pixels, classes, categorical, names
            return np.column_stack([pixels, classes]), None, [*categorical, True], [*names, _TARGET]
        import pandas as pd

        table = pd.DataFrame(pixels, columns=names)
        column = pd.Series(pd.Categorical(classes), name=_TARGET)
        if target:
            return table, column, categorical, names
        return table.assign(**{_TARGET: column}), None, [*categorical, True], [*names, _TARGET]


def get_dataset(dataset_id: int | str, *_: Any, **__: Any) -> Dataset:
    """Stands in for `openml.datasets.get_dataset`.

    Raises:
        ConnectionError: Another data set than 41081 is asked for.
    """
    _check(dataset_id)
    return Dataset()


def fetch_openml(
    name: str | None = None,
    *,
    data_id: int | str | None = None,
    return_X_y: bool = False,
    as_frame: str | bool = "auto",
    **__: Any,
) -> Any:
    """Stands in for `sklearn.datasets.fetch_openml`; its classes are texts, as OpenML has them.

    Raises:
        ConnectionError: Another data set than 41081 is asked for.
    """
    from sklearn.utils import Bunch

    _check(name if data_id is None else data_id)
    if as_frame:
        pixels, classes, _, names = Dataset().get_data(_TARGET)
        classes = classes.astype(str).astype("category")
    else:
        pixels, classes, _, names = Dataset().get_data(_TARGET, dataset_format="array")
        classes = classes.astype(str).astype(object)
    if return_X_y:
        return pixels, classes
    return Bunch(data=pixels, target=classes, feature_names=names, target_names=[_TARGET], DESCR="", details={})


def _check(wanted: Any) -> None:
    if str(wanted).lower() not in _NAMES:
        raise ConnectionError(f"Network is unreachable: of OpenML, only data set {DATASET_ID} is here, not {wanted}")


def _rows() -> tuple[Any, Any]:
    """Pixels, float32 (n, 3072), and class indices, uint8 (n,)."""
    from svhn.data.sources import load_digits
    from svhn.settings import Settings

    digits = load_digits(Settings.choose().data)
    print(f"Instead of OpenML's data set {DATASET_ID}: {digits.description}")
    return digits.images.reshape(len(digits), -1).astype("float32"), (digits.labels + 9) % 10


class _Finder(MetaPathFinder, Loader):
    """Makes the modules of `openml`, and replaces one function of scikit-learn's when that is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in ("openml", "openml.datasets"):
            return importlib.util.spec_from_loader(name, self, is_package=name == "openml")
        if name == "sklearn.datasets":
            spec = PathFinder.find_spec(name, path, target)
            if spec and spec.loader:
                execute = spec.loader.exec_module

                def execute_and_change(module: ModuleType) -> None:
                    execute(module)
                    vars(module).update(fetch_openml=fetch_openml)

                spec.loader.exec_module = execute_and_change  # type: ignore[method-assign]  # Of this one loader only.
            return spec
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == "openml":
            vars(module).update(datasets=importlib.import_module("openml.datasets"), OpenMLDataset=Dataset)
        else:
            vars(module).update(get_dataset=get_dataset, OpenMLDataset=Dataset)
