"""The operator's tables: contracts, mappings from raw files, checks, and the checked store."""

from nbo.tables.catalog import TABLES, contract
from nbo.tables.check import check_tables
from nbo.tables.contract import Column, Measure, Table, Words
from nbo.tables.mapping import Mapping, load_mapping
from nbo.tables.report import CheckReport, TableReport, Violation
from nbo.tables.show import describe, describe_rows
from nbo.tables.store import Store

__all__ = [
    "TABLES",
    "CheckReport",
    "Column",
    "Mapping",
    "Measure",
    "Store",
    "Table",
    "TableReport",
    "Violation",
    "Words",
    "check_tables",
    "contract",
    "describe",
    "describe_rows",
    "load_mapping",
]
