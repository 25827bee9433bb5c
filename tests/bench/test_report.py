"""The figures of the bench: what is made of them, not how fast anything is."""

import pytest

from bench.report import PEERS, Row, Target, footnotes, median, number, percentile, ratio, table


@pytest.mark.parametrize(
    ("values", "middle"), [([3.0], 3.0), ([5.0, 1.0, 3.0], 3.0), ([4.0, 1.0, 3.0, 2.0], 2.5), ([2, 2, 9, 9], 5.5)]
)
def test_the_median_is_the_middle(values: list[float], middle: float) -> None:
    assert median(values) == middle


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1.0), (0.5, 50.0), (0.501, 51.0), (0.99, 99.0), (0.995, 100.0), (1.0, 100.0)]
)
def test_a_percentile_is_the_value_that_so_many_do_not_exceed(share: float, value: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], share) == value


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_no_share_beyond_all(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        percentile([1.0], share)


def test_nothing_has_no_middle() -> None:
    with pytest.raises(ValueError, match="no values"):
        median([])
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


@pytest.mark.parametrize(
    ("measured", "bound", "sense", "verdict"),
    [
        (1.5, 1.5, "at least", "met"),
        (1.2, 1.5, "at least", "short by 20%"),
        (1.9, 2.0, "under", "met"),
        (2.0, 2.0, "under", "short by 0%"),
        (3.0, 2.0, "under", "short by 50%"),
    ],
)
def test_a_verdict_says_met_or_by_how_much_not(measured: float, bound: float, sense: str, verdict: str) -> None:
    target = Target("x", measured, bound, "at least" if sense == "at least" else "under")
    assert target.verdict() == verdict
    assert target.met == (verdict == "met")


def test_a_ratio_is_one_of_medians() -> None:
    target = ratio({"gateway": [1.0, 9.0, 4.0], "nginx": [5.0, 5.0, 100.0]}, "nginx", 0.8)
    assert (target.measured, target.bound, target.met) == (0.8, 0.8, True)
    assert target.text() == "0.80 x nginx (target >= 0.80): met"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345.6, "12,346"),
        (100, "100"),
        (99.994, "99.99"),
        (0.1, "0.10"),
        (0.0123, "0.012"),
        (0, "0.00"),
        (-3.5, "-3.50"),
    ],
)
def test_numbers_show_what_they_mean(value: float, text: str) -> None:
    assert number(value) == text


def test_the_table_has_a_column_for_each_and_a_dash_for_who_was_not_measured() -> None:
    rounds = {"gateway": [2.0, 1.0, 3.0], "nginx": [4.0]}
    rows = [
        Row("small", "req/s", rounds, [ratio(rounds, "nginx", 0.8)], note="noted"),
        Row("not run", "GB/s", {}, note="no C compiler"),
    ]
    lines = table(rows).splitlines()
    assert lines[0] == "| row | unit | gateway | nginx | nginx-256k | envoy | target |"
    assert (
        lines[2]
        == "| small | req/s | 2.00 (1.00 - 3.00) | 4.00 | - | - | 0.50 x nginx (target >= 0.80): short by 38% |"
    )
    assert lines[3] == "| not run | GB/s | - | - | - | - | no C compiler |"
    assert {line.count("|") for line in lines} == {len(PEERS) + 4}
    assert footnotes(rows) == ["small: noted"]


def test_the_document_holds_rounds_medians_and_verdicts() -> None:
    rounds = {"gateway": [1.0, 2.0], "envoy": []}
    document = Row("small", "req/s", rounds, [Target("x", 1.0, 2.0, "at least")]).document()
    assert document["median"] == {"gateway": 1.5}
    assert document["rounds"] == rounds
    assert document["targets"] == [{"what": "x", "measured": 1.0, "bound": 2.0, "sense": "at least", "met": False}]
