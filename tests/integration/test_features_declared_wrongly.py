"""What an editor of ``features/`` may get wrong: one line with its place and a way out, never a defect."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Nbo = Callable[..., Any]
FIRST = "        calls.count(over=days(7, 30, 90)),\n"
PER_LINE = (
    (
        "calls",
        "calls: expected features such as calls.count(over=days(30)), got rows of calls without a verb as ",
    ),
    (
        "calls.count",
        "calls: expected features such as calls.count(over=days(30)), got count without its brackets",
    ),
    (
        "calls.count(over=days(7)).share_of(calls.count(over=days(7)))",
        "share: expected rows such as calls.where(direction='out'), got a feature (count)",
    ),
    ("calls.count(over=days(7)).trend().trend()", "trend: expected a count or sum over a window, got trend"),
    ("calls.count(over=days(0))", "window: expected a whole number of days >= 1, got 0"),
    ("calls.count(over=days(7), window=3)", "TypeError: Source.count() got an unexpected keyword argument"),
    (
        "calls.where(direction='outt').count(over=days(7))",
        "calls.direction: unknown code 'outt'; did you mean out?",
    ),
    ("abroadd.count(over=days(7))", "NameError: name 'abroadd' is not defined; did you mean abroad?"),
)


@pytest.fixture
def told(new_workspace: Path, nbo: Nbo) -> Callable[[str, str, str], str]:
    """Replaces a text of a file of ``features/``; what ``nbo features check`` then says, in its one line."""

    def edited(name: str, old: str, new: str) -> str:
        file = new_workspace / "features" / name
        content = file.read_text()
        assert old in content
        file.write_text(content.replace(old, new, 1))
        ended = nbo("features", "check", cwd=new_workspace)
        assert ended.code == 2 and ended.out == "", ended.err
        [line] = ended.err.splitlines()
        return str(line).removeprefix("nbo: ").replace(f"{new_workspace}/", "")

    return edited


@pytest.mark.parametrize(("line", "text"), PER_LINE, ids=[line for line, _ in PER_LINE])
def test_a_wrong_line_is_told_with_its_file_and_line(
    told: Callable[[str, str, str], str], line: str, text: str
) -> None:
    said = told("calls.py", FIRST, f"        {line},\n")
    place, _, rest = said.partition(": ")
    assert place.startswith("features/calls.py:") and place.rpartition(":")[2].isdigit()
    assert rest.startswith(text)


def test_files_that_need_each_other_are_told(
    told: Callable[[str, str, str], str], new_workspace: Path
) -> None:
    rivals = new_workspace / "features" / "rivals.py"
    start = "from nbo.features import"
    rivals.write_text(rivals.read_text().replace(start, f"from features.calls import CALLS\n{start}", 1))
    said = told("calls.py", start, f"from features.rivals import RIVALS\n{start}")
    assert said == (
        "features/rivals.py:3: this file needs features.calls, which needs this file: move what both need "
        "into one of them. Correct the declaration."
    )


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("SETS = {", "SETZ = {", "features/sets.py: expected SETS = {name: [families]}, got none."),
        (
            "        CALLS,\n",
            '        "CALLS",\n',
            "features/sets.py: churn: expected families such as CALLS, got str as number 1.",
        ),
        (
            "        CALLS,\n",
            "        CALLS.lines,\n",
            "features/sets.py: churn: expected families such as CALLS, got list as number 1.",
        ),
        ('"churn": [', '"churn": CALLS, "x": [', "features/sets.py: churn: expected a list of families, got"),
        (
            "        CALLS,\n",
            "        CALLS, CALLS,\n",
            "calls: two families of this name. Put it there once",
        ),
        (
            "from features.calls import CALLS",
            "from features.calls import CALS",
            "features/sets.py:4: ImportError: cannot import name 'CALS' from 'features.calls'",
        ),
        (
            "from features.calls import CALLS",
            "from features.cals import CALLS",
            "features/sets.py:4: ModuleNotFoundError: No module named 'features.cals'. Correct the",
        ),
    ],
)
def test_sets_that_cannot_be_read_are_told(
    told: Callable[[str, str, str], str], old: str, new: str, text: str
) -> None:
    assert told("sets.py", old, new).startswith(text)


def test_a_name_declared_in_two_files_is_told_with_both(told: Callable[[str, str, str], str]) -> None:
    twice = f'{FIRST}        calls.where(counterparty="rival").count(over=days(30)),\n'
    assert told("calls.py", FIRST, twice) == (
        "calls_rival_count_30d: two features of this name, in the families calls and rivals. "
        "Declare each feature once."
    )


def test_a_rival_that_no_table_names_stops_the_build_and_is_told(
    new_workspace: Path, nbo: Nbo, store: Path
) -> None:
    file = new_workspace / "features" / "calls.py"
    line = '        calls.where(counterparty="unicomm").count(over=days(30)),\n'
    file.write_text(file.read_text().replace(FIRST, FIRST + line, 1))
    assert nbo("features", "check", cwd=new_workspace).code == 0
    ended = nbo("features", "build", "--store", store, "--as-of", "2024-11-01", cwd=new_workspace)
    assert ended.code == 2 and ended.err.count("\n") == 1
    assert ended.err.startswith(
        "nbo: networks.network_id: expected 'unicomm', which features name, among the networks, got "
    )
    assert "e.g. calls_unicomm_count_30d" in ended.err


def test_windows_longer_than_the_history_are_noted_by_the_build(
    new_workspace: Path, nbo: Nbo, store: Path
) -> None:
    words = ("features", "build", "--store", store, "--as-of", "latest", "--json")
    told = nbo(*words, cwd=new_workspace)
    assert told.code == 0
    [note] = [one for one in told.envelope["warnings"] if one.startswith("bills begin on ")]
    assert note.endswith("1 feature is null (bills_bill_amount_sum_31d_year_on_year)")


PAYMENTS = """
from nbo.features import FeatureSet, Words, days, table

late = table("payments").max("days_late", over=days(400))
PAYMENTS = FeatureSet("late_payments", Words("Late", "逾期"), [late])
"""


def test_a_family_that_no_set_lists_is_noted(new_workspace: Path, nbo: Nbo) -> None:
    file = new_workspace / "features" / "payments.py"
    file.write_text(PAYMENTS)
    ended = nbo("features", "check", "--json", cwd=new_workspace)
    assert ended.code == 0
    assert ended.envelope["warnings"] == [
        "features/payments.py: the family late_payments is in no set of features/sets.py, no model reads it"
    ]
    file = new_workspace / "features" / "stray.py"
    file.write_text("from nbo.features import tabel\n")
    ended = nbo("features", "check", cwd=new_workspace)
    assert ended.code == 2 and f"{file}:1: ImportError: cannot import name 'tabel'" in ended.err


def test_the_audit_names_what_is_null_in_all_its_months(new_workspace: Path, nbo: Nbo, store: Path) -> None:
    (new_workspace / "features" / "payments.py").write_text(PAYMENTS)
    sets = new_workspace / "features" / "sets.py"
    sets.write_text(
        sets.read_text()
        .replace("from features.rivals", "from features.payments import PAYMENTS\nfrom features.rivals", 1)
        .replace("        CALLS,\n", "        CALLS,\n        PAYMENTS,\n", 1)
    )
    words = ("features", "audit", "--store", store, "--as-of", "2024-10-01", "--accounts", "20", "--json")
    [note] = nbo(*words, cwd=new_workspace).envelope["warnings"]
    assert note.startswith("null in every row of these months, so nothing is known of ")
    assert "payments_days_late_max_400d" in note
