"""Whom an account talks with among our accounts, and what became of those."""

from nbo.features import FeatureSet, Words, days, table

calls = table("calls")
out = calls.where(direction="out")
ended = table("lines").where(state="ended")
to_rivals = ended.where(reason=["price", "rival_offer"])
through_codes = out.where(counterparty="rival_access_code")
circle = calls.graph(over=days(90))

GRAPH = FeatureSet(
    "graph",
    Words("Calling graph", "通话网络"),
    [
        calls.degree(over=days(90)),
        out.pagerank(over=days(90)),
        ended.count(over=days(90)).neighbours(circle),
        to_rivals.count(over=days(90)).neighbours(circle),
        to_rivals.count(over=days(90)).spread(circle),
        through_codes.count(over=days(30)).spread(circle),
    ],
    idea="Social ties and churn: Dasgupta et al. (2008), EDBT; Óskarsdóttir et al. (2017), Social network "
    "analytics for churn prediction in telco, Expert Systems with Applications 85",
)
