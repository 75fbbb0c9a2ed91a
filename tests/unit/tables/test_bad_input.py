"""Each kind of bad input, by the whole line that the operator reads."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbo.errors import DataError
from nbo.tables import Store

GOOD = "C9,A1,L1,2024-03-01 10:00:00,2024-03-02 00:00:00,out,13800000001,N1,60,0.30"

BAD_ROWS = {
    "no value": (
        GOOD.replace(",A1,", ",,"),
        "calls.account_id: expected a value in every row, got nothing; 1 of 4 rows, e.g. C9. "
        "Complete the source.",
    ),
    "unknown account": (
        GOOD.replace(",A1,", ",A7,"),
        "calls.account_id: expected a key of table accounts, got 'A7'; 1 of 4 rows, e.g. C9. "
        "Add it to accounts, or correct the source.",
    ),
    "unknown line": (
        GOOD.replace(",L1,", ",L7,"),
        "calls.line_id: expected a key of table lines, got 'L7'; 1 of 4 rows, e.g. C9. "
        "Add it to lines, or correct the source.",
    ),
    "unknown network": (
        GOOD.replace(",N1,", ",N7,"),
        "calls.network_id: expected a key of table networks, got 'N7'; 1 of 4 rows, e.g. C9. "
        "Add it to networks, or correct the source.",
    ),
    "no time": (
        GOOD.replace("2024-03-01 10:00:00", "yesterday"),
        "calls.event_day: expected a date or time in ISO 8601, got 'yesterday'; 1 of 4 rows, e.g. C9. "
        "Correct the source, or the mapping's format, unit or codes of this column.",
    ),
    "impossible date": (
        GOOD.replace("2024-03-01 10", "2024-02-30 10"),
        "calls.event_day: expected a date or time in ISO 8601, got '2024-02-30 10:00:00'; 1 of 4 "
        "rows, e.g. C9. "
        "Correct the source, or the mapping's format, unit or codes of this column.",
    ),
    "far future": (
        GOOD.replace("2024-03-02 00", "2999-03-02 00"),
        "calls.known_day: expected a date from 1970 to 2099, got '2999-03-02 00:00:00'; 1 of 4 "
        "rows, e.g. C9. "
        "Correct the source.",
    ),
    "known too early": (
        GOOD.replace("2024-03-02 00:00:00", "2024-02-28 09:00:00"),
        "calls.known_day: expected known_day >= event_day, got known_day '2024-02-28 09:00:00', "
        "event_day '2024-03-01 10:00:00'; 1 of 4 rows, e.g. C9. "
        "Correct the source, or map latency_days in its place.",
    ),
    "unknown code": (
        GOOD.replace(",out,", ",sideways,"),
        "calls.direction: expected one of out, in, got 'sideways'; 1 of 4 rows, e.g. C9. "
        "Add it to the mapping's codes of this column, or correct the source.",
    ),
    "no number": (
        GOOD.replace(",60,", ",long,"),
        "calls.duration_seconds: expected a number of seconds, got 'long'; 1 of 4 rows, e.g. C9. "
        "Correct the source, or the mapping's format, unit or codes of this column.",
    ),
    "not finite": (
        GOOD.replace(",60,", ",nan,"),
        "calls.duration_seconds: expected a number of seconds, got 'nan'; 1 of 4 rows, e.g. C9. "
        "Correct the source, or the mapping's format, unit or codes of this column.",
    ),
    "negative duration": (
        GOOD.replace(",60,", ",-60,"),
        "calls.duration_seconds: expected duration_seconds >= 0, got '-60'; 1 of 4 rows, e.g. C9. "
        "Correct the source.",
    ),
    "negative charge": (
        GOOD.replace(",0.30", ",-0.30"),
        "calls.charge_amount: expected charge_amount >= 0, got '-0.30'; 1 of 4 rows, e.g. C9. "
        "Correct the source.",
    ),
    "no amount": (
        GOOD.replace(",0.30", ",free"),
        "calls.charge_amount: expected an amount in CNY, got 'free'; 1 of 4 rows, e.g. C9. "
        "Correct the source, or the mapping's format, unit or codes of this column.",
    ),
    "too many values": (
        GOOD + ",x",
        "calls (calls.csv): expected as many values in every line as in the header, got Expected Number of "
        "Columns: 10 Found: 11; 1 of 4 rows, e.g. calls.csv:5. "
        "Quote values that hold the delimiter, or correct the line.",
    ),
    "too few values": (
        "C9,A1",
        "calls (calls.csv): expected as many values in every line as in the header, got Expected Number of "
        "Columns: 10 Found: 2; 1 of 4 rows, e.g. calls.csv:5. "
        "Quote values that hold the delimiter, or correct the line.",
    ),
    "same key, other content": (
        GOOD.replace("C9", "C1").replace(",60,", ",61,"),
        "calls.call_id: expected one content for each key, got rows that share it and differ; 2 of 4 rows, "
        "e.g. C1. Keep the right row of each key.",
    ),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_is_told_in_one_line_and_fails_the_store(operator, case):
    row, expected = BAD_ROWS[case]
    operator.add("calls", row)
    assert operator.lines() == [expected]
    with pytest.raises(
        DataError, match=r"expected a store that passed its check, got 1 failed rule\. Run nbo check"
    ):
        Store.open(operator.out)
    assert not (operator.out / "tables").exists()


OTHER_TABLES = {
    "probability": (
        "contacts",
        "contact_id,account_id,event_date,known_time,logging_prob\nK1,A1,2024-03-01,2024-03-02,1.5\n",
        "contacts.logging_prob: expected a probability in [0, 1], got '1.5'; 1 of 1 rows, e.g. K1. "
        "Correct the source.",
    ),
    "flag": (
        "consents",
        "account_id,scope,valid_date,known_time,allowed\nA1,all,2024-03-01,2024-03-02,perhaps\n",
        "consents.allowed: expected true or false, got 'perhaps'; 1 of 1 rows, e.g. "
        "A1/all/2024-03-01/2024-03-02. "
        "Correct the source, or the mapping's format, unit or codes of this column.",
    ),
    "negative bytes": (
        "usage",
        "account_id,line_id,event_date,known_time,service,data_bytes\n"
        "A1,L1,2024-03-01,2024-03-02,broadband,-1\n",
        "usage.data_bytes: expected data_bytes >= 0, got '-1'; 1 of 1 rows, e.g. L1/2024-03-01/broadband. "
        "Correct the source.",
    ),
    "broken count": (
        "usage",
        "account_id,line_id,event_date,known_time,service,sessions_count\n"
        "A1,L1,2024-03-01,2024-03-02,broadband,1.5\n",
        "usage.sessions_count: expected a whole number, got '1.5'; 1 of 1 rows, e.g. "
        "L1/2024-03-01/broadband. "
        "Correct the source, or the mapping's format, unit or codes of this column.",
    ),
    "grade": (
        "surveys",
        "survey_id,account_id,event_date,known_time,satisfaction\nS1,A1,2024-03-01,2024-03-02,6\n",
        "surveys.satisfaction: expected a grade from 1 to 5, got '6'; 1 of 1 rows, e.g. S1. Correct "
        "the source.",
    ),
    "billing period": (
        "bills",
        "bill_id,account_id,event_date,known_time,family,bill_amount,period_start_date,period_end_date\n"
        "B1,A1,2024-03-01,2024-03-02,voice,-5.00,2024-02-01,2024-01-01\n",
        "bills.period_end_day: expected period_start_day < period_end_day, got period_start_day "
        "'2024-02-01', "
        "period_end_day '2024-01-01'; 1 of 1 rows, e.g. B1/voice. Correct the source.",
    ),
}


@pytest.mark.parametrize("case", OTHER_TABLES)
def test_a_bad_row_of_another_table_is_told_in_one_line(operator, case):
    table, text, expected = OTHER_TABLES[case]
    operator.put(table, text)
    assert operator.lines() == [expected]


def test_a_credit_note_is_no_violation(operator):
    operator.put(
        "bills",
        "bill_id,account_id,event_date,known_time,family,bill_amount\n"
        "B1,A1,2024-03-01,2024-03-02,voice,-5.00\n",
    )
    operator.store()
    assert operator.rows("bills", "bill_amount") == [(-500,)]


def test_a_line_that_ends_before_it_was_active_is_told(operator):
    operator.change("lines", "L2,A2,2024-01-01,2024-01-01,active", "L2,A2,2024-01-01,2024-01-01,ended")
    assert operator.lines()[0] == (
        "lines.state: expected an active row of the line by its valid_day, got an end or suspension "
        "before any; "
        "1 of 2 rows, e.g. L2/2024-01-01/2024-01-01. Add the row that made the line active."
    )


def test_all_violations_of_all_tables_are_told_at_once(operator):
    operator.add(
        "calls", GOOD.replace(",60,", ",-1,").replace(",out,", ",up,"), GOOD.replace("C9,A1", "C8,A8")
    )
    operator.add("networks", "N2,2024-01-01,foreign")
    found = [(v.table, v.column, v.rule) for v in operator.check().violations]
    assert found == [
        ("networks", "kind", "unknown code"),
        ("calls", "account_id", "unknown reference"),
        ("calls", "direction", "unknown code"),
        ("calls", "duration_seconds", "negative"),
    ]


def test_the_commonest_values_and_five_keys_are_shown(operator):
    for n in range(7):
        operator.add("calls", GOOD.replace("C9", f"D{n}").replace(",out,", ",up," if n else ",down,"))
    assert operator.lines() == [
        "calls.direction: expected one of out, in, got 'up' or 'down'; 7 of 10 rows, e.g. D0, D1, "
        "D2, D3, D4. "
        "Add it to the mapping's codes of this column, or correct the source."
    ]


def test_a_missing_column_is_one_violation_naming_what_is_near(operator):
    operator.change("calls", "call_id,account_id,", "call_id,acount_id,")
    assert operator.lines() == [
        "calls.account_id: expected source column 'account_id' in every file, got none in calls.csv "
        "(did you mean acount_id, counterparty_id?). Add the column, or correct its name in the mapping."
    ]


def test_an_optional_column_that_no_file_has_is_absent(operator):
    store = operator.store()
    assert store.has("calls", "charge_amount")
    assert not store.has("calls", "destination")
    assert "destination" in operator.check().tables["calls"].columns_absent


def test_an_optional_column_that_only_some_files_have_is_a_violation(operator):
    header, row = "site_id,account_id,valid_date,known_time", "A1,2024-01-01,2024-01-01"
    operator.put("sites-1", f"{header},district\nS1,{row},north\n")
    operator.put("sites-2", f"{header}\nS2,{row}\n")
    assert operator.lines() == [
        "sites.district: expected source column 'district' in every file, got none in sites-2.csv "
        "(known: account_id, known_time, site_id, valid_date). Add the column, or correct its name "
        "in the mapping."
    ]


def test_a_required_table_without_a_source_is_a_violation(operator):
    (operator.data / "lines.csv").unlink()
    assert operator.lines() == [
        "lines: expected a file lines/*.parquet or lines/*.csv or lines/*.csv.gz, got none. "
        "Add the lines of the operator, or map where they are."
    ]


def test_an_empty_parquet_file_is_told_by_name(operator):
    (operator.data / "tickets").mkdir()
    (operator.data / "tickets" / "a.parquet").write_bytes(b"")
    assert operator.lines() == [
        "tickets (tickets/a.parquet): expected a whole, readable file, got an empty file. "
        "Write the file again, run nbo check."
    ]


def test_a_damaged_parquet_page_is_told_by_name(operator):
    folder = operator.data / "sites"
    folder.mkdir()
    table = pa.table({"site_id": [f"S{n:06d}" for n in range(20_000)]})
    pq.write_table(table, folder / "a.parquet", compression="zstd", use_dictionary=False)
    content = bytearray((folder / "a.parquet").read_bytes())
    content[4:200] = bytes(196)
    (folder / "a.parquet").write_bytes(content)
    [line] = operator.lines()
    assert line.startswith("sites (sites/a.parquet): expected a whole, readable file, got ")
    assert line.endswith("Write the file again, run nbo check.")


def test_a_cut_gzip_file_is_told_by_name(operator):
    path = operator.data / "calls.csv"
    whole = gzip.compress(path.read_bytes())
    path.unlink()
    (operator.data / "calls.csv.gz").write_bytes(whole[: len(whole) // 2])
    assert operator.lines() == [
        "calls (calls.csv.gz): expected a whole, readable file, got Compressed file ended before the "
        "end-of-stream marker was reached. Write the file again, run nbo check."
    ]


def test_text_that_is_not_utf_8_is_told_by_file_and_line(operator):
    operator.put(
        "accounts",
        b"account_id,valid_date,known_time,name\nA1,2024-01-01,2024-01-01,ok\n"
        b"A2,2024-01-01,2024-01-01,\xc9\xee\xdb\xda\n",
    )
    assert operator.lines()[0] == (
        "accounts (accounts.csv): expected UTF-8 text, got other bytes; 1 of 2 rows, e.g. accounts.csv:3. "
        "Convert the file to UTF-8."
    )


def test_a_csv_file_without_a_header_is_told_by_name(operator):
    operator.put("tickets", "")
    assert operator.lines() == [
        "tickets (tickets.csv): expected a header line, got an empty first line. "
        "Write the file again, run nbo check."
    ]


def test_quarantined_rows_keep_reason_file_and_raw_values_but_no_number_in_clear(operator):
    operator.add("calls", GOOD.replace(",60,", ",-60,").replace(",out,", ",up,"))
    operator.check()
    [row] = operator.quarantine("calls")
    raw = json.loads(str(row["raw"]))
    assert row["reason"] == "direction: unknown code; duration_seconds: negative"
    assert (row["key"], row["file"]) == ("C9", "calls.csv")
    assert (raw["direction"], raw["duration_seconds"], raw["event_time"]) == (
        "up",
        "-60",
        "2024-03-01 10:00:00",
    )
    assert "13800000001" not in str(row)
    assert len(raw["counterparty_id"]) == 12


def test_a_broken_line_with_numbers_is_kept_without_its_text(operator):
    operator.add("calls", GOOD + ",x")
    operator.check()
    [row] = operator.quarantine("calls")
    assert row["key"] == "calls.csv:5"
    assert "13800000001" not in str(row)


def test_an_allowed_share_tells_but_does_not_fail(operator):
    operator.add("calls", GOOD.replace(",60,", ",-60,"))
    operator.map('extends = "canonical"\n[tables.calls]\nallowed_quarantined_share = 0.25\n')
    report = operator.check()
    assert report.ok
    assert [v.fails for v in report.violations] == [False]
    assert len(operator.rows("calls", "call_id")) == 3
    operator.map('extends = "canonical"\n[tables.calls]\nallowed_quarantined_share = 0.24\n')
    assert not operator.check().ok


def test_data_that_are_no_folder_are_a_data_error(operator, tmp_path):
    operator.data = tmp_path / "nowhere"
    with pytest.raises(DataError, match=r"--data: expected an existing folder, got .*nowhere"):
        operator.check()
