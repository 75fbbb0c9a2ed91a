"""What can be offered, on which terms, and the rules of who may have it."""

from nbo.offers.catalog import Catalog, Offer, Product
from nbo.offers.facts import AccountFacts, FactsIndex, read_facts
from nbo.offers.reading import catalog_problems, read_catalog
from nbo.offers.rules import Rule, Rules, read_rules
from nbo.offers.verdicts import Context, Judge, verdict_stream

__all__ = [
    "AccountFacts",
    "Catalog",
    "Context",
    "FactsIndex",
    "Judge",
    "Offer",
    "Product",
    "Rule",
    "Rules",
    "catalog_problems",
    "read_catalog",
    "read_facts",
    "read_rules",
    "verdict_stream",
]
