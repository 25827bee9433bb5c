"""The peer header is believed only as this process made it, for the request it made it for."""

import base64
import json
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.gateways.control.peer import Forged, PeerSeal
from leadglass.model.control import PeerFacts

SEAL = PeerSeal()
FACTS = PeerFacts("01J", "2001:db8::1", "AQ", "ab" * 32, "dr.smith")
GOOD = SEAL.seal(FACTS, "POST", "/a")


def test_it_comes_back() -> None:
    assert SEAL.open(GOOD, "POST", "/a") == FACTS


@pytest.mark.parametrize(
    ("value", "method", "path"),
    [
        (None, "POST", "/a"),
        ("", "POST", "/a"),
        (".", "POST", "/a"),
        (GOOD, "GET", "/a"),
        (GOOD, "POST", "/b"),
        (GOOD, "POST", "/a/"),
        (GOOD.split(".")[0], "POST", "/a"),
        (GOOD.split(".")[0] + ".", "POST", "/a"),
        (PeerSeal().seal(FACTS, "POST", "/a"), "POST", "/a"),
        (base64.urlsafe_b64encode(json.dumps(asdict(FACTS)).encode()).decode().rstrip("="), "POST", "/a"),
        (GOOD + ".x", "POST", "/a"),
        ("ä.ä", "POST", "/a"),
    ],
    ids=range(12),
)
def test_all_else_is_forged(value: str | None, method: str, path: str) -> None:
    with pytest.raises(Forged):
        SEAL.open(value, method, path)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.characters(max_codepoint=127))
def test_no_mutation_is_believed(position: int, letter: str) -> None:
    if GOOD[position] == letter:
        return
    with pytest.raises(Forged):
        SEAL.open(GOOD[:position] + letter + GOOD[position + 1 :], "POST", "/a")
