"""From scores to what people do: the at-risk list, and why."""

from nbo.decisions.at_risk import AtRiskList, at_risk
from nbo.decisions.scoring import ScoreRun, score_accounts

__all__ = ["AtRiskList", "ScoreRun", "at_risk", "score_accounts"]
