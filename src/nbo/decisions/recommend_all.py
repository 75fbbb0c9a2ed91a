"""Recommend for every account of a date, in blocks, into one folder that is whole or absent.

``<out>/as_of=YYYY-MM-DD/``: ``part-00000.parquet`` holds the open offers of every account by rank,
``stopped-00000.parquet`` what was stopped by which rule; ``MANIFEST.json`` is written last. Every
decision is in the log before the folder appears; a rerun finds the same decisions there.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from nbo.customers.holdings import held_matrix, holdings
from nbo.decisions.answers import clock, ranked
from nbo.decisions.choice import Choice
from nbo.decisions.log import DecisionLog, NewDecision
from nbo.decisions.recommender import Recommender, Request
from nbo.decisions.scoring import content_digest, to_decimal, unchanged
from nbo.errors import DataError
from nbo.features.build import build_features
from nbo.features.compiled import CompiledFeatures
from nbo.files import canonical_json, lock, read_manifest, sha256_bytes, staged_folder, write_manifest
from nbo.offers.verdicts import Context, verdict_stream
from nbo.tables.store import Store

PART, STOPPED = "part-00000.parquet", "stopped-00000.parquet"
BLOCK = 4_000
"""Accounts ranked at once: the matrix of all their pairs stays within a few hundred megabytes."""
AGAIN = "Run nbo recommend --all again"
WORDS = pa.dictionary(pa.int16(), pa.string())
STOPPED_SCHEMA = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("offer_id", WORDS, nullable=False),
        pa.field("rule", WORDS, nullable=False),
    ]
)
_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class RecommendRun:
    """What a batch of recommendations left behind.

    Parameters
    ----------
    folder : Path
    manifest : mapping
        ``rows``, ``accounts``, ``run_id``, ``stopped`` (offers stopped by rule), versions, ``digest``.
    written : bool
        False where the same recommendations were already there.
    """

    folder: Path
    manifest: Mapping[str, Any]
    written: bool

    def read(self) -> pa.Table:
        """Open offers, sorted by account and rank."""
        return pq.read_table(self.folder / PART, partitioning=None)

    def read_stopped(self) -> pa.Table:
        """Stopped offers with their rules, sorted by account, in catalog order."""
        return pq.read_table(self.folder / STOPPED, partitioning=None)


@dataclass(frozen=True, eq=False)
class Batch:
    """One run over all accounts: by what, through which channel, under which id.

    Parameters
    ----------
    recommender : Recommender
    rule_features : CompiledFeatures
        The features that the rules may read.
    channel : str
        Through which the offers would be made.
    """

    recommender: Recommender
    rule_features: CompiledFeatures
    channel: str

    @property
    def inputs(self) -> dict[str, Any]:
        """Everything the recommendations depend on."""
        return {
            "kind": "recommendations",
            "version": 1,
            "as_of": str(self.recommender.as_of),
            "channel": Request("", self.channel).channel,
            "currency": self.recommender.catalog.currency,
            "offers": [offer.offer_id for offer in self.recommender.catalog.offers],
            "stops": [stop.rule for stop in self.recommender.stops],
            "versions": self.recommender.versions,
        }

    @cached_property
    def run_id(self) -> str:
        """The id of a run over just these inputs: a rerun has the same."""
        return sha256_bytes(canonical_json(self.inputs).encode())[:16]


@dataclass(frozen=True, eq=False)
class Block:
    """Some accounts in ascending order, the ids of their decisions, and what each gets."""

    accounts: list[str]
    decision_ids: list[str]
    choice: Choice


def recommend_all(
    store: Store, batch: Batch, out: Path, log: DecisionLog, *, threads: int = 2
) -> RecommendRun:
    """Recommend for the population of the recommender's date.

    Parameters
    ----------
    out : Path
        Folder that holds one sub-folder per date.
    log : DecisionLog
        Gets every decision before the folder appears.
    threads : int
        Threads of the model; no effect on any value.

    Raises
    ------
    BusyError
        Another job writes the same date.
    StorageError
        The log or the disk let us down: nothing is given then.
    """
    folder = out / f"as_of={batch.recommender.as_of}"
    inputs = {**batch.inputs, "run_id": batch.run_id}
    with lock(folder):
        found = unchanged(folder, inputs)
        if found is not None:
            return RecommendRun(folder, found, written=False)
        log.keep({**batch.recommender.artifacts, batch.run_id: canonical_json(batch.inputs)})
        with staged_folder(folder) as stage:
            facts = write_blocks(ranked_blocks(store, batch, threads), batch, log, stage)
            if not facts["accounts"]:
                expected = f"at least one account with an active line as of {batch.recommender.as_of}"
                raise DataError("lines", expected, "none", next_step="Choose a later date")
            write_manifest(stage, {**inputs, **facts, "digest": content_digest(stage)})
        return RecommendRun(folder, read_manifest(folder, AGAIN), written=True)


def ranked_blocks(store: Store, batch: Batch, threads: int) -> Iterator[Block]:
    """Every account of the population, judged, scored and ranked, block by block."""
    recommender = batch.recommender
    as_of, bundle = recommender.as_of, recommender.bundle
    snapshot = build_features(store, bundle.features, as_of)
    held = holdings(store, as_of)
    verdicts = verdict_stream(
        store,
        recommender.rules,
        recommender.catalog.offers,
        batch.rule_features,
        Context(batch.channel, as_of),
        batch_rows=BLOCK,
    )
    for part, (accounts, judged) in zip(snapshot.batches(BLOCK), verdicts, strict=True):
        rows = pa.Table.from_batches([part])
        if rows["account_id"].to_pylist() != accounts:
            raise DataError(
                str(snapshot.folder), "the population of the rules", "another one", next_step=AGAIN
            )
        matrix = bundle.vocabulary.matrix(rows, bundle.features.features)
        holds = held_matrix(held, accounts, recommender.terms.product_ids)
        ids = [decision_id(batch.run_id, account) for account in accounts]
        yield Block(accounts, ids, recommender.choices(matrix, holds, judged, threads=threads))


def decision_id(run_id: str, account: str) -> str:
    """The id of a batch decision: the same run gives the same account the same one."""
    return sha256_bytes(f"{run_id}:{account}".encode())[:32]


def write_blocks(blocks: Iterable[Block], batch: Batch, log: DecisionLog, stage: Path) -> dict[str, Any]:
    """Log and write block after block; counts for the manifest."""
    stops = batch.recommender.stops
    accounts = rows = 0
    stopped = np.zeros(len(stops), dtype=np.int64)
    decided_at = clock()
    with (
        pq.ParquetWriter(stage / PART, open_schema(batch.recommender), compression="zstd") as open_part,
        pq.ParquetWriter(stage / STOPPED, STOPPED_SCHEMA, compression="zstd") as stopped_part,
    ):
        for block in blocks:
            log.record_many(batch_decisions(batch, block, decided_at))
            opened = open_batch(batch.recommender, block)
            open_part.write_batch(opened)
            stopped_part.write_batch(stopped_batch(batch.recommender, block))
            accounts += len(block.accounts)
            rows += opened.num_rows
            codes = block.choice.stopped
            stopped += np.bincount(codes[codes >= 0], minlength=len(stopped))
    counts = {stop.rule: int(n) for stop, n in zip(stops, stopped, strict=True) if n}
    return {"accounts": accounts, "rows": rows, "stopped": counts}


def open_schema(recommender: Recommender) -> pa.Schema:
    """Columns of the open offers; amounts are decimals in the currency of the manifest."""
    money = pa.decimal128(18, recommender.catalog.minor_digits)
    return pa.schema(
        [
            pa.field("account_id", pa.string(), nullable=False),
            pa.field("decision_id", pa.string(), nullable=False),
            pa.field("rank", pa.int16(), nullable=False),
            pa.field("offered", pa.bool_(), nullable=False),
            pa.field("offer_id", WORDS, nullable=False),
            pa.field("product_id", WORDS, nullable=False),
            pa.field("p_take", pa.float64()),
            pa.field("margin_amount", money, nullable=False),
            pa.field("expected_margin_amount", money),
        ]
    )


def open_batch(recommender: Recommender, block: Block) -> pa.RecordBatch:
    """The open offers of a block, by account and rank."""
    choice, offers = block.choice, recommender.catalog.offers
    rows, places = np.nonzero(choice.rank)
    order = np.lexsort((choice.rank[rows, places], rows))
    rows, places = rows[order], places[order]
    rank, p_take = choice.rank[rows, places], choice.p_take[rows, places]
    unknown = np.isnan(p_take)
    digits = recommender.catalog.minor_digits
    columns = [
        pa.array(block.accounts).take(pa.array(rows)),
        pa.array(block.decision_ids).take(pa.array(rows)),
        pa.array(rank),
        pa.array(rank <= recommender.settings.alternatives),
        coded([offer.offer_id for offer in offers], places),
        coded(list(recommender.terms.product_ids), recommender.terms.product[places]),
        pa.array(p_take, mask=unknown),
        to_decimal(pa.array(choice.margin[rows, places]), digits),
        to_decimal(pa.array(choice.expected[rows, places], mask=unknown), digits),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=open_schema(recommender))


def stopped_batch(recommender: Recommender, block: Block) -> pa.RecordBatch:
    """The stopped offers of a block, by account, in catalog order."""
    rows, places = np.nonzero(block.choice.stopped >= 0)
    columns = [
        pa.array(block.accounts).take(pa.array(rows)),
        coded([offer.offer_id for offer in recommender.catalog.offers], places),
        coded([stop.rule for stop in recommender.stops], block.choice.stopped[rows, places]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=STOPPED_SCHEMA)


def coded(texts: list[str], places: npt.NDArray[Any]) -> pa.DictionaryArray:
    """Texts by their places; no text twice, or Parquet writes other bytes each time."""
    return pa.DictionaryArray.from_arrays(pa.array(places, pa.int16()), pa.array(texts))


def batch_decisions(batch: Batch, block: Block, decided_at: str) -> list[NewDecision]:
    """What the log keeps of a block; the inputs stay in the store, the versions under the run's id."""
    run_id, recommender = batch.run_id, batch.recommender
    versions = canonical_json({"run": run_id})
    return [
        NewDecision(
            decision_id=identity,
            account_id=account,
            channel=batch.channel,
            as_of=recommender.as_of.day,
            decided_at=decided_at,
            request_hash=run_id,
            idempotency_key=None,
            run_id=run_id,
            answer=batch_answer(recommender, run_id, block, row, batch.channel, decided_at),
            inputs=None,
            versions=versions,
        )
        for row, (account, identity) in enumerate(zip(block.accounts, block.decision_ids, strict=True))
    ]


def batch_answer(
    recommender: Recommender, run_id: str, block: Block, row: int, channel: str, decided_at: str
) -> str:
    """One account's answer in a batch: the offers made, and the code of what stopped each of the rest.

    The codes are int8 in base64, in the order of the run's ``offers``; each is a position in its
    ``stops``, -1 = open.
    """
    codes = block.choice.stopped[row].astype(np.int8).tobytes()
    answer = {
        "decision_id": block.decision_ids[row],
        "account_id": block.accounts[row],
        "channel": channel,
        "as_of": str(recommender.as_of),
        "decided_at": decided_at,
        "run_id": run_id,
        "offers": offers_made(recommender, block.choice, row),
        "stopped_codes": base64.b64encode(codes).decode(),
    }
    return _encoder.encode(answer).decode()


def offers_made(recommender: Recommender, choice: Choice, row: int) -> list[dict[str, Any]]:
    """The first alternatives of one account; the numbers are those of the Parquet part."""
    rank = choice.rank[row]
    places = np.flatnonzero((rank > 0) & (rank <= recommender.settings.alternatives))
    places = places[np.argsort(rank[places])]
    return [ranked(recommender, choice, row, int(place)) for place in places]
