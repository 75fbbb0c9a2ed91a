"""What happens around an account: in its building, where tenants talk, and in its exchange area."""

from nbo.features import FeatureSet, Words, days, table

calls = table("calls")
lines = table("lines")
opened = table("tickets").where(state="open")
through_codes = calls.where(direction="out", counterparty="rival_access_code")
from_sales_lines = calls.where(direction="in", counterparty="rival_sales_line")
to_rivals = lines.where(state="ended", reason=["price", "rival_offer"])

NEIGHBOURS = FeatureSet(
    "neighbours",
    Words("Neighbours", "周边客户"),
    [
        through_codes.count(over=days(30)).neighbours("building_id"),
        from_sales_lines.count(over=days(30)).neighbours("building_id"),
        to_rivals.count(over=days(90)).neighbours("building_id"),
        to_rivals.count(over=days(90)).neighbours("exchange_area"),
        through_codes.count(over=days(30)).neighbours("exchange_area"),
        opened.where(kind=["fault", "complaint"]).count(over=days(30)).neighbours("exchange_area"),
    ],
    idea="Dasgupta et al. (2008), Social ties and their relevance to churn in mobile telecom networks, EDBT; "
    "towers under attack, of the trade",
)
