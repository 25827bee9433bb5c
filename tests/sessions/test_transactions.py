"""A sign-in under way: sealed to the browser, good once, and no cost to anybody else."""

import pytest

from leadglass.hazmat.aead import Box
from leadglass.hazmat.mac import new_key
from leadglass.model.errors import StepUp
from leadglass.model.login import SignInRefused
from leadglass.sessions.transactions import Transactions, new_cookie, nonce, verifier
from support.clock import FakeClock

ORIGIN, ISSUER = "https://pacs.example.org", "https://idp.example.org"


def test_what_was_begun_comes_back_once() -> None:
    transactions, cookie = Transactions(Box(new_key()), FakeClock()), new_cookie()
    attempt = transactions.begin(ISSUER, "/viewer/", StepUp(("mfa",), 600))
    state = transactions.state(attempt, cookie, ORIGIN)
    assert ISSUER not in state
    assert transactions.spend(state, cookie, ORIGIN) == attempt
    with pytest.raises(SignInRefused) as refused:
        transactions.spend(state, cookie, ORIGIN)
    assert refused.value.cause == "state was used before"


def test_only_the_browser_at_the_origin_of_this_gateway_brings_it_back() -> None:
    clock = FakeClock()
    transactions, cookie = Transactions(Box(new_key()), clock), new_cookie()
    state = transactions.state(transactions.begin(ISSUER, None, StepUp()), cookie, ORIGIN)
    foreign = Transactions(Box(new_key()), clock)
    for one, brought, shown, origin in [
        (transactions, state, new_cookie(), ORIGIN),
        (transactions, state, "", ORIGIN),
        (transactions, state, None, ORIGIN),
        (transactions, state, cookie, "https://other.example.org"),
        (transactions, state[:-1], cookie, ORIGIN),
        (transactions, "", cookie, ORIGIN),
        (transactions, None, cookie, ORIGIN),
        (foreign, state, cookie, ORIGIN),
    ]:
        with pytest.raises(SignInRefused):
            one.spend(brought, shown, origin)
    assert transactions.spend(state, cookie, ORIGIN).issuer == ISSUER


@pytest.mark.parametrize("seconds", [600, 601, -1])
def test_it_has_its_time(seconds: float) -> None:
    clock = FakeClock()
    transactions, cookie = Transactions(Box(new_key()), clock), new_cookie()
    state = transactions.state(transactions.begin(ISSUER, None, StepUp()), cookie, ORIGIN)
    clock.step(seconds)
    with pytest.raises(SignInRefused):
        transactions.spend(state, cookie, ORIGIN)


def test_nonce_and_verifier_differ_by_browser_and_by_attempt() -> None:
    transactions = Transactions(Box(new_key()), FakeClock())
    one, two = (transactions.begin(ISSUER, None, StepUp()) for _ in range(2))
    cookies = new_cookie(), new_cookie()
    made = {make(cookie, attempt) for make in (nonce, verifier) for cookie in cookies for attempt in (one, two)}
    assert len(made) == 8
    assert all(len(value) == 43 for value in made)
