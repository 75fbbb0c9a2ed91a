"""A file of outcomes is attached whole or not at all, and every misfit has its line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbo.decisions.log import NewDecision, open_log

ROOT = Path(__file__).resolve().parents[2]
HEADER = "decision_id,outcome,offer_id,occurred_at\n"
AT = "2024-06-03T02:00:00.000Z"
LATER = "2024-06-04T09:30:00+08:00"
GOOD = f"d0,accepted,P1,{LATER}\nd1,refused,,{LATER}\nd2,no_answer,,{LATER}\n"

Run = Callable[..., Any]
Import = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBO_LOG_URL", raising=False)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A workspace whose log has the decisions d0 to d49, each with the offers P1 and P2."""
    workspace = tmp_path / "operator"
    workspace.mkdir()
    shutil.copy(ROOT / "nbo.toml", workspace)
    fill(f"sqlite:///{workspace}/decisions.db")
    return workspace


def fill(url: str) -> None:
    log = open_log(url)
    answer = json.dumps({"offers": [{"offer_id": "P1"}, {"offer_id": "P2"}]})
    log.record_many(
        [
            NewDecision(f"d{n}", "A1", "web", 19_877, AT, "asked", None, None, answer, None, "{}")
            for n in range(50)
        ]
    )
    log.close()


@pytest.fixture
def imported(nbo: Run, place: Path) -> Import:
    """``imported(text, "--json")`` imports a file of this content."""

    def run(content: str | bytes, *words: str) -> Any:
        file = place / "outcomes.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return nbo("outcomes", "import", "outcomes.csv", *words, cwd=place)

    return run


def test_outcomes_are_attached_and_a_second_time_are_there(imported: Import) -> None:
    first = imported(HEADER + GOOD)
    assert (first.code, first.out, first.err) == (0, "3 attached, 0 there already\n", "")
    assert imported(HEADER + GOOD + f"d3,not_reached,,{LATER}\n").out == "1 attached, 3 there already\n"


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + HEADER + GOOD,
        (HEADER + GOOD).replace("\n", "\r\n"),
        (HEADER + GOOD).rstrip("\n"),
        HEADER + GOOD.replace("\n", "\n\n"),
        HEADER + GOOD.replace("d0,accepted", '"d0","accepted"'),
        HEADER + GOOD + f"d0,accepted,P1,{LATER}\n",
        "occurred_at,offer_id,decision_id,outcome\n" + f"{LATER},P2,d0,accepted\n" * 3,
    ],
    ids=["bom", "crlf", "no last newline", "empty lines", "quoted", "twice", "other order"],
)
def test_a_file_may_be_written_in_many_ways(imported: Import, content: str) -> None:
    assert imported(content).code == 0
    assert imported(content).out.startswith("0 attached, ")


def test_a_file_without_rows_attaches_nothing(imported: Import) -> None:
    ended = imported(HEADER)
    assert (ended.code, ended.out) == (0, "0 attached, 0 there already\n")


def test_machines_get_the_envelope(imported: Import) -> None:
    ended = imported(HEADER + GOOD, "--json")
    assert ended.envelope == {
        "ok": True,
        "as_of": None,
        "result": {"attached": 3, "present": 0, "refused": 0, "rows": 3, "problems": []},
        "warnings": [],
    }


MISFITS = f"""d9,accepted,P3,{LATER}
d9,accepted,P1,2024-06-03T01:00:00Z
d0,agreed,P1,{LATER}
gone,refused,,{LATER}
d1,refused,P1
d2,accepted,P1,{LATER}
d2,accepted,P2,{LATER}
"d
4",refused,,{LATER}
d5,refused,,04/06/2024
,refused,,{LATER}
"""


def test_each_misfit_is_told_in_a_line_and_nothing_is_attached(imported: Import) -> None:
    ended = imported(HEADER + MISFITS + f"d8,refused,,{LATER}\n")
    assert ended.code == 1
    assert ended.out.splitlines() == [
        "outcomes.csv:2: decision d9: expected an offer that was made (P1, P2), got P3",
        "outcomes.csv:3: decision d9: expected a time not before the decision (2024-06-03T02:00:00.000Z), "
        "got 2024-06-03T01:00:00Z",
        "outcomes.csv:4: decision d0: expected an outcome of accepted, refused, not_reached, no_answer, "
        "got agreed",
        "outcomes.csv:5: decision gone: expected a decision of this log, got an unknown one",
        "outcomes.csv:6: expected 4 fields, got 3",
        "outcomes.csv:8: decision d2: expected the outcome attached already "
        "(accepted P1 at 2024-06-04T01:30:00.000Z), got accepted P2 at 2024-06-04T01:30:00.000Z",
        "outcomes.csv:10: decision d 4: expected a decision of this log, got an unknown one",
        "outcomes.csv:11: decision d5: expected an instant with Z or an offset, as 2024-06-03T10:00:00Z, "
        "got 04/06/2024",
        "outcomes.csv:12: expected a decision of this log, got an unknown one",
        "9 of 11 rows do not fit; nothing was attached",
    ]
    assert imported(HEADER + f"d2,refused,,{LATER}\nd8,refused,,{LATER}\n").out.startswith("2 attached")


def test_a_misshapen_row_alone_keeps_all_from_being_attached(imported: Import) -> None:
    ended = imported(HEADER + GOOD + "d3,refused\n")
    assert ended.code == 1
    assert ended.out.splitlines()[-1] == "1 of 4 rows do not fit; nothing was attached"
    assert imported(HEADER + GOOD).out == "3 attached, 0 there already\n"


def test_of_many_misfits_the_first_are_told_and_all_are_counted(imported: Import) -> None:
    content = HEADER + GOOD + "".join(f"x{n},refused,,{LATER}\n" for n in range(3_000))
    lines = imported(content).out.splitlines()
    assert len(lines) == 21
    assert lines[0].startswith("outcomes.csv:5: decision x0: ")
    assert lines[-1] == "3,000 of 3,003 rows do not fit; nothing was attached"
    ended = imported(content, "--json")
    assert (ended.code, ended.envelope["ok"]) == (1, False)
    told = ended.envelope["result"]
    assert (told["attached"], told["refused"], told["rows"], len(told["problems"])) == (0, 3_000, 3_003, 20)
    assert told["problems"][0] == {
        "line": 5,
        "decision_id": "x0",
        "problem": "expected a decision of this log, got an unknown one",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected a header of decision_id, outcome, offer_id, occurred_at, got no decision_id, outcome"),
        ("decision_id,outcome,occurred_at\n", "got no offer_id"),
        (HEADER.replace("outcome", "outcom"), "unknown column 'outcom'; did you mean outcome?"),
        (HEADER.replace(",", ";"), "unknown column 'decision_id;outcome;offer_id;occurred_at'"),
        ("outcome," + HEADER, "expected each column once, got outcome 2 times"),
        (GOOD, "unknown column 'd0'"),
        (HEADER.encode("utf-16"), "expected text in UTF-8, got the byte 0xff. Save it as CSV in UTF-8."),
        ((HEADER + GOOD * 9_999 + "客户,refused,,x\n").encode("gb18030"), "expected text in UTF-8, got the"),
        (HEADER + 'd0,"accepted', "expected CSV, got unexpected end of data. Save it as CSV in UTF-8."),
        (HEADER + "d0,accepted," + "P" * 200_000, "expected CSV, got field larger than field limit"),
    ],
)
def test_what_is_no_file_of_outcomes_is_told_in_one_line(
    imported: Import, content: str | bytes, message: str
) -> None:
    ended = imported(content)
    assert (ended.code, ended.out) == (2, "")
    [line] = ended.err.splitlines()
    assert line.startswith("nbo: outcomes.csv: ")
    assert message in line


def test_no_file_and_a_folder_are_told(nbo: Run, place: Path) -> None:
    absent = nbo("outcomes", "import", "absent.csv", cwd=place)
    assert (absent.code, absent.err) == (2, "nbo: absent.csv: no such file.\n")
    folder = nbo("outcomes", "import", ".", cwd=place)
    assert (folder.code, folder.err) == (2, "nbo: .: not readable (Is a directory).\n")


def test_a_database_that_is_away_is_told(
    imported: Import, monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    secret = "hidden"
    monkeypatch.setenv("NBO_LOG_URL", f"postgresql://nbo:{secret}@127.0.0.1:9/x")
    ended = imported(HEADER + GOOD)
    assert ended.code == 2
    [line] = ended.err.splitlines()
    assert line.startswith("nbo: PostgreSQL database x at 127.0.0.1:9: ")
    assert secret not in line


def test_the_workspace_may_be_named(nbo: Run, place: Path, tmp_path: Path) -> None:
    (tmp_path / "told.csv").write_text(HEADER + GOOD)
    ended = nbo("outcomes", "import", "told.csv", "--workspace", "operator", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "3 attached, 0 there already\n")


def test_a_log_named_in_the_settings_is_used(imported: Import, place: Path) -> None:
    fill(f"sqlite:///{place}/elsewhere.db")
    (place / "decisions.db").unlink()
    (place / "nbo.toml").write_text('[log]\nurl = "sqlite:///elsewhere.db"\n')
    assert imported(HEADER + GOOD).out == "3 attached, 0 there already\n"
    assert not (place / "decisions.db").exists()


@pytest.mark.needs("postgres")
def test_outcomes_go_to_postgresql_as_well(
    imported: Import, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    fill(postgres_url)
    monkeypatch.setenv("NBO_LOG_URL", postgres_url)
    assert imported(HEADER + GOOD).out == "3 attached, 0 there already\n"
    ended = imported(HEADER + f"d0,accepted,P2,{LATER}\nd7,refused,,{LATER}\nd\x00,refused,,{LATER}\n")
    assert ended.code == 2
    assert "values that a database can hold" in ended.err
    assert imported(HEADER + f"d7,refused,,{LATER}\n").out == "1 attached, 0 there already\n"
