"""The training matrix with what belongs to its rows."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold

from nbo.bundle import NOTHING_DERIVED, Derivation
from nbo.errors import DataError
from nbo.models.settings import ENOUGH_POSITIVES

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Rows of one or more as-of slices, encoded by the bundle's vocabulary.

    Parameters
    ----------
    matrix : ndarray of shape (n, F), float64
        As :meth:`nbo.bundle.Vocabulary.encode` gives it; NaN = missing.
    label : ndarray of shape (n,), int8
        1 = the event happened in the label window.
    account_ids : ndarray of shape (n,), str
        Rows of one account never stand on both sides of a fold.
    as_of_days : ndarray of shape (n,), int32
        The slice of each row.
    names : tuple of str
        Feature names in the order of the columns.
    categories : tuple of int
        Positions of the columns that hold codes.
    derivation : Derivation
        What the last columns of matrix and names are derived by; a rate among them was counted
        without the rows of the row's own fold.

    Raises
    ------
    DataError
        Shapes that do not fit, labels other than 0 and 1, only one class, or one account.
    """

    matrix: Floats
    label: npt.NDArray[np.int8]
    account_ids: npt.NDArray[Any]
    as_of_days: npt.NDArray[np.int32]
    names: tuple[str, ...]
    categories: tuple[int, ...]
    derivation: Derivation = NOTHING_DERIVED

    def __post_init__(self) -> None:
        n = len(self.label)
        lengths = (len(self.account_ids), len(self.as_of_days))
        if self.matrix.shape != (n, len(self.names)) or lengths != (n, n):
            got = f"{self.matrix.shape}, {self.label.shape}, {lengths[0]} accounts and {lengths[1]} dates"
            raise DataError("training data", f"{n} rows x {len(self.names)} features throughout", got)
        if not np.isin(self.label, (0, 1)).all():
            raise DataError("training data: label", "0 or 1", str(np.unique(self.label)[:5].tolist()))
        if self.positives in (0, n):
            kept = "leavers" if self.positives == 0 else "stayers"
            raise DataError(
                "training data: label",
                "rows of both classes",
                f"no {kept} in {n:,} rows of the training slices",
                next_step="Choose earlier or more training dates, or a longer label horizon",
            )
        if len(np.unique(self.account_ids)) < 2:
            raise DataError("training data", "rows of at least 2 accounts", "1", next_step="Add accounts")

    @property
    def positives(self) -> int:
        """Rows whose label is 1."""
        return int(self.label.sum())

    @property
    def tunable(self) -> bool:
        """Whether there are positives enough to choose parameters by them."""
        return self.positives >= ENOUGH_POSITIVES

    def folds(self, count: int, seed: int) -> list[tuple[Rows, Rows]]:
        """Rows to fit and rows to judge by, per fold; at most as many folds as accounts."""
        accounts = len(np.unique(self.account_ids))
        splitter = GroupKFold(n_splits=min(count, accounts), shuffle=True, random_state=seed)
        return [(fit, judge) for fit, judge in splitter.split(self.matrix, groups=self.account_ids)]

    def part(self, rows: Rows) -> "TrainingData":
        """Some of the rows."""
        return replace(
            self,
            matrix=self.matrix[rows],
            label=self.label[rows],
            account_ids=self.account_ids[rows],
            as_of_days=self.as_of_days[rows],
        )

    def idle_columns(self) -> Iterator[tuple[str, str]]:
        """Names of features that cannot separate rows, with the word for why."""
        for position, name in enumerate(self.names[: len(self.names) - len(self.derivation.derived)]):
            values = self.matrix[:, position]
            known = values[~np.isnan(values)]
            if known.size == 0:
                yield name, "empty"
            elif known.size == values.size and bool((known == known[0]).all()):
                yield name, "constant"
