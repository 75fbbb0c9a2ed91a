"""From a request to its answer: rows of the matrix, the model, money, reasons."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

import numpy as np
import pyarrow as pa
from starlette.responses import Response

from nbo.bundle import Bundle, Matrix
from nbo.decisions.answers import clock
from nbo.decisions.scoring import bands, margin_at_risk
from nbo.features.compiled import CompiledFeature
from nbo.models.reasons import reasons
from nbo.tables.contract import close_matches

from .problems import Refused
from .state import Live, Loaded
from .wire import Answer, HandRow, ItemError, Reason, Scored, ScoreRequest, Unscored, encode

INLINE_ITEMS = 32
MAX_NAMED = 5
TOP_REASONS = 3


async def respond(live: Live, read: Callable[[], ScoreRequest]) -> Response:
    """Answer one request from what is loaded when it begins, or tell its problem.

    Small requests are scored at once; large ones, and reasons, in a thread beside the loop.
    """
    try:
        request = read()
        loaded = live.require()
        if len(request.accounts) + len(request.rows) <= INLINE_ITEMS and not request.reasons:
            answer = score(loaded, request, clock())
        else:
            answer = await asyncio.to_thread(score, loaded, request, clock())
    except Refused as refused:
        return refused.response()
    return Response(encode(answer), media_type="application/json")


def score(loaded: Loaded, request: ScoreRequest, decided_at: str) -> Answer:
    """Score every item by the model now; nothing is looked up but features and margins.

    Raises
    ------
    Refused
        422 if a hand-made row does not name exactly the bundle's features.
    """
    known = [account for account in request.accounts if account in loaded.rows]
    places = np.array([loaded.rows[account] for account in known], dtype=np.intp)
    raw = loaded.raw.take(places) if request.reasons and known else None
    found = iter(scored(loaded, known, loaded.matrix[places], raw, request.language))
    results: list[Scored | Unscored] = [
        next(found) if account in loaded.rows else unknown(loaded, account) for account in request.accounts
    ]
    if request.rows:
        table = hand_table(request.rows, loaded.bundle)
        owners = [row.account_id for row in request.rows]
        matrix = loaded.bundle.encode(table)
        results += scored(loaded, owners, matrix, table if request.reasons else None, request.language)
    return Answer(str(loaded.as_of), loaded.bundle.id, loaded.currency, results, decided_at)


def scored(
    loaded: Loaded, owners: Sequence[str | None], matrix: Matrix, raw: pa.Table | None, language: str
) -> list[Scored]:
    """One answer per matrix row; ``owners`` are the account ids, ``raw`` the rows to explain, or None."""
    probabilities = loaded.bundle.score(matrix, threads=1)
    margins = [None if owner is None else loaded.margins.get(owner) for owner in owners]
    at_risk = margin_at_risk(probabilities, pa.array(margins, pa.int64()), loaded.value.horizon_months)
    told: Sequence[list[Reason]] = [[] for _ in owners]
    if raw is not None:
        told = told_reasons(loaded, matrix, raw, language)
    return [
        Scored(owner, p_churn, band, major(margin, loaded), major(stake, loaded), why)
        for owner, p_churn, band, margin, stake, why in zip(
            owners,
            probabilities.tolist(),
            bands(probabilities, loaded.bundle.metadata["band_edges"]),
            margins,
            at_risk.to_pylist(),
            told,
            strict=True,
        )
    ]


def told_reasons(loaded: Loaded, matrix: Matrix, raw: pa.Table, language: str) -> list[list[Reason]]:
    """Why each row's risk is what it is, in words, the strongest first."""
    found = reasons(
        loaded.bundle, matrix, raw, language, loaded.currency, loaded.minor_digits, top=TOP_REASONS
    )
    return [[Reason(one.family, one.feature, one.contribution, one.text) for one in row] for row in found]


def major(minor: int | None, loaded: Loaded) -> Decimal | None:
    """Minor units as an exact decimal of the store's currency."""
    return None if minor is None else Decimal(minor).scaleb(-loaded.minor_digits)


def unknown(loaded: Loaded, account: str) -> Unscored:
    detail = f"accounts: expected an account with an active line at {loaded.as_of}, got {account!r}"
    return Unscored(account, ItemError("unknown_account", detail))


def hand_table(rows: Sequence[HandRow], bundle: Bundle) -> pa.Table:
    """Hand-made rows as the table that :meth:`Bundle.encode` takes.

    Raises
    ------
    Refused
        422 naming the first row and feature that does not fit.
    """
    features = bundle.features.features
    for number, row in enumerate(rows):
        check_names(number, row, bundle)
        for feature in features:
            check_kind(number, feature, row.features[feature.name])
    return pa.table(
        {
            feature.name: pa.array(
                [row.features[feature.name] for row in rows],
                pa.float64() if feature.kind == "number" else pa.string(),
            )
            for feature in features
        }
    )


def check_names(number: int, row: HandRow, bundle: Bundle) -> None:
    names = bundle.features.names
    for name in row.features:
        if name not in names:
            where = f"rows[{number}].features.{name}"
            detail = (
                f"{where}: expected a feature of the bundle, got no such name{close_matches(name, names)}"
            )
            raise Refused(422, "unknown-feature", detail)
    missing = [name for name in names if name not in row.features]
    if missing:
        raise Refused(
            422,
            "missing-feature",
            f"rows[{number}].features: expected all {len(names)} features, got {len(missing)} too few, "
            f"e.g. {', '.join(missing[:MAX_NAMED])}. Give null where a value is not known.",
        )


def check_kind(number: int, feature: CompiledFeature, value: float | str | None) -> None:
    wanted = str if feature.kind == "category" else float
    if value is not None and not isinstance(value, wanted):
        got = "a text" if isinstance(value, str) else "a number"
        expected = "a text" if wanted is str else f"a number ({feature.unit})"
        where = f"rows[{number}].features.{feature.name}"
        raise Refused(422, "wrong-kind", f"{where}: expected {expected} or null, got {got}")
