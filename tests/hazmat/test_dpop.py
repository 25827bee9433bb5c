"""Proofs in parts; what a proof must say is tried in tests/identity/test_dpop.py."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.hazmat.dpop import read_head, read_proof, verify_proof
from leadglass.hazmat.jws import InvalidToken
from leadglass.limits import DPOP_BYTES
from support.dpop import Client
from support.tokens import sign_es

CLIENT = Client()


def test_a_proof_is_taken_apart_and_verified_with_the_key_it_brings() -> None:
    proof = read_proof(CLIENT.proof("t", jti="1"))
    head = read_head(proof.head)
    assert (proof.claims["jti"], head.algorithm, head.key.thumbprint) == ("1", "ES256", CLIENT.jkt)
    verify_proof(proof, head)


def test_every_proof_of_a_key_has_the_same_head() -> None:
    first, second = (read_proof(CLIENT.proof("t")) for _ in range(2))
    assert first.head == second.head
    assert first.signing_input != second.signing_input


def test_another_key_in_the_head_does_not_verify() -> None:
    proof = read_proof(CLIENT.proof("t", None, sign_es(Client("other").key)))
    with pytest.raises(InvalidToken) as caught:
        verify_proof(proof, read_head(proof.head))
    assert caught.value.cause == "proof signature wrong"


def test_trailing_bytes_and_cut_ends_are_no_proof() -> None:
    good = CLIENT.proof("t")
    for length in range(len(good) - 1):
        with pytest.raises(InvalidToken):
            _verified(good[:length])
    for tail in (".", "=", " ", "A", ".x", "\n"):
        with pytest.raises(InvalidToken):
            _verified(good + tail)


@given(st.text(max_size=64) | st.binary(max_size=64).map(lambda data: data.decode("latin-1")))
@settings(max_examples=200, deadline=None)
def test_garbage_is_refused_in_one_way(text: str) -> None:
    with pytest.raises(InvalidToken):
        read_proof(text)
    with pytest.raises(InvalidToken):
        read_head(text)


def test_size_is_bounded() -> None:
    with pytest.raises(InvalidToken) as caught:
        read_proof("a" * (DPOP_BYTES + 1))
    assert caught.value.cause.startswith("proof empty, oversize")


def _verified(text: str) -> None:
    proof = read_proof(text)
    verify_proof(proof, read_head(proof.head))
