"""An outcome fits its decision or is refused; all are attached or none."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from threading import Barrier

import pytest
from sqlalchemy import text

from nbo.decisions.log import DecisionLog, NewDecision, Outcome
from nbo.decisions.log.outcomes import MOST_PROBLEMS
from nbo.decisions.log.store import CHUNK
from nbo.errors import ConflictError, DataError, UsageError

Decided = Callable[..., NewDecision]
LATER = "2024-06-03T03:00:00.000Z"


@pytest.fixture
def three(log: DecisionLog, decided: Decided) -> DecisionLog:
    """A log of the decisions d1, d2 (offers P1, P2) and d3 (no offer), made at 02:00 UTC."""
    log.record_many([decided("d1"), decided("d2"), decided("d3", offers=())])
    return log


def outcome(
    decision_id: str = "d1", word: str = "accepted", offer: str | None = "P1", at: str = LATER
) -> Outcome:
    return Outcome(decision_id, word, offer, at)


@pytest.mark.parametrize(
    ("word", "offer"),
    [
        ("accepted", "P1"),
        ("accepted", "P2"),
        ("refused", "P1"),
        ("refused", None),
        ("not_reached", None),
        ("no_answer", None),
    ],
)
def test_an_outcome_that_fits_is_attached_once(three: DecisionLog, word: str, offer: str | None) -> None:
    told = outcome(word=word, offer=offer)
    assert three.attach([told]) == (1, 0)
    assert three.attach([told]) == (0, 1)
    assert three.outcomes("d1") == [told]
    assert three.outcomes("d2") == []


@pytest.mark.parametrize(
    ("told", "error", "message"),
    [
        (outcome("d9"), UsageError, r"^unknown decision d9\. Ask the log"),
        (outcome(word="agreed"), DataError, "outcome of d1: expected an outcome of accepted, .*, got agreed"),
        (outcome(word=""), DataError, "got nothing"),
        (outcome(offer=None), DataError, "expected the offer that was accepted, got no offer_id"),
        (outcome(offer="P3"), DataError, r"expected an offer that was made \(P1, P2\), got P3"),
        (outcome("d3"), DataError, r"expected an offer that was made \(none\), got P1"),
        (outcome(word="refused", offer="P9"), DataError, r"expected an offer that was made"),
        (outcome(word="not_reached"), DataError, "expected no offer_id with not_reached, got P1"),
        (outcome(word="no_answer"), DataError, "expected no offer_id with no_answer, got P1"),
        (outcome(at="2024-06-03T01:59:59.999Z"), DataError, r"decision \(2024-06-03T02:00:00\.000Z\)"),
        (outcome(at="2024-06-03T09:59:00+08:00"), DataError, "not before the decision"),
        (outcome(at="2024-06-03T10:00:00"), DataError, "expected an instant with Z or an offset"),
        (outcome(at="2024-06-03"), DataError, "expected an instant with Z or an offset"),
        (outcome(at="yesterday"), DataError, "expected an instant with Z or an offset, .* got yesterday"),
        (outcome(at=""), DataError, "got nothing"),
        (outcome(at="0001-01-01T00:00:00+08:00"), DataError, "expected an instant with Z"),
    ],
)  # fmt: skip
def test_an_outcome_that_does_not_fit_is_refused(
    three: DecisionLog, told: Outcome, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        three.attach([told])
    assert three.outcomes(told.decision_id) == []


def test_an_outcome_at_the_very_moment_of_the_decision_fits(three: DecisionLog) -> None:
    assert three.attach([outcome(at="2024-06-03T10:00:00.000+08:00")]) == (1, 0)
    assert three.outcomes("d1")[0].occurred_at == "2024-06-03T02:00:00.000Z"


def test_the_same_moment_said_otherwise_is_the_same_outcome(three: DecisionLog) -> None:
    three.attach([outcome()])
    same = [outcome(at="2024-06-03T11:00:00+08:00"), outcome(at="2024-06-03T03:00:00.000999Z")]
    assert three.attach(same) == (0, 2)


@pytest.mark.parametrize(
    "other", [outcome(offer="P2"), outcome(word="refused"), outcome(at="2024-06-03T04:00:00Z")]
)
def test_another_outcome_of_the_same_decision_is_a_conflict(three: DecisionLog, other: Outcome) -> None:
    three.attach([outcome()])
    expected = (
        r"outcome of d1: expected the outcome attached already \(accepted P1 at 2024-06-03T03:00:00\.000Z\)"
    )
    with pytest.raises(ConflictError, match=expected):
        three.attach([other])
    assert three.outcomes("d1") == [outcome()]


def test_two_outcomes_of_one_decision_in_one_list_are_a_conflict(three: DecisionLog) -> None:
    with pytest.raises(ConflictError, match=r"outcome of d1: .*; 1 of 2 rows, e\.g\. d1"):
        three.attach([outcome(), outcome(offer="P2")])
    assert three.outcomes("d1") == []
    assert three.attach([outcome(), outcome()]) == (1, 1)


def test_one_that_does_not_fit_keeps_all_from_being_attached(three: DecisionLog) -> None:
    with pytest.raises(DataError, match=r"; 2 of 3 rows, e\.g\. d2, d3"):
        three.attach([outcome("d1"), outcome("d2", offer="P7"), outcome("d3")])
    with pytest.raises(UsageError, match="unknown decision d9; 2 of 3 outcomes do not fit"):
        three.attach([outcome("d1"), outcome("d9"), outcome("d8")])
    assert three.outcomes("d1") == []


def many(log: DecisionLog, decided: Decided, count: int) -> Iterator[Outcome]:
    log.record_many([decided(f"m{n}") for n in range(count)])
    return (outcome(f"m{n}") for n in range(count))


def test_more_than_one_part_is_still_all_or_none(log: DecisionLog, decided: Decided) -> None:
    told = list(many(log, decided, CHUNK + 10))
    again = outcome("m0", offer="P2")
    with pytest.raises(ConflictError, match=rf"outcome of m0: .*; 1 of {CHUNK + 11:,} rows"):
        log.attach(chain(told, [again]))
    assert log.outcomes("m0") == []
    assert log.attach(iter(told)) == (CHUNK + 10, 0)
    assert log.attach(iter(told)) == (0, CHUNK + 10)


def test_every_misfit_is_counted_and_the_first_are_told(log: DecisionLog) -> None:
    count = MOST_PROBLEMS + CHUNK
    found = log.try_to_attach(outcome(f"x{n}") for n in range(count))
    assert (found.attached, found.present, found.refused, found.total) == (0, 0, count, count)
    assert [problem.position for problem in found.problems] == list(range(MOST_PROBLEMS))


def test_checking_attaches_nothing(three: DecisionLog) -> None:
    found = three.try_to_attach([outcome()], check_only=True)
    assert (found.refused, found.total) == (0, 1)
    assert three.outcomes("d1") == []
    assert three.attach([outcome()]) == (1, 0)


def test_no_outcomes_attach_nothing(log: DecisionLog) -> None:
    assert log.attach([]) == (0, 0)


def test_a_word_that_nobody_knows_is_kept_out_by_the_database_too(three: DecisionLog) -> None:
    insert = "INSERT INTO outcomes (decision_id, outcome, occurred_at) VALUES ('d1', 'agreed', 'now')"
    with pytest.raises(Exception, match="outcomes_known_word"):
        three.database.write(lambda c: c.execute(text(insert)))


def test_who_attaches_and_who_records_wait_for_each_other(log: DecisionLog, decided: Decided) -> None:
    log.record_many([decided(f"a{n}") for n in range(60)])
    with ThreadPoolExecutor(2) as pool:
        attaching = [pool.submit(log.attach, [outcome(f"a{n}")]) for n in range(60)]
        recording = [pool.submit(log.record, decided(f"r{n}")) for n in range(60)]
    assert [future.result() for future in attaching] == [(1, 0)] * 60
    assert [future.result().decision_id for future in recording] == [f"r{n}" for n in range(60)]


def test_two_that_attach_different_outcomes_at_once_do_not_both_succeed(
    log: DecisionLog, decided: Decided
) -> None:
    log.record_many([decided(f"a{n}") for n in range(20)])
    together = Barrier(2)

    def attach(offer: str) -> list[bool]:
        succeeded = []
        for n in range(20):
            together.wait()
            try:
                succeeded.append(log.attach([outcome(f"a{n}", offer=offer)]) == (1, 0))
            except ConflictError:
                succeeded.append(False)
        return succeeded

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(attach, ["P1", "P2"])
    assert all(one != other for one, other in zip(first, second, strict=True))
    for n, one in enumerate(first):
        assert log.outcomes(f"a{n}") == [outcome(f"a{n}", offer="P1" if one else "P2")]
