"""Stalls and minimum rates."""

from leadglass.gateways.http.progress import Progress


def test_who_is_not_waited_for_is_never_behind() -> None:
    progress = Progress(30, 1_000, 0)
    assert not any(progress.behind(now, 0, waited_for=False) for now in range(0, 1_000, 10))
    assert not progress.behind(1_010, 0, waited_for=True), "the wait begins when it begins"


def test_who_moves_nothing_for_the_stall_is_behind() -> None:
    progress = Progress(30, 1_000, 0)
    assert not progress.behind(29, 0, waited_for=True)
    assert progress.behind(30, 0, waited_for=True)


def test_who_moves_too_little_over_a_window_is_behind() -> None:
    progress = Progress(30, 1_000, 0)
    assert not any(progress.behind(now, now * 999, waited_for=True) for now in range(1, 30))
    assert progress.behind(30, 30 * 999, waited_for=True)


def test_who_keeps_the_rate_is_never_behind_and_no_credit_is_kept() -> None:
    progress = Progress(30, 1_000, 0)
    assert not any(progress.behind(now, now * 1_000, waited_for=True) for now in range(1, 301))
    total = 300_000
    assert not any(progress.behind(300 + now, total + now, waited_for=True) for now in range(1, 30))
    assert progress.behind(330, total + 30, waited_for=True)
