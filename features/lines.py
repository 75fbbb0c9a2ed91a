"""The account itself: its lines, what was given up, who it is."""

from nbo.features import FeatureSet, Words, days, table

lines = table("lines")
accounts = table("accounts")

LINES = FeatureSet(
    "lines",
    Words("Lines and account", "线路与客户"),
    [
        lines.now.where(state="active").count(),
        lines.now.where(state="suspended").count(),
        lines.now.where(state="ended").count(),
        lines.where(state="ended").count(over=days(90)),
        lines.where(state="active").count(over=days(90)),
        lines.days_since("first", over=days(3650)),
        lines.days_since("last", over=days(365)),
        lines.now.where(state="active").distinct("product_id"),
        lines.now.where(state="active").distinct("site_id"),
        accounts.attribute("account_class"),
        accounts.attribute("kind"),
        accounts.attribute("industry"),
        accounts.attribute("ownership"),
        accounts.attribute("employees"),
        accounts.attribute("tariff_plan"),
        table("sites").attribute("site_type"),
    ],
    idea="Tenure, breadth and firmographics: Verbeke et al. (2012), European Journal of Operational "
    "Research 218",
)
