"""From slices of features and labels to one matrix."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nbo.asof import AsOf
from nbo.features.build import build_snapshots
from nbo.features.compiled import CompiledFeatures
from nbo.tables.store import Store


@dataclass(frozen=True)
class LabelledRows:
    """Raw feature rows with their outcomes; all arrays of one length n.

    Parameters
    ----------
    rows : pa.Table
        ``account_id`` and the features, in compiled order.
    label : int8 array of shape (n,)
        1 left, 0 stayed.
    account_ids : array of shape (n,)
    as_of_days : int32 array of shape (n,)
        The slice each row belongs to.
    """

    rows: pa.Table
    label: npt.NDArray[np.int8]
    account_ids: npt.NDArray[np.str_]
    as_of_days: npt.NDArray[np.int32]

    @property
    def positives(self) -> int:
        return int(self.label.sum())

    def of_slice(self, as_of: AsOf) -> npt.NDArray[np.bool_]:
        """Mask of the rows of one slice."""
        return np.asarray(self.as_of_days == as_of.day)


def labelled_rows(
    store: Store, compiled: CompiledFeatures, labelled: Sequence[tuple[AsOf, pa.Table]]
) -> LabelledRows:
    """Features of every labelled account of every slice, slice after slice.

    Parameters
    ----------
    labelled : sequence of (AsOf, pa.Table)
        Per slice, ``account_id`` and ``label``; accounts without a label (censored) get no row.
    """
    tables, label, days = [], [], []
    snapshots = build_snapshots(store, compiled, [as_of for as_of, _ in labelled])
    for (as_of, outcomes), built in zip(labelled, snapshots, strict=True):
        snapshot = built.read()
        place = pc.index_in(snapshot["account_id"], value_set=outcomes["account_id"].combine_chunks())
        tables.append(snapshot.filter(pc.is_valid(place)))
        label.append(outcomes["label"].take(pc.drop_null(place)).to_numpy())
        days.append(np.full(len(label[-1]), as_of.day, dtype=np.int32))
    rows = pa.concat_tables(tables).combine_chunks()
    return LabelledRows(
        rows=rows,
        label=np.concatenate(label).astype(np.int8),
        account_ids=np.asarray(rows["account_id"].to_pylist(), dtype=np.str_),
        as_of_days=np.concatenate(days),
    )
