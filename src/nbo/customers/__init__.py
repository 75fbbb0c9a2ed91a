"""Measures of the domain itself: what a customer is worth."""

from nbo.customers.value import monthly_margins

__all__ = ["monthly_margins"]
