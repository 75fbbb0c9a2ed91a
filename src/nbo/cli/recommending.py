"""Commands that recommend: recommend, replay."""

import base64
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from nbo.asof import AsOf
from nbo.bundle import Releases
from nbo.cli.answers import AsOfText, Json, StoreDir, WorkspaceDir, answer, progress, table_lines
from nbo.cli.learning import BundleId, bundle_of
from nbo.decisions.answers import Stamp, new_decision, read_answer
from nbo.decisions.at_risk import Suggest
from nbo.decisions.context import inputs_in_context
from nbo.decisions.loading import PURPOSE, OfferFiles, inputs_of, load_recommender
from nbo.decisions.log import DecisionLog, log_url, open_log
from nbo.decisions.recommend_all import Batch, RecommendRun, recommend_all
from nbo.decisions.recommender import MODEL, AccountInputs, Recommender, Request
from nbo.decisions.replay import Rebuild, Replay
from nbo.decisions.replay import replay as replayed
from nbo.decisions.settings import list_settings, offers_settings
from nbo.decisions.suggestions import Suggestion, suggestions
from nbo.errors import UsageError
from nbo.features import compile_features
from nbo.features.context import ContextValue
from nbo.keys import bundle_key
from nbo.tables.store import Store
from nbo.workspace import Workspace

SHOWN = ("rank", "offer", "title", "monthly fee", "p_take", "expected margin")


def add_to(app: typer.Typer) -> None:
    """Put these commands on the app."""
    app.command()(recommend)
    app.command()(replay)


def recommend(
    store: StoreDir,
    as_of: AsOfText,
    account: Annotated[str | None, typer.Option(help="Account id.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every account with an active line.")] = False,
    channel: Annotated[
        str | None, typer.Option(help="Channel of the conversation; default: that of nbo.toml.")
    ] = None,
    product: Annotated[
        list[str] | None, typer.Option(help="Only offers of this product; may be given more than once.")
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(help="FEATURE=VALUE that the channel knows better; may be given more than once."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="With --all: one sub-folder per date.")] = Path(
        "runs/recommendations"
    ),
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key gives the same decision again.")
    ] = None,
    language: Annotated[str | None, typer.Option("--language", help="en or zh.")] = None,
    bundle: BundleId = None,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """What to offer an account and why, or every account; each decision goes to the log first.

    Example: nbo recommend --store runs/store --as-of latest --account A000001 --channel shop
    """
    if (account is None) != everyone:
        raise UsageError("recommend: expected either --account ID or --all, got both or neither")
    place, tables = Workspace.find(workspace), Store.open(store)
    recommender, files = recommender_of(place, tables, as_of, bundle)
    told_channel = channel or offers_settings(place.settings).channel
    with closing(open_log(log_url(place.settings, place.root))) as log:
        if account is None:
            if product or idempotency_key or context:
                raise UsageError("--all: expected no --product, --context or --idempotency-key, got one")
            progress(f"recommending as of {recommender.as_of}")
            run = recommend_all(tables, Batch(recommender, files.features, told_channel), out, log)
            answer_run(run, as_json, str(recommender.as_of))
            return
        told = list_settings(place.settings, language).language
        request = Request(account, told_channel, told, tuple(product or ()), said(context or ()))
        found = decided(tables, recommender, files, request, log, idempotency_key)
    answer(found, decision_lines(found), as_json=as_json, as_of=str(recommender.as_of))


def recommender_of(
    place: Workspace, tables: Store, as_of: str, bundle: str | None
) -> tuple[Recommender, OfferFiles]:
    """The recommender of a workspace at a date, with the operator's files."""
    loaded = bundle_of(place, bundle, MODEL)
    files = OfferFiles.read(place.catalog_path, place.rules_path, place.feature_sets("offers"))
    return load_recommender(tables, loaded, files, place.settings, tables.as_of(as_of)), files


def said(words: Sequence[str]) -> dict[str, ContextValue]:
    """Context out of ``FEATURE=VALUE`` words: ``null``, a number, or else a text.

    Examples
    --------
    >>> said(["tickets_open_count_now=1", "accounts_kind=company", "contacts_days_since_last_365d=null"])
    {'tickets_open_count_now': 1.0, 'accounts_kind': 'company', 'contacts_days_since_last_365d': None}
    """
    found: dict[str, ContextValue] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not name or not equals or name in found:
            raise UsageError(f"--context: expected FEATURE=VALUE, each feature once, got {word!r}")
        try:
            found[name] = None if text == "null" else float(text)
        except ValueError:
            found[name] = text
    return found


def suggester(place: Workspace, tables: Store, as_of: AsOf, language: str | None) -> Suggest | None:
    """What gives the first suitable offer of accounts; None while no next-product model is in use."""
    if Releases(place.root).current(MODEL) is None:
        return None

    def suggest(accounts: Sequence[str]) -> Mapping[str, Suggestion]:
        recommender, files = recommender_of(place, tables, str(as_of), None)
        channel = offers_settings(place.settings).channel
        told = list_settings(place.settings, language).language
        with closing(open_log(log_url(place.settings, place.root))) as log:
            return suggestions(tables, recommender, files, accounts, channel, told, log)

    return suggest


def decided(
    tables: Store,
    recommender: Recommender,
    files: OfferFiles,
    request: Request,
    log: DecisionLog,
    key: str | None,
) -> dict[str, Any]:
    """Decide for one account and log it; the answer as it was logged."""
    known = inputs_of(tables, recommender, files, request.account_id)
    inputs = inputs_in_context(known, recommender.bundle, files.features, request.context)
    log.keep(recommender.artifacts)
    logged = log.record(new_decision(recommender, inputs, request, Stamp.now(), key))
    return read_answer(logged.answer)


def decision_lines(found: dict[str, Any]) -> list[str]:
    """A decision for a terminal: what to offer and why, then what was stopped by which rule."""
    rows = [
        {
            "rank": offer["rank"],
            "offer": offer["offer_id"],
            "title": offer["title"],
            "monthly fee": str(offer["monthly_fee_amount"]),
            "p_take": offer["p_take"],
            "expected margin": str(offer["expected_margin_amount"] or ""),
        }
        for offer in found["offers"]
    ]
    why = [f"  {offer['rank']}. {reason['text']}" for offer in found["offers"] for reason in offer["reasons"]]
    return [
        f"{found['account_id']} through {found['channel']} as of {found['as_of']}, amounts in "
        f"{found['currency']}; decision {found['decision_id']}",
        *(table_lines(SHOWN, rows) if rows else ["nothing may be offered"]),
        *why,
        *stopped_lines(found["stopped"]),
    ]


def stopped_lines(stopped: Sequence[dict[str, Any]]) -> list[str]:
    """One line a rule, with the offers it stopped."""
    by_rule: dict[str, list[dict[str, Any]]] = {}
    for item in stopped:
        by_rule.setdefault(item["rule"], []).append(item)
    return [
        f"not offered, {items[0]['reason']} ({rule}): {', '.join(item['offer_id'] for item in items)}"
        for rule, items in by_rule.items()
    ]


def answer_run(run: RecommendRun, as_json: bool, as_of: str) -> None:
    """Tell what a run over all accounts left."""
    facts = run.manifest
    done = "written" if run.written else "already there, unchanged"
    lines = [
        f"{facts['accounts']:,} accounts, {facts['rows']:,} open offers as of {as_of}: {run.folder} {done}",
        *(f"stopped by {rule}: {count:,} offers" for rule, count in facts["stopped"].items()),
    ]
    answer({"folder": str(run.folder), "written": run.written, **facts}, lines, as_json=as_json, as_of=as_of)


def replay(
    decision: Annotated[str, typer.Argument(help="Decision id.")],
    store: Annotated[
        Path | None, typer.Option("--store", help="Store; only a decision of a batch run needs it.")
    ] = None,
    workspace: WorkspaceDir = None,
    as_json: Json = False,
) -> None:
    """Make a logged decision again from what was logged with it. Exits 1 unless every byte is the same.

    Example: nbo replay 4f9c2d7e6b1a48d0a3c5e7f901234567
    """
    place = Workspace.find(workspace)
    rebuild = None if store is None else rebuilder(place, Store.open(store))
    with closing(open_log(log_url(place.settings, place.root))) as log:
        found = replayed(log, decision, place.root / "bundles", bundle_key(place.root), rebuild)
        outcomes = log.outcomes(decision)
    logged = read_answer(found.decision.answer)
    verdict = "the same again, bit for bit" if found.equal else f"differs in {', '.join(found.differences)}"
    result = {
        "decision": logged,
        "equal": found.equal,
        "differences": found.differences,
        "again": None if found.equal else read_answer(found.again),
        "outcomes": [asdict(item) for item in outcomes],
    }
    told = [f"outcome: {item.outcome} {item.offer_id or ''} at {item.occurred_at}" for item in outcomes]
    lines = [
        *replay_lines(found, logged, list_settings(place.settings).language),
        *told,
        f"decision {decision}: {verdict}",
    ]
    answer(result, lines, as_json=as_json, as_of=logged["as_of"], ok=found.equal)
    if not found.equal:
        raise typer.Exit(1)


def rebuilder(place: Workspace, tables: Store) -> Rebuild:
    """What computes an account's inputs from a store."""
    features = compile_features(place.feature_sets("offers"), PURPOSE)

    def rebuild(recommender: Recommender, account: str) -> AccountInputs:
        files = OfferFiles(recommender.catalog, recommender.rules, features)
        return inputs_of(tables, recommender, files, account)

    return rebuild


def replay_lines(found: Replay, logged: dict[str, Any], language: str) -> list[str]:
    """The logged decision for a terminal; one of a batch has codes in place of words."""
    if "stopped" in logged:
        return decision_lines(logged)
    codes = np.frombuffer(base64.b64decode(logged["stopped_codes"]), np.int8)
    offers, stops = found.recommender.catalog.offers, found.recommender.stops
    stopped = [
        {
            "offer_id": offer.offer_id,
            "rule": stops[code].rule,
            "reason": stops[code].reason.in_language(language),
        }
        for offer, code in zip(offers, codes.tolist(), strict=True)
        if code >= 0
    ]
    made = [
        f"  {offer['rank']}. {offer['offer_id']}, p_take {offer['p_take']}, expected margin "
        f"{offer['expected_margin_amount']}"
        for offer in logged["offers"]
    ]
    head = (
        f"{logged['account_id']} through {logged['channel']} as of {logged['as_of']}, run {logged['run_id']}"
    )
    return [head, *made, *stopped_lines(stopped)]
