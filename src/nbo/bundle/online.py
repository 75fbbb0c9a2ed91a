"""One account's row of a bundle's matrix, out of a mapped snapshot, and what a channel knows better.

The rows are those of :meth:`Bundle.encode` bit for bit, so an online score is the batch's.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nbo.bundle.bundle import Bundle
from nbo.bundle.context import Overridden, check_context, override
from nbo.bundle.vocabulary import Matrix, Vocabulary
from nbo.errors import DataError, UsageError
from nbo.features.compiled import CompiledFeature
from nbo.features.context import ContextValue
from nbo.features.online import OnlineRows, online_rows
from nbo.features.snapshots import Snapshot

NAMED = 5


class BundleRows:
    """Rows of a snapshot as a bundle's matrix has them, read one by one.

    Parameters
    ----------
    rows : OnlineRows
    bundle : Bundle
        Whose features the rows must hold; further ones do not matter.

    Raises
    ------
    DataError
        The snapshot lacks features of the bundle, or holds numbers where the bundle wants texts.
    """

    def __init__(self, rows: OnlineRows, bundle: Bundle) -> None:
        self.rows = rows
        self.features: tuple[CompiledFeature, ...] = bundle.features.features
        self.vocabulary: Vocabulary = bundle.vocabulary
        self._positions = {feature.name: place for place, feature in enumerate(self.features)}
        self._columns = columns_of(rows, self.features)
        self._whole = np.array_equal(self._columns, np.arange(len(rows.names)))
        self._codes = [
            (self._positions[feature.name], codes_of(rows.texts[feature.name], bundle.vocabulary, feature))
            for feature in self.features
            if feature.kind == "category"
        ]

    @classmethod
    def of(cls, snapshot: Snapshot, bundle: Bundle) -> "BundleRows":
        """The rows of a snapshot; :func:`nbo.features.online.online_rows` says what may go wrong."""
        return cls(online_rows(snapshot), bundle)

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, account_id: str) -> bool:
        return account_id in self.rows

    def place(self, account_id: str) -> int | None:
        """The place of an account among all, None where it has no row."""
        return self.rows.place(account_id)

    def row(self, account_id: str) -> Matrix:
        """The encoded features of one account, shape (F,); one's own copy.

        Raises
        ------
        UsageError
            The account has no row in the snapshot.
        StorageError
            Its row is damaged.
        """
        place = self.rows.place(account_id)
        if place is None:
            raise UsageError(
                f"account {account_id}: expected one with an active line at the snapshot's date, got none",
                "Name another account, or build the features of a later date",
            )
        values = self.rows.values(place)
        row = values if self._whole else values[self._columns]
        for position, codes in self._codes:
            code = row[position]
            if code == code:
                row[position] = codes[int(code)]
        return row

    def matrix(self, accounts: Sequence[str]) -> Matrix:
        """The rows of some accounts, shape (n, F), in the order asked; errors as for :meth:`row`."""
        matrix = np.empty((len(accounts), len(self.features)), dtype=np.float64)
        for place, account in enumerate(accounts):
            matrix[place] = self.row(account)
        return matrix

    def raw(self, account_id: str) -> dict[str, ContextValue]:
        """The snapshot's values of one account's features by name, numbers as floats."""
        place = self.rows.place(account_id)
        if place is None:
            raise UsageError(f"account {account_id}: expected one of the snapshot, got none")
        told = self.rows.raw(place)
        return {feature.name: told[feature.name] for feature in self.features}

    def overridden(
        self, row: Matrix, context: Mapping[str, ContextValue]
    ) -> tuple[Matrix, tuple[Overridden, ...]]:
        """A row with what a channel knows better, and what that replaced.

        Parameters
        ----------
        row : ndarray of shape (F,)
            From :meth:`row`; left as it is.
        context : mapping of feature to value
            Only features declared as context, within their ranges; null where the range allows it.

        Raises
        ------
        UsageError
            The first name or value that does not fit.
        """
        check_context(context, self.features)
        return override(row, context, self.features, self.vocabulary)


def columns_of(rows: OnlineRows, features: Sequence[CompiledFeature]) -> npt.NDArray[np.intp]:
    """Where each feature stands in the rows; one error names all that are lacking or of another kind."""
    places = {name: place for place, name in enumerate(rows.names)}
    lacking = [feature.name for feature in features if feature.name not in places]
    other = [
        feature.name
        for feature in features
        if feature.name in places and (feature.kind == "category") != (feature.name in rows.texts)
    ]
    for wrong, got in ((lacking, "too few"), (other, "numbers for texts, or texts for numbers")):
        if wrong:
            raise DataError(
                str(rows.path.parent),
                f"the {len(features)} features of the bundle",
                f"{len(wrong)} {got}",
                examples=wrong[:NAMED],
                next_step="Build the features of this very bundle: nbo score with the same --store",
            )
    return np.array([places[feature.name] for feature in features], dtype=np.intp)


def codes_of(texts: Sequence[str], vocabulary: Vocabulary, feature: CompiledFeature) -> Matrix:
    """The bundle's code of each text of the rows; one that training never saw is *other*."""
    known = {text: code for code, text in enumerate(vocabulary.known(feature))}
    return np.array([known.get(text, len(known)) for text in texts], dtype=np.float64)
