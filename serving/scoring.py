"""From a request to its answer: rows of the snapshot, the model, money, reasons."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import pyarrow as pa
from starlette.responses import Response

from nbo.bundle import Bundle, Matrix, Overridden, check_context, override
from nbo.decisions.answers import clock
from nbo.decisions.scoring import bands, margin_at_risk
from nbo.errors import StorageError, UsageError
from nbo.features.compiled import CompiledFeature
from nbo.features.context import ContextValue
from nbo.models.reasons import Teller, told_reasons
from nbo.tables.contract import close_matches

from .problems import Refused, damaged_rows
from .state import Live, Loaded
from .wire import MAX_SHOWN, Answer, HandRow, ItemError, Reason, Scored, ScoreRequest, Unscored, encode

INLINE_ITEMS = 32
MAX_NAMED = 5
TOP_REASONS = 3

Said = Mapping[str, Mapping[str, ContextValue]]
"""By account what a channel says of its context features."""
Told = tuple[Overridden, ...]


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
    except StorageError as error:
        return damaged_rows(error).response()
    return Response(encode(answer), media_type="application/json")


def score(loaded: Loaded, request: ScoreRequest, decided_at: str) -> Answer:
    """Score every item by the model now; nothing is looked up but features and margins.

    Raises
    ------
    Refused
        422 if a hand-made row does not name exactly the bundle's features, or a context feature is none.
    StorageError
        A row of the snapshot is damaged.
    """
    check_said(loaded, request.context)
    known = [account for account in request.accounts if account in loaded.rows]
    matrix, said = rows_of(loaded, known, request.context)
    raw = raw_of(loaded, known, said) if request.reasons else None
    found = iter(scored(loaded, known, matrix, raw, request.language, said))
    results: list[Scored | Unscored] = [
        next(found) if account in loaded.rows else unknown(loaded, account) for account in request.accounts
    ]
    if request.rows:
        table = hand_table(request.rows, loaded.bundle)
        owners = [row.account_id for row in request.rows]
        matrix = loaded.bundle.encode(table)
        values = table.to_pylist() if request.reasons else None
        results += scored(loaded, owners, matrix, values, request.language, [() for _ in owners])
    return Answer(str(loaded.as_of), loaded.bundle.id, loaded.currency, results, decided_at)


def rows_of(loaded: Loaded, accounts: Sequence[str], context: Said) -> tuple[Matrix, list[Told]]:
    """Encoded rows of accounts, shape (n, F), with their context in them, and what that replaced."""
    features, vocabulary = loaded.bundle.features.features, loaded.bundle.vocabulary
    matrix = loaded.rows.matrix(accounts)
    said: list[Told] = []
    for place, account in enumerate(accounts):
        told: Told = ()
        if account in context:
            matrix[place], told = override(matrix[place], context[account], features, vocabulary)
        said.append(told)
    return matrix, said


def raw_of(loaded: Loaded, accounts: Sequence[str], said: Sequence[Told]) -> list[Mapping[str, object]]:
    """The values of accounts as people read them, with their context in them."""
    return [
        {**loaded.rows.raw(account), **{one.feature: one.value for one in told}}
        for account, told in zip(accounts, said, strict=True)
    ]


def check_said(loaded: Loaded, context: Said) -> None:
    """Refuse (422) the first thing said of an account that a channel may not say."""
    for account, said in context.items():
        try:
            check_context(said, loaded.bundle.features.features)
        except UsageError as error:
            raise Refused(422, "invalid-context", f"context of {account[:MAX_SHOWN]!r}: {error}") from None


def scored(
    loaded: Loaded,
    owners: Sequence[str | None],
    matrix: Matrix,
    raw: Sequence[Mapping[str, object]] | None,
    language: str,
    said: Sequence[Told],
) -> list[Scored]:
    """One answer per matrix row; ``owners`` are the account ids, ``raw`` the values to explain, or None."""
    probabilities = loaded.bundle.score(matrix, threads=1)
    margins = [None if owner is None else loaded.margins.get(owner) for owner in owners]
    at_risk = margin_at_risk(probabilities, pa.array(margins, pa.int64()), loaded.value.horizon_months)
    told: Sequence[list[Reason]] = [[] for _ in owners]
    if raw is not None:
        told = reasons_of(loaded, matrix, raw, language)
    return [
        Scored(owner, p_churn, band, major(margin, loaded), major(stake, loaded), why, list(context))
        for owner, p_churn, band, margin, stake, why, context in zip(
            owners,
            probabilities.tolist(),
            bands(probabilities, loaded.bundle.metadata["band_edges"]),
            margins,
            at_risk.to_pylist(),
            told,
            said,
            strict=True,
        )
    ]


def reasons_of(
    loaded: Loaded, matrix: Matrix, raw: Sequence[Mapping[str, object]], language: str
) -> list[list[Reason]]:
    """Why each row's risk is what it is, in words, the strongest first."""
    medians = loaded.bundle.metadata.get("medians", {})
    teller = Teller(medians, language, loaded.currency, loaded.minor_digits)
    found = told_reasons(loaded.bundle, matrix, raw, teller, TOP_REASONS)
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
