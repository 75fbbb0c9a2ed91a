"""A feature snapshot as one matrix in memory."""

import numpy as np
import pyarrow as pa

from nbo.bundle import Bundle, Matrix
from nbo.errors import DataError
from nbo.features.build import Snapshot


def encoded(snapshot: Snapshot, bundle: Bundle) -> tuple[dict[str, int], Matrix]:
    """Row numbers by account, and the account's features as the bundle encodes them; read-only."""
    features = bundle.features.features
    matrix = np.empty((int(snapshot.manifest["rows"]), len(features)))
    accounts: list[str] = []
    for batch in snapshot.batches():
        end = len(accounts) + batch.num_rows
        matrix[len(accounts) : end] = bundle.vocabulary.matrix(pa.Table.from_batches([batch]), features)
        accounts.extend(batch.column("account_id").to_pylist())
    if len(accounts) != len(matrix):
        raise DataError(str(snapshot.folder), f"{len(matrix):,} rows", f"{len(accounts):,}")
    matrix.flags.writeable = False
    return {account: row for row, account in enumerate(accounts)}, matrix
