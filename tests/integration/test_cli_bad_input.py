"""What is wrong is told in one line that names it, shows what is right, and leaves nothing behind."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from nbo.bundle import Bundle, BundleParts, load_bundle, write_bundle
from nbo.cli.app import run
from nbo.files import lock
from nbo.keys import bundle_key
from nbo.tables.store import Store

Nbo = Callable[..., Any]
NO_ID = "0" * 16


def one_line(ended: Any, code: int = 2) -> str:
    """The one line on stderr, after its prefix; the code must be this."""
    assert ended.code == code, ended.err
    [line] = ended.err.splitlines()
    assert line.startswith("nbo: ")
    assert ended.out == ""
    return str(line.removeprefix("nbo: "))


# Dates


@pytest.mark.parametrize(
    ("date", "text"),
    [
        (
            "1999-01-01",
            "--as-of: expected a date from FIRST to 2025-02-01, got 1999-01-01. Name one of these.",
        ),
        (
            "2025-02-02",
            "--as-of: expected a date from FIRST to 2025-02-01, got 2025-02-02. Name one of these.",
        ),
        ("yesterday", "as_of: expected a date like 2025-03-31, got 'yesterday'."),
        ("2024-13-01", "as_of: expected a date like 2025-03-31, got '2024-13-01'."),
        ("", "as_of: expected a date like 2025-03-31, got ''."),
    ],
)
@pytest.mark.parametrize("command", ["score", "at-risk", "why"])
def test_a_date_without_data_is_told_with_the_range(
    nbo: Nbo, released: Path, store: Path, command: str, date: str, text: str
) -> None:
    words = ["A000001"] if command == "why" else []
    ended = nbo(command, *words, "--store", store, "--as-of", date, cwd=released)
    assert one_line(ended) == text.replace("FIRST", str(Store.open(store).first_as_of))
    assert not (released / "runs").exists()


def test_a_label_window_past_the_end_of_the_data_is_told(nbo: Nbo, bare_workspace: Path, store: Path) -> None:
    config = bare_workspace / "training" / "configs" / "churn.toml"
    config.write_text(config.read_text() + "[label]\nhorizon_days = 400\n")
    first = "2024-02-01"  # bills are covered from the second month on
    assert one_line(nbo("train", "churn", "--store", store, cwd=bare_workspace)) == (
        "slices: expected at least one training and one held-out month with 90 days before and 407 days "
        f"after, without overlap, got 0 usable months between {first} and 2025-02-01. Bring more months of "
        "data, or shorten label.horizon_days or slices.history_days."
    )
    assert not (bare_workspace / "bundles").exists()


# Stores


def test_a_store_that_is_missing_is_told_by_every_command(nbo: Nbo, released: Path, bundle_id: str) -> None:
    commands = [
        ("score", "--as-of", "latest"),
        ("at-risk", "--as-of", "latest"),
        ("why", "A000001", "--as-of", "latest"),
        ("report", "--as-of", "latest"),
        ("features", "build", "--as-of", "latest"),
        ("features", "preview", "--as-of", "latest", "--account", "A000001"),
        ("features", "check"),
        ("train", "churn"),
        ("tune", "churn", "--out", "tuned.json"),
        ("evaluate",),
        ("models", "compare", bundle_id, bundle_id),
    ]
    for words in commands:
        line = one_line(nbo(*words, "--store", "nowhere", cwd=released))
        assert line == "nowhere: expected a folder with MANIFEST.json, got none. Run nbo check.", words
    assert not (released / "nowhere").exists()
    assert not (released / "tuned.json").exists()


def test_training_on_a_missing_store_makes_no_database(nbo: Nbo, new_workspace: Path) -> None:
    one_line(nbo("train", "churn", "--store", "nowhere", cwd=new_workspace))
    assert not (new_workspace / "mlruns").exists()


def test_an_unfit_store_is_refused(nbo: Nbo, released: Path, store: Path, tmp_path: Path) -> None:
    manifest = json.loads((store / "MANIFEST.json").read_text())
    (tmp_path / "MANIFEST.json").write_text(json.dumps({**manifest, "fit": False, "failed": 3}))
    line = one_line(nbo("score", "--store", tmp_path, "--as-of", "latest", cwd=released))
    assert line == f"{tmp_path}: expected a store that passed its check, got 3 failed rules. Run nbo check."


# Features


def test_an_unknown_feature_shows_close_matches(nbo: Nbo, released: Path, store: Path) -> None:
    words = ("features", "preview", "--store", store, "--as-of", "latest", "--account", "A000001")
    line = one_line(nbo(*words, "--feature", "calls_cont_30d", cwd=released))
    assert line == (
        "calls_cont_30d: no such feature; did you mean calls_count_30d, calls_count_90d, calls_in_count_30d?"
    )


def test_a_preview_of_nobody_is_told(nbo: Nbo, released: Path, store: Path) -> None:
    words = ("features", "preview", "--store", store, "--as-of", "latest")
    line = one_line(nbo(*words, "--account", "nobody", cwd=released))
    assert line == "--account nobody: no account with an active line as of 2025-02-01."


EXTRA_SET = """
from nbo.features import FeatureSet, Words, days, table
SETS = {{"churn": [FeatureSet("extra", Words("Extra", "其他"), [{declaration}])]}}
"""


def declare(workspace: Path, declaration: str) -> None:
    (workspace / "features" / "sets.py").write_text(EXTRA_SET.format(declaration=declaration))


@pytest.mark.parametrize(
    ("declaration", "purpose", "text"),
    [
        (
            'table("interconnect").sum("minutes", over=days(60))',
            "marketing",
            "interconnect.account_id: expected a column permitted for marketing, got one permitted for "
            "retention, service, e.g. interconnect_minutes_sum_60d. Take the feature out of the set, or "
            "train for a purpose it is permitted for.",
        ),
        (
            'table("contacts").attribute("logging_prob")',
            "retention",
            "contacts.logging_prob: expected a column permitted for retention, got one permitted for no "
            "feature, e.g. contacts_logging_prob. Take the feature out of the set, or train for a purpose it "
            "is permitted for.",
        ),
        (
            'table("labels").where(kind="churn").count(over=days(30))',
            "service",
            "labels.account_id: expected a column permitted for service, got one permitted for no feature, "
            "e.g. labels_churn_count_30d. Take the feature out of the set, or train for a purpose it is "
            "permitted for.",
        ),
    ],
)
def test_a_feature_that_reads_a_forbidden_column_is_refused(
    nbo: Nbo, bare_workspace: Path, store: Path, declaration: str, purpose: str, text: str
) -> None:
    declare(bare_workspace, declaration)
    assert one_line(nbo("features", "check", "--purpose", purpose, cwd=bare_workspace)) == text
    config = bare_workspace / "training" / "configs" / "churn.toml"
    config.write_text(f'purpose = "{purpose}"\n')
    assert one_line(nbo("train", "churn", "--store", store, cwd=bare_workspace)) == text
    assert not (bare_workspace / "bundles").exists()


def test_the_same_feature_is_fine_for_a_permitted_purpose(nbo: Nbo, bare_workspace: Path) -> None:
    declare(bare_workspace, 'table("interconnect").sum("minutes", over=days(60))')
    assert nbo("features", "check", "--purpose", "retention", cwd=bare_workspace).code == 0


@pytest.mark.parametrize(
    ("declaration", "text"),
    [
        ('table("cals").count(over=days(7))', "cals: no such table; did you mean calls, labels?"),
        (
            'table("calls").where(direction="outt").count(over=days(7))',
            "calls.direction: unknown code 'outt'; did you mean out?",
        ),
    ],
)
def test_a_declaration_with_a_slip_is_told(
    nbo: Nbo, bare_workspace: Path, declaration: str, text: str
) -> None:
    declare(bare_workspace, declaration)
    place = bare_workspace / "features" / "sets.py"
    assert one_line(nbo("features", "check", cwd=bare_workspace)) == f"{place}:3: {text}"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--set", "chrun"), "features chrun: no such name in features/sets.py; did you mean churn?"),
        (("--purpose", "sale"), "purpose: expected one of service, retention, marketing, got 'sale'."),
    ],
)
def test_an_unknown_set_or_purpose_is_told(
    nbo: Nbo, released: Path, words: tuple[str, ...], text: str
) -> None:
    assert one_line(nbo("features", "list", *words, cwd=released)) == text


# Config


def test_an_unknown_config_key_shows_a_close_match(nbo: Nbo, bare_workspace: Path, store: Path) -> None:
    config = bare_workspace / "mine.toml"
    config.write_text("[tuning]\ntrails = 3\n")
    line = one_line(nbo("train", "churn", "--store", store, "--config", "mine.toml", cwd=bare_workspace))
    assert line == "mine.toml: tuning.trails: unknown key; did you mean trials?"


def test_an_unknown_key_of_the_workspace_shows_a_close_match(
    nbo: Nbo, own_released: Path, store: Path
) -> None:
    settings = own_released / "nbo.toml"
    settings.write_text(settings.read_text().replace("holdout_share", "holdout_shares"))
    line = one_line(nbo("at-risk", "--store", store, "--as-of", "latest", cwd=own_released))
    assert line == "nbo.toml at_risk.holdout_shares: unknown key; did you mean holdout_share, holdout_salt?"


# Bundles and releases


def test_a_damaged_bundle_is_refused_everywhere(
    nbo: Nbo, workspace: Path, store: Path, bundle_id: str
) -> None:
    path = workspace / "bundles" / bundle_id / "booster-0.txt"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(bytes(raw))
    used = ("--store", store, "--as-of", "latest", "--bundle", bundle_id)
    for words in (
        ("promote", "churn", "--bundle", bundle_id),
        ("promote", "churn", "--bundle", bundle_id, "--force", "--reason", "must"),
        ("models", "show", "--bundle", bundle_id),
        ("evaluate", "--store", store, "--bundle", bundle_id),
        ("score", *used),
        ("at-risk", *used),
        ("why", "A000001", *used),
    ):
        line = one_line(nbo(*words, cwd=workspace))
        assert line.startswith(f"bundle {bundle_id}: booster-0.txt: expected "), line
    assert not (workspace / "releases" / "current.json").exists()
    assert not (workspace / "runs").exists()


def test_a_bundle_of_another_key_is_refused(
    nbo: Nbo, workspace: Path, bundle_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBO_BUNDLE_KEY", "another key of the tests")
    line = one_line(nbo("promote", "churn", "--bundle", bundle_id, cwd=workspace))
    assert line.startswith(f"bundle {bundle_id}: ")
    assert "signature" in line or "HMAC" in line or "key" in line


def test_an_unknown_bundle_shows_close_matches(
    nbo: Nbo, workspace: Path, store: Path, bundle_id: str
) -> None:
    wrong = bundle_id[:-1] + ("0" if bundle_id[-1] != "0" else "1")
    for words in (
        ("promote", "churn", "--bundle", wrong),
        ("models", "show", "--bundle", wrong),
        ("models", "compare", bundle_id, wrong, "--store", store),
        ("score", "--store", store, "--as-of", "latest", "--bundle", wrong),
    ):
        line = one_line(nbo(*words, cwd=workspace))
        assert line == f"--bundle: no such bundle {wrong!r}; did you mean {bundle_id}?"


def test_an_id_that_is_a_path_is_no_bundle(nbo: Nbo, workspace: Path) -> None:
    line = one_line(nbo("models", "show", "--bundle", "../../etc", cwd=workspace))
    assert line.startswith("--bundle: no such bundle '../../etc'; ")


def test_before_the_first_bundle_it_says_to_train(nbo: Nbo, bare_workspace: Path) -> None:
    line = one_line(nbo("promote", "churn", "--bundle", NO_ID, cwd=bare_workspace))
    assert line == f"--bundle: no such bundle '{NO_ID}'; there are none: run nbo train."


def test_before_the_first_release_it_says_to_promote(nbo: Nbo, workspace: Path, store: Path) -> None:
    for words in (
        ("score", "--store", store, "--as-of", "latest"),
        ("models", "show"),
        ("evaluate", "--store", store),
    ):
        line = one_line(nbo(*words, cwd=workspace))
        assert line == "churn: expected a release, got none. Run nbo promote churn --bundle ID."


def sibling(workspace: Path, bundle_id: str) -> str:
    """A sound bundle that was never compared with the one it comes from."""
    key = bundle_key(workspace)
    loaded = load_bundle(workspace / "bundles" / bundle_id, key)
    rows = pa.table({name: pa.nulls(3, feature_type(loaded, name)) for name in loaded.features.names})
    parts = BundleParts(
        model="churn",
        features=loaded.features,
        vocabulary=loaded.vocabulary,
        boosters=[booster.model_to_string() for booster in loaded.boosters],
        calibrator=loaded.calibrator,
        metadata={**loaded.metadata, "notes": ["a sibling"]},
        golden_rows=rows,
    )
    return write_bundle(workspace / "bundles", parts, key)


def feature_type(bundle: Bundle, name: str) -> pa.DataType:
    return pa.string() if name in bundle.vocabulary.codes else pa.float64()


def test_a_bundle_not_compared_with_the_release_needs_force_and_a_reason(
    nbo: Nbo, own_released: Path, bundle_id: str
) -> None:
    other = sibling(own_released, bundle_id)
    assert one_line(nbo("promote", "churn", "--bundle", other, cwd=own_released)) == (
        f"{other}: expected a comparison with the release {bundle_id}, got one with nothing. "
        "Train again against it, or use --force --reason TEXT."
    )
    no_reason = nbo("promote", "churn", "--bundle", other, "--force", cwd=own_released)
    assert one_line(no_reason) == "--reason: expected why a bundle is forced, got none."
    forced = nbo("promote", "churn", "--bundle", other, "--force", "--reason", "a test", cwd=own_released)
    assert forced.code == 0, forced.err
    pointer = json.loads((own_released / "releases" / "current.json").read_text())["models"]["churn"]
    assert (pointer["bundle_id"], pointer["reason"]) == (other, "a test")
    assert nbo("rollback", "churn", "--json", cwd=own_released).result["bundle"] == bundle_id


def test_a_rollback_without_history_is_told(nbo: Nbo, own_released: Path, bare_workspace: Path) -> None:
    for place in (own_released, bare_workspace):
        assert one_line(nbo("rollback", "churn", cwd=place)) == (
            "churn: expected an earlier release to return to, got none. Run nbo promote churn --bundle ID."
        )


def test_a_missing_record_of_runs_is_told_and_not_made(nbo: Nbo, new_workspace: Path) -> None:
    line = one_line(nbo("models", "list", cwd=new_workspace))
    database = new_workspace / "mlruns" / "mlflow.db"
    assert line == f"{database}: expected a record of runs, got none. Run nbo train churn."
    assert not database.exists()


# Accounts and lists


def test_an_unknown_account_is_told(nbo: Nbo, released: Path, store: Path) -> None:
    line = one_line(nbo("why", "nobody", "--store", store, "--as-of", "latest", cwd=released))
    assert line.startswith("nobody: no such account; ")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--format", "xml"), "--format: expected table, csv or json, got 'xml'."),
        (("--language", "fr"), "--language: expected en or zh, got 'fr'."),
        (
            ("--csv", "suppressed.csv"),
            "--csv: expected another name than suppressed.csv, which is written beside it.",
        ),
    ],
)
def test_an_impossible_list_is_told(
    nbo: Nbo, released: Path, store: Path, words: tuple[str, ...], text: str
) -> None:
    ended = nbo("at-risk", "--store", store, "--as-of", "latest", *words, cwd=released)
    assert one_line(ended) == text
    assert not (released / "suppressed.csv").exists()


def test_a_new_workspace_is_not_made_over_anything(nbo: Nbo, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    for name in ("taken", "."):
        assert one_line(nbo("init", name, cwd=tmp_path)) == f"{name}: expected a new or empty folder."


# The machine


def test_a_second_job_on_the_same_output_is_busy(
    nbo: Nbo, released: Path, store: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "as_of=2025-02-01"
    with lock(folder):
        ended = nbo("score", "--store", store, "--as-of", "latest", "--out", tmp_path, "--json", cwd=released)
    assert ended.code == 75
    assert ended.envelope["error"] == (
        f"{folder}: another job is writing it. Wait for it, or choose another --out."
    )
    assert not folder.exists()


LIMITED = """
import resource, signal, sys
from nbo.cli.app import run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
sys.exit(run(sys.argv[1:]))
"""


def test_a_disk_that_takes_no_more_is_told_in_one_line_and_nothing_is_half_written(
    released: Path, store: Path, tmp_path: Path, nbo: Nbo, small_files: dict[str, str]
) -> None:
    """A limit on the size of files stands for a disk that fills up while scores are written."""
    words = ["score", "--store", str(store), "--as-of", "latest", "--out", str(tmp_path / "scores")]
    nbo("features", "build", "--store", store, "--as-of", "latest", cwd=released)
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, *words],
        capture_output=True,
        text=True,
        cwd=released,
        env=small_files,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"nbo: {tmp_path / 'scores' / 'as_of=2025-02-01'}: ")
    assert line.endswith("File too large.")
    assert [path.name for path in (tmp_path / "scores").iterdir()] == [".as_of=2025-02-01.lock"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_an_output_that_is_a_file_is_told(nbo: Nbo, released: Path, store: Path, tmp_path: Path) -> None:
    (tmp_path / "scores").write_text("")
    ended = nbo("score", "--store", store, "--as-of", "latest", "--out", tmp_path / "scores", cwd=released)
    assert one_line(ended).startswith(str(tmp_path / "scores"))


def test_a_declaration_that_does_not_run_is_the_editors_mistake(nbo: Nbo, bare_workspace: Path) -> None:
    sets = bare_workspace / "features" / "sets.py"
    for content, line, text in (
        ("\nSETS = 1 / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("SETS = {\n", 1, "SyntaxError: '{' was never closed"),
        ("from nbo.features import table\nSETS = table('calls').summ('minutes')\n", 2, "AttributeError: "),
        ("import nowhere_to_be_found\n", 1, "ModuleNotFoundError: "),
    ):
        sets.write_text(content)
        told = one_line(nbo("features", "list", cwd=bare_workspace))
        assert told.startswith(f"nbo: {sets}:{line}: {text}") or told.startswith(f"{sets}:{line}: {text}")
        assert told.endswith("Correct the declaration.")


BROKEN = "def run(*_, **__):\n    return 1 / 0\n"


def test_a_defect_is_told_as_ours_with_its_log_and_never_as_bad_input(
    nbo: Nbo, bare_workspace: Path, store: Path
) -> None:
    (bare_workspace / "training" / "churn.py").write_text(BROKEN)
    line = one_line(nbo("train", "churn", "--store", store, cwd=bare_workspace), code=70)
    log = bare_workspace / "runs" / f"nbo-defect-{os.getpid()}.log"
    assert line == f"a defect of ours, sorry; the details are in runs/{log.name}"
    assert "ZeroDivisionError" in log.read_text()
    assert log.read_text().startswith("nbo train churn ")


def test_an_input_that_ends_too_early_is_a_defect_and_not_an_interruption(
    nbo: Nbo, bare_workspace: Path, store: Path
) -> None:
    """The parser takes an EOFError for the end of what is typed in, which nothing of ours waits for."""
    (bare_workspace / "training" / "churn.py").write_text(BROKEN.replace("return 1 / 0", "raise EOFError"))
    ended = nbo("train", "churn", "--store", store, cwd=bare_workspace)
    assert ended.code == 70
    assert "a defect of ours" in ended.err
    assert "EOFError" in (bare_workspace / "runs" / f"nbo-defect-{os.getpid()}.log").read_text()


def test_a_defect_for_machines_is_an_envelope(nbo: Nbo, bare_workspace: Path, store: Path) -> None:
    (bare_workspace / "training" / "churn.py").write_text(BROKEN)
    ended = nbo("train", "churn", "--store", store, "--json", cwd=bare_workspace)
    assert ended.code == 70
    assert ended.envelope["ok"] is False


def test_where_no_log_can_be_written_the_code_is_still_that_of_a_defect(
    nbo: Nbo, bare_workspace: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bare_workspace / "training" / "churn.py").write_text(BROKEN)
    (bare_workspace / "runs").write_text("")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere" / "deep"))
    ended = nbo("train", "churn", "--store", store, cwd=bare_workspace)
    assert one_line(ended, code=70).endswith("the details are in -")


def test_a_stray_features_folder_is_never_executed_by_a_command(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    for package in ("features", "training", "serving"):
        (tmp_path / package).mkdir()
        for name in ("__init__.py", "sets.py", "churn.py"):
            (tmp_path / package / name).write_text(f"open({str(marker)!r}, 'w')\nSETS = {{}}\n")
    ended = subprocess.run(
        [sys.executable, "-m", "nbo", "features", "list", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert len(json.loads(ended.stdout)["result"]["features"]) > 90
    assert not marker.exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--bogus"], "No such option: --bogus"),
        (["scor"], "No such command 'scor'. Did you mean 'score'"),
        (["score", "--store", "s"], "Missing option '--as-of'."),
        (["at-risk", "--top", "0", "--store", "s", "--as-of", "latest"], "Invalid value for '--top': "),
        (["simulate", "--accounts", "many", "--out", "x"], "Invalid value for '--accounts': "),
        (
            ["simulate", "--accounts", "0", "--out", "x"],
            "accounts: expected a whole number from 1 to 5000000, got 0.",
        ),
    ],
)
def test_a_slip_on_the_command_line_is_told_in_one_line(
    nbo: Nbo, tmp_path: Path, words: list[str], text: str
) -> None:
    assert one_line(nbo(*words, cwd=tmp_path)).startswith(text)


@pytest.mark.parametrize("words", [[], ["models"], ["features"]])
def test_a_group_without_a_command_shows_its_help(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    told = capsys.readouterr().err
    assert told.startswith("Usage: ")
    assert "\nCommands:\n" in told
