"""Mappings: units, codes, joins, reductions, inheritance, and what is wrong with them."""

import pytest

from nbo.errors import UsageError
from nbo.tables import TABLES, load_mapping
from nbo.tables.mapping import parse_mapping

CALLS = """extends = "canonical"
[[tables.calls.sources]]
files = "cdr*.csv"
delimiter = ";"
latency_days = 0
[tables.calls.sources.columns]
call_id = {{ columns = ["switch", "seq"], join = "-" }}
account_id = "acct"
event_day = {{ column = "day", format = "%d.%m.%Y" }}
{more}
"""


def put_cdr(operator, *rows: str) -> None:
    (operator.data / "calls.csv").unlink(missing_ok=True)
    (operator.data / "cdr.csv").write_text("switch;seq;acct;day;way;len;fee;ok\n" + "\n".join(rows) + "\n")


@pytest.mark.parametrize(
    ("unit", "raw", "seconds"),
    [("seconds", "12.5", 13), ("minutes", "8.52", 511), ("minutes", "0.025", 2), ("hours", "1.5", 5400)],
)
def test_durations_become_whole_seconds_half_rounded_up(operator, unit, raw, seconds):
    operator.map(CALLS.format(more=f'duration_seconds = {{ column = "len", unit = "{unit}" }}'))
    put_cdr(operator, f"s;1;A1;01.03.2024;out;{raw};;")
    operator.store()
    assert operator.rows("calls", "call_id", "duration_seconds") == [("s-1", seconds)]


@pytest.mark.parametrize(
    ("unit", "raw", "amount"), [("major", "19.99", 1999), ("major", "1.005", 101), ("minor", "250", 250)]
)
def test_amounts_become_minor_units(operator, unit, raw, amount):
    more = f'duration_seconds = "len"\ncharge_amount = {{ column = "fee", unit = "{unit}" }}'
    operator.map(CALLS.format(more=more))
    put_cdr(operator, f"s;1;A1;01.03.2024;out;1;{raw};")
    operator.store()
    assert operator.rows("calls", "charge_amount") == [(amount,)]


@pytest.mark.parametrize(
    ("unit", "raw", "size"), [("bytes", "7", 7), ("MB", "660.4", 660_400_000), ("MiB", "1.5", 1_572_864)]
)
def test_volumes_become_bytes(operator, unit, raw, size):
    operator.map(
        f"""extends = "canonical"
[[tables.usage.sources]]
files = "sessions.csv"
latency_days = 0
reduce = "sum"
[tables.usage.sources.columns]
account_id = "account"
line_id = "line"
event_day = "day"
service = {{ constant = "mobile_data" }}
sessions_count = {{ constant = 1 }}
data_bytes = {{ column = "volume", unit = "{unit}" }}
"""
    )
    rows = [f"A1,L1,2024-03-01,{raw}", f"A1,L1,2024-03-01,{raw}", f"A2,L2,2024-03-01,{raw}"]
    (operator.data / "sessions.csv").write_text("account,line,day,volume\n" + "\n".join(rows) + "\n")
    operator.store()
    assert operator.rows("usage", "line_id", "sessions_count", "data_bytes") == [
        ("L1", 2, 2 * size),
        ("L2", 1, size),
    ]


def test_fine_rows_with_a_raw_key_are_summed_once(operator):
    operator.map(
        """extends = "canonical"
[tables.usage]
allowed_quarantined_share = 0.5
[[tables.usage.sources]]
files = "sessions.csv"
latency_days = 0
reduce = "sum"
raw_key = ["id"]
[tables.usage.sources.columns]
account_id = "account"
line_id = "line"
event_day = "day"
service = { constant = "message" }
sessions_count = { constant = 1 }
"""
    )
    rows = [
        "1,A1,L1,2024-03-01",
        "1,A1,L1,2024-03-01",
        "2,A1,L1,2024-03-01",
        "3,A1,L1,2024-03-01",
        "3,A2,L2,2024-03-01",
    ]
    (operator.data / "sessions.csv").write_text("id,account,line,day\n" + "\n".join(rows) + "\n")
    report = operator.check()
    table = report.tables["usage"]
    assert report.ok
    assert operator.rows("usage", "line_id", "sessions_count") == [("L1", 2)]
    assert (table.raw_rows, table.duplicates_dropped, table.quarantined, table.rows) == (5, 1, 2, 1)


def test_codes_are_mapped_and_what_they_lack_is_told(operator):
    more = 'duration_seconds = "len"\ndirection = { column = "way", codes = { MOC = "out", MTC = "in" } }'
    operator.map(CALLS.format(more=more))
    put_cdr(operator, "s;1;A1;01.03.2024;MOC;1;;", "s;2;A1;01.03.2024;in;1;;", "s;3;A1;01.03.2024;XXX;1;;")
    assert operator.lines() == [
        "calls.direction: expected one of out, in, got 'XXX'; 1 of 3 rows, e.g. s-3. "
        "Add it to the mapping's codes of this column, or correct the source."
    ]
    put_cdr(operator, "s;1;A1;01.03.2024;MOC;1;;", "s;2;A1;01.03.2024;in;1;;")
    operator.store()
    assert operator.rows("calls", "direction") == [("out",), ("in",)]


def test_one_file_may_feed_two_rows_of_a_log(operator):
    operator.map(
        """extends = "canonical"
[[tables.lines.sources]]
files = "users.csv"
latency_days = 0
[tables.lines.sources.columns]
line_id = "id"
account_id = "account"
valid_day = "began"
state = { constant = "active" }
[[tables.lines.sources]]
files = "users.csv"
latency_days = 0
where_present = "ended"
[tables.lines.sources.columns]
line_id = "id"
account_id = "account"
valid_day = "ended"
state = { constant = "ended" }
reason = { constant = "price" }
"""
    )
    (operator.data / "users.csv").write_text(
        "id,account,began,ended\nL1,A1,2024-01-01,\nL2,A2,2024-01-01,2024-02-01\n"
    )
    operator.store()
    found = operator.rows("lines", "line_id", "state", "reason")
    assert found == [("L1", "active", None), ("L2", "active", None), ("L2", "ended", "price")]


def test_sources_with_different_columns_feed_one_table(operator):
    (operator.data / "calls-2.csv").write_text(
        "call_id,account_id,event_time,known_time,duration_seconds,destination\n"
        "D1,A2,2024-03-05 01:00:00,2024-03-06,7,local\n"
    )
    operator.map(
        """extends = "canonical"
[[tables.calls.sources]]
files = "calls.csv"
[tables.calls.sources.columns]
call_id = "call_id"
account_id = "account_id"
event_day = "event_time"
known_day = "known_time"
duration_seconds = "duration_seconds"
[[tables.calls.sources]]
files = "calls-2.csv"
[tables.calls.sources.columns]
call_id = "call_id"
account_id = "account_id"
event_day = "event_time"
known_day = "known_time"
duration_seconds = "duration_seconds"
destination = "destination"
"""
    )
    operator.store()
    found = operator.rows("calls", "call_id", "destination")
    assert found == [("C1", None), ("C2", None), ("D1", "local"), ("C3", None)]


def test_the_canonical_mapping_covers_every_contract_column():
    mapping = parse_mapping(load_path("canonical"))
    assert list(mapping.tables) == list(TABLES)
    for name, table in TABLES.items():
        [source] = mapping.tables[name].sources
        assert tuple(source.columns) == table.column_names
    hidden = {
        (t, c)
        for t, spec in mapping.tables.items()
        for c, m in spec.sources[0].columns.items()
        if m.pseudonym
    }
    assert hidden == {
        ("calls", "counterparty_id"),
        ("interconnect", "counterparty_id"),
        ("lines", "number_id"),
    }


def load_path(name: str):
    from nbo.tables.mapping import BUNDLED

    return BUNDLED / f"{name}.toml"


def test_a_mapping_is_found_by_path_then_name_then_in_the_data_then_canonical(operator, tmp_path):
    assert load_mapping("megaline", operator.data).currency == "USD"
    assert load_mapping(None, operator.data).currency == "CNY"
    operator.map('extends = "canonical"\ncurrency = "HKD"\n')
    assert load_mapping(None, operator.data).currency == "HKD"
    (tmp_path / "own.toml").write_text('extends = "megaline"\ncurrency = "EUR"\n')
    mapping = load_mapping(tmp_path / "own.toml", operator.data)
    assert (mapping.currency, mapping.zone, len(mapping.tables)) == ("EUR", "America/New_York", 5)


WRONG = {
    "key": ('zome = "UTC"', r"mapping\.toml: zome: no such key; did you mean zone\?"),
    "table": ("[tables.cals]", r"mapping\.toml: tables\.cals: no such table; did you mean calls, labels\?"),
    "source key": (
        '[[tables.calls.sources]]\nfile = "x"\nfiles = "x"\ncolumns = {}',
        r"mapping\.toml: tables\.calls\.sources\.0\.file: no such key; did you mean files\?",
    ),
    "share": (
        "[tables.calls]\nallowed_quarantined_share = 2",
        r"tables\.calls\.allowed_quarantined_share: Input should be less than or equal to 1, got 2",
    ),
    "zone": ("zone = 8", r"mapping\.toml: zone: Input should be a valid string, got 8"),
    "currency": (
        'currency = "yuan"',
        r"mapping\.toml: currency: String should match pattern '.*', got 'yuan'",
    ),
    "text": ("zone = ", r"mapping\.toml: expected TOML in UTF-8, got "),
    "base": (
        'extends = "canonicle"',
        r"extends: expected another mapping, got 'canonicle'; known: canonical, megaline",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_mapping_is_told_with_what_is_near(operator, case):
    text, expected = WRONG[case]
    operator.map(text if case in ("text", "base") else merge_text(text))
    with pytest.raises(UsageError, match=expected):
        load_mapping(None, operator.data)


def merge_text(text: str) -> str:
    return 'extends = "canonical"\n' + text + "\n"


WRONG_CALLS = {
    "unknown column": (
        'duration = "len"',
        r"columns\.duration: no such column; did you mean direction, duration_seconds, destination",
    ),
    "two origins": (
        'duration_seconds = { column = "len", constant = 1 }',
        r"columns\.duration_seconds: expected exactly one of column, columns, constant, absent, got ",
    ),
    "column key": (
        'duration_seconds = { column = "len", units = "minutes" }',
        r"columns\.duration_seconds\.units: no such key; did you mean unit",
    ),
    "unit": (
        'duration_seconds = { column = "len", unit = "MB" }',
        r"columns\.duration_seconds\.unit: expected seconds, minutes, hours, got 'MB'",
    ),
    "required": (
        'direction = "way"',
        r"columns\.duration_seconds: expected a source for this required column, got none",
    ),
    "both times": (
        'duration_seconds = "len"\nknown_day = "day"',
        r"latency_days: expected either it or columns\.known_day, got both",
    ),
    "pseudonym": (
        'duration_seconds = { column = "len", pseudonym = true }',
        r"columns\.duration_seconds\.pseudonym: expected a key column, got a seconds",
    ),
    "format": (
        'duration_seconds = { column = "len", format = "%H" }',
        r"columns\.duration_seconds\.format: expected a time column, got a seconds",
    ),
}


@pytest.mark.parametrize("case", WRONG_CALLS)
def test_a_wrong_column_is_told_with_its_place(operator, case):
    more, expected = WRONG_CALLS[case]
    operator.map(CALLS.format(more=more))
    with pytest.raises(UsageError, match=r"mapping\.toml: tables\.calls\.sources\.0\." + expected):
        load_mapping(None, operator.data)


def test_an_unknown_mapping_lists_the_bundled_ones(operator):
    with pytest.raises(UsageError, match=r"no file or bundled mapping mega\. Bundled: canonical, megaline"):
        load_mapping("mega", operator.data)
