"""Why one account is, or is not, at risk."""

from dataclasses import dataclass
from typing import Any

from nbo.asof import AsOf
from nbo.bundle import Bundle
from nbo.customers.accounts import unknown_account
from nbo.customers.value import monthly_margins
from nbo.decisions.at_risk import account_facts, barred_accounts, holdout_reason
from nbo.decisions.scoring import score_batch, score_schema
from nbo.decisions.settings import ListSettings, ValueSettings
from nbo.errors import UsageError
from nbo.features.build import account_rows
from nbo.models.reasons import Reason, reasons
from nbo.tables.store import Store

MOST_REASONS = 8


@dataclass(frozen=True)
class Why:
    """One account's score with everything that explains it.

    Parameters
    ----------
    score : dict
        A row of the score output.
    facts : dict
        Contact, owner, site, days to the contract's end.
    reasons : list of Reason
        Families that push the risk up, the strongest first.
    suppressed : str or None
        The rule that keeps the account off the at-risk list.
    """

    as_of: AsOf
    score: dict[str, Any]
    facts: dict[str, Any]
    reasons: list[Reason]
    suppressed: str | None

    def result(self) -> dict[str, Any]:
        """For machines."""
        told = [
            {"family": r.family, "feature": r.feature, "contribution": r.contribution, "text": r.text}
            for r in self.reasons
        ]
        return {**self.score, **self.facts, "reasons": told, "suppressed": self.suppressed}

    def lines(self, currency: str) -> list[str]:
        """For people."""
        row = self.score
        margin, at_stake = row["monthly_margin_amount"], row["margin_at_risk_amount"]
        money = (
            "margin unknown" if margin is None else f"margin {margin} {currency} a month, {at_stake} at risk"
        )
        listed = "may be called" if self.suppressed is None else f"kept off the list: {self.suppressed}"
        told = [f"  {number}. {reason.text}" for number, reason in enumerate(self.reasons, start=1)]
        return [
            f"{row['account_id']} as of {self.as_of}: p_churn {row['p_churn']:.4f} ({row['band']}), {money}",
            *(told or ["  nothing pushes the risk above the average"]),
            f"  {listed}",
        ]


def explain(
    store: Store, bundle: Bundle, as_of: AsOf, account: str, settings: ListSettings, value: ValueSettings
) -> Why:
    """Score one account now and tell why.

    Raises
    ------
    UsageError
        The account is unknown, or has no active line at the date.
    """
    rows = account_rows(store, bundle.features, as_of, [account])
    if rows.num_rows == 0:
        raise UsageError(f"{account}: {unknown_account(store, account, as_of)}")
    margins = monthly_margins(store, as_of, [account], margin_share=value.margin_share)
    schema = score_schema(store.minor_digits)
    batch = rows.combine_chunks().to_batches()[0]
    score = score_batch(bundle, batch, margins, value, schema, threads=1).to_pylist()[0]
    told = reasons(
        bundle,
        bundle.encode(rows),
        rows,
        settings.language,
        store.currency,
        store.minor_digits,
        top=MOST_REASONS,
    )[0]
    facts = account_facts(store, as_of, [account], settings.language).get(account, {})
    barred = barred_accounts(store, as_of).get(account) or holdout_reason(account, settings)
    return Why(as_of, score, facts, told, barred)
