"""The at-risk list: whom to call first, why, and whom never to call.

Accounts are ordered by margin at risk (by ``p_churn`` where no margin is known). Those who may not
be called are passed over and told apart by reason, so that the list never hides what it left out.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nbo.asof import AsOf, visible_sql
from nbo.bundle import Bundle
from nbo.decisions.scoring import ScoreRun, scores_folder
from nbo.decisions.settings import ListSettings
from nbo.decisions.suggestions import Suggestion
from nbo.engine import literal
from nbo.features.build import build_features
from nbo.files import MANIFEST
from nbo.models.reasons import reasons
from nbo.tables.catalog import contract
from nbo.tables.store import Store

COLUMNS = (
    "rank", "account_id", "site", "contact", "owner", "band", "p_churn", "p_churn_change",
    "monthly_margin_amount", "margin_at_risk_amount", "reason_1", "reason_2", "reason_3",
    "days_to_contract_end", "as_of", "bundle", "offer", "offer_expected_margin_amount", "decision_id",
)  # fmt: skip
TOP_REASONS = 3
CALLING_SCOPES = "('all', 'call_centre', 'account_manager')"

Suggest = Callable[[Sequence[str]], Mapping[str, Suggestion]]
"""Gives the first suitable offer of each of these accounts."""

NEWEST = """SELECT * FROM (SELECT *, row_number() OVER
  (PARTITION BY {key} ORDER BY valid_day DESC, known_day DESC) AS newest FROM {table} WHERE {visible})
  WHERE newest = 1"""


@dataclass(frozen=True)
class AtRiskList:
    """The list and what was kept off it.

    Parameters
    ----------
    rows : list of dict
        One per account, in the order of calling, keys :data:`COLUMNS`.
    suppressed : list of dict
        ``account_id``, ``reason``, ``p_churn``, ``margin_at_risk_amount`` of accounts passed over.
    counts : dict of str to int
        Accounts passed over, by reason.
    notes : list of str
        What the reader must know, such as an unknown margin.
    """

    as_of: AsOf
    rows: list[dict[str, Any]]
    suppressed: list[dict[str, Any]]
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def at_risk(
    store: Store,
    bundle: Bundle,
    run: ScoreRun,
    settings: ListSettings,
    *,
    top: int,
    suggest: Suggest | None = None,
) -> AtRiskList:
    """The ``top`` accounts to call, with reasons and what to offer.

    Parameters
    ----------
    run : ScoreRun
        Scores of the date by this bundle.
    top : int
        Length of the list; fewer if fewer may be called.
    suggest : callable or None
        Gives the first suitable offer of accounts; None = the list names none.
    """
    as_of = AsOf.parse(run.manifest["as_of"])
    barred = barred_accounts(store, as_of)
    kept: list[dict[str, Any]] = []
    suppressed: list[dict[str, Any]] = []
    for row in ordered(run.read()):
        reason = barred.get(row["account_id"]) or holdout_reason(row["account_id"], settings)
        if reason is None:
            kept.append(row)
        else:
            shown = {name: row[name] for name in ("account_id", "p_churn", "margin_at_risk_amount")}
            suppressed.append({**shown, "reason": reason})
        if len(kept) == top:
            break
    offers = suggest([row["account_id"] for row in kept]) if suggest and kept else {}
    rows = [
        {**row, **offered(offers.get(row["account_id"]))}
        for row in completed(store, bundle, run, kept, settings)
    ]
    counts = dict(Counter(item["reason"] for item in suppressed))
    return AtRiskList(as_of, rows, suppressed, counts, notes(rows, bundle))


def offered(suggestion: Suggestion | None) -> dict[str, Any]:
    """The columns of the list that say what to offer first."""
    return {
        "offer": suggestion.offer if suggestion else None,
        "offer_expected_margin_amount": suggestion.expected_margin_amount if suggestion else None,
        "decision_id": suggestion.decision_id if suggestion else None,
    }


def ordered(scores: pa.Table) -> Iterator[dict[str, Any]]:
    """Scored accounts by margin at risk, then by ``p_churn``, then by id: a total order."""
    order = pc.sort_indices(
        scores,
        sort_keys=[
            ("margin_at_risk_amount", "descending", "at_end"),
            ("p_churn", "descending", "at_end"),
            ("account_id", "ascending", "at_end"),
        ],
    )
    for batch in scores.take(order).to_batches(max_chunksize=1024):
        yield from batch.to_pylist()


def barred_accounts(store: Store, as_of: AsOf) -> dict[str, str]:
    """Accounts that may not be called at this date, with the first rule that says so."""
    barred: dict[str, str] = {}
    with store.connect() as engine:
        for reason, sql in (
            (
                "no consent",
                f"{newest('consents', 'account_id, scope')} AND NOT allowed AND scope IN {CALLING_SCOPES}",
            ),
            ("open dispute", f"{newest('tickets', 'ticket_id')} AND state = 'open' AND kind = 'dispute'"),
            ("open complaint", f"{newest('tickets', 'ticket_id')} AND state = 'open' AND kind = 'complaint'"),
        ):
            found = engine.query(f"SELECT DISTINCT account_id FROM ({sql})".replace("$as_of", str(as_of.day)))
            for account in found["account_id"].to_pylist():
                barred.setdefault(account, reason)
    return barred


def newest(table: str, key: str) -> str:
    return NEWEST.format(key=key, table=table, visible=visible_sql("valid_day"))


def holdout_reason(account: str, settings: ListSettings) -> str | None:
    """Whether the account belongs to the group that is never called; fixed by its id."""
    place = int.from_bytes(sha256(f"{settings.holdout_salt}:{account}".encode()).digest()[:8])
    return "hold-out group" if place < settings.holdout_share * 2**64 else None


def completed(
    store: Store, bundle: Bundle, run: ScoreRun, kept: Sequence[Mapping[str, Any]], settings: ListSettings
) -> Iterator[dict[str, Any]]:
    """The kept rows with people, reasons, contract ends and the change since the last date."""
    if not kept:
        return
    as_of = AsOf.parse(run.manifest["as_of"])
    accounts = [row["account_id"] for row in kept]
    told = told_reasons(store, bundle, as_of, accounts, settings)
    people = account_facts(store, as_of, accounts, settings.language)
    before = earlier_scores(run.folder.parent, as_of, bundle.id, accounts)
    for rank, row in enumerate(kept, start=1):
        account = row["account_id"]
        texts = [*told.get(account, []), *[""] * TOP_REASONS][:TOP_REASONS]
        facts = people.get(account, {})
        earlier = before.get(account)
        yield {
            "rank": rank,
            **{name: row[name] for name in ("account_id", "band", "p_churn", "monthly_margin_amount")},
            "margin_at_risk_amount": row["margin_at_risk_amount"],
            **{name: facts.get(name) for name in ("site", "contact", "owner", "days_to_contract_end")},
            "p_churn_change": None if earlier is None else row["p_churn"] - earlier,
            **{f"reason_{number}": text for number, text in enumerate(texts, start=1)},
            "as_of": str(as_of),
            "bundle": bundle.id,
        }


def told_reasons(
    store: Store, bundle: Bundle, as_of: AsOf, accounts: Sequence[str], settings: ListSettings
) -> dict[str, list[str]]:
    """Up to three sentences for each account, the strongest first."""
    snapshot = build_features(store, bundle.features, as_of).read()
    rows = snapshot.filter(pc.is_in(snapshot["account_id"], value_set=pa.array(accounts)))
    found = reasons(
        bundle,
        bundle.encode(rows),
        rows,
        settings.language,
        store.currency,
        store.minor_digits,
        top=TOP_REASONS,
    )
    return {
        account: [reason.text for reason in told]
        for account, told in zip(rows["account_id"].to_pylist(), found, strict=True)
    }


def account_facts(
    store: Store, as_of: AsOf, accounts: Sequence[str], language: str
) -> dict[str, dict[str, Any]]:
    """Contact, owner, site and days to the contract's end, as visible at the date."""
    chosen = "account_id IN (" + ", ".join(literal(account) for account in accounts) + ")"
    sql = f"""
      SELECT a.account_id, a.contact, a.owner, s.district, s.site_type, c.days_to_contract_end
      FROM ({newest("accounts", "account_id")} AND {chosen}) AS a
      LEFT JOIN (SELECT account_id,
          min_by(district, site_id) AS district, min_by(site_type, site_id) AS site_type
        FROM ({newest("sites", "site_id")} AND {chosen}) GROUP BY account_id) AS s USING (account_id)
      LEFT JOIN (SELECT account_id, max_by(planned_end_day, event_day) - $as_of AS days_to_contract_end
        FROM contracts WHERE {visible_sql()} AND {chosen} GROUP BY account_id) AS c USING (account_id)"""
    with store.connect() as engine:
        found = engine.query(sql.replace("$as_of", str(as_of.day)))
    return {
        row["account_id"]: {
            **{name: row[name] for name in ("account_id", "contact", "owner", "days_to_contract_end")},
            "site": site_words(row, language),
        }
        for row in found.to_pylist()
    }


def site_words(row: Mapping[str, Any], language: str) -> str | None:
    """District and kind of the account's first site, in the reader's language."""
    words = contract("sites").column("site_type").codes.get(row["site_type"] or "")
    parts = [row["district"], words.in_language(language) if words else None]
    return " ".join(part for part in parts if part) or None


def earlier_scores(out: Path, as_of: AsOf, bundle_id: str, accounts: Sequence[str]) -> dict[str, float]:
    """``p_churn`` of the newest earlier date in the same output, by the same bundle."""
    dates = sorted(
        folder.name.removeprefix("as_of=") for folder in out.glob("as_of=*") if (folder / MANIFEST).is_file()
    )
    for date in reversed([date for date in dates if date < str(as_of)]):
        run = ScoreRun.open(scores_folder(out, AsOf.parse(date)))
        if run.manifest["bundle_id"] == bundle_id:
            scores = run.read()
            scores = scores.filter(pc.is_in(scores["account_id"], value_set=pa.array(accounts)))
            return dict(zip(scores["account_id"].to_pylist(), scores["p_churn"].to_pylist(), strict=True))
    return {}


def notes(rows: Sequence[Mapping[str, Any]], bundle: Bundle) -> list[str]:
    found = [str(note) for note in bundle.metadata.get("cautions", [])]
    if rows and all(row["margin_at_risk_amount"] is None for row in rows):
        found.append(
            "margins are unknown (no bills, or bills without direct cost and no money.margin_share in "
            "nbo.toml): the list is ordered by p_churn"
        )
    return found
