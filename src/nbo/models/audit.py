"""What must be known of each feature before it is trusted: does it leak, is it too good, is it there?"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from nbo.errors import DataError
from nbo.features.compiled import CompiledFeatures
from nbo.models.slices import LabelledRows
from nbo.models.telltale import SUSPICIOUS_AUC, single_aucs

__all__ = ["FeatureAudit", "audit_features"]


@dataclass(frozen=True)
class FeatureAudit:
    """What was found about one feature.

    Parameters
    ----------
    name, family : str
    auc : float
        How well it alone orders who leaves, 0.5 to 1 for a number.
    null_share : float
        Share of the rows without it, 0 to 1.
    leaks : bool
        Whether it changed when only the future was changed.
    """

    name: str
    family: str
    auc: float
    null_share: float
    leaks: bool

    @property
    def alarms(self) -> tuple[str, ...]:
        """What is wrong with it, in words; empty = nothing."""
        found = []
        if self.leaks:
            found.append("leaks: it changes with the future alone")
        if self.auc > SUSPICIOUS_AUC:
            found.append(f"too good: AUC {self.auc:.3f} by itself")
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """All of it by name."""
        return {**vars(self), "alarms": list(self.alarms)}


def audit_features(
    compiled: CompiledFeatures, labelled: LabelledRows, leaking: Collection[str], seed: int
) -> list[FeatureAudit]:
    """Each feature, what it is worth by itself, and what is wrong with it.

    Parameters
    ----------
    compiled : CompiledFeatures
    labelled : LabelledRows
        Past accounts with what became of them; both classes.
    leaking : collection of str
        From :func:`nbo.features.leaks.leaking_features`; ``account_id`` = the population itself, then
        every feature counts as leaking.
    seed : int
        Of the folds that rates of categories are counted in.

    Returns
    -------
    list of FeatureAudit
        Alarms first, then by falling AUC, then by name.

    Raises
    ------
    DataError
        If everybody left or nobody.
    """
    if not 0 < labelled.positives < len(labelled.label):
        raise DataError(
            "lines",
            "accounts that left and accounts that stayed",
            f"{labelled.positives} leavers among {len(labelled.label):,} rows",
            next_step="Bring more months of data",
        )
    aucs = single_aucs(labelled.rows, labelled.label, compiled, seed)
    rows = labelled.rows
    found = [
        FeatureAudit(
            name=feature.name,
            family=feature.family,
            auc=auc,
            null_share=rows[feature.name].null_count / max(rows.num_rows, 1),
            leaks=feature.name in leaking or "account_id" in leaking,
        )
        for feature, auc in zip(compiled.features, aucs, strict=True)
    ]
    return sorted(found, key=lambda one: (not one.alarms, -one.auc, one.name))
