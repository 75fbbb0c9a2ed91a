"""Next best offer for telecom operators: who is leaving, why, and what it is worth to keep them."""

__version__ = "0.1.0"
