"""Refusals as HTTP."""

import orjson
import pytest

from leadglass.gateways.http.replies import refusal_reply, wants_page
from leadglass.model.errors import Cause, Refusal, StepUp, refuse
from leadglass.model.reasons import REASONS, Code, Disclose
from leadglass.model.request import NO_HEAD, RawHead
from support.door import DECISION


def asked(*fields: tuple[bytes, bytes], method: str = "GET") -> RawHead:
    return RawHead(method, b"/studies", fields)


DPOP = b'DPoP realm="leadglass", algs="ES256 EdDSA PS256 RS256"'
BROWSER = b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def test_a_problem_document() -> None:
    status, fields, body = refusal_reply(refuse(Code.TRANSACTION_DISABLED, "x", transaction="wado"), DECISION, NO_HEAD)
    assert status == 403
    assert fields == ((b"Content-Type", b"application/problem+json"),)
    assert orjson.loads(body) == {
        "type": "urn:leadglass:reason:transaction-disabled",
        "title": "Transaction disabled",
        "status": 403,
        "detail": "The transaction wado is switched off here.",
        "reasons": ["transaction-disabled"],
        "decision_id": DECISION,
        "remediation": ["An administrator can name it under upstreams.*.enable."],
    }


@pytest.mark.parametrize("code", [code for code in Code if REASONS[code].disclose is Disclose.LOG])
@pytest.mark.parametrize("head", [asked(), asked((b"accept", BROWSER))], ids=["document", "page"])
def test_what_is_for_the_log_alone_is_answered_as_a_study_that_does_not_exist(code: Code, head: RawHead) -> None:
    cause = Cause(REASONS[code], {"count": "2"})
    told = Refusal(cause, detail="secret", step_up=StepUp(("mfa",)), headers={"Retry-After": "1"})
    assert refusal_reply(told, DECISION, head) == refusal_reply(refuse(Code.STUDY_NOT_VISIBLE), DECISION, head)


@pytest.mark.parametrize("code", list(Code))
def test_every_reason_has_its_reply(code: Code) -> None:
    status, _, body = refusal_reply(refuse(code, "not for the person"), DECISION, asked())
    assert 400 <= status < 600
    assert b"not for the person" not in body
    assert b"{" not in body[1:]


@pytest.mark.parametrize(
    ("head", "step_up", "said"),
    [
        (asked(), None, b'Bearer realm="leadglass", ' + DPOP),
        (asked((b"authorization", b"Bearer x")), None, b'Bearer realm="leadglass", error="invalid_token"'),
        (asked((b"authorization", b"DPoP x")), None, DPOP + b', error="invalid_token"'),
        (
            asked((b"authorization", b"Bearer x")),
            StepUp(("mfa", 'a"\r\nb'), 300),
            b'Bearer realm="leadglass", error="insufficient_user_authentication", acr_values="mfa ab", max_age="300"',
        ),
        (
            asked((b"authorization", b"dpop x")),
            StepUp(("mfa",)),
            DPOP + b', error="insufficient_user_authentication", acr_values="mfa"',
        ),
        (asked(), StepUp(), b'Bearer realm="leadglass", error="insufficient_user_authentication"'),
    ],
    ids=["none", "invalid", "invalid-bound", "step-up", "step-up-bound", "step-up-bare"],
)
def test_a_challenge_says_what_would_do(head: RawHead, step_up: StepUp | None, said: bytes) -> None:
    refusal = Refusal(Cause(REASONS[Code.USER_UNAUTHENTICATED]), step_up=step_up)
    status, fields, _ = refusal_reply(refusal, DECISION, head)
    assert status == 401
    assert dict(fields)[b"WWW-Authenticate"] == said


@pytest.mark.parametrize("scheme", [b"DPoP", b"Bearer"])
@pytest.mark.parametrize("error", ["use_dpop_nonce", "invalid_dpop_proof", "invalid_token"])
def test_a_challenge_about_a_proof_names_its_fault(scheme: bytes, error: str) -> None:
    cause = Cause(REASONS[Code.USER_UNAUTHENTICATED])
    refusal = Refusal(cause, headers={"DPoP-Nonce": "n"}, challenge=error)
    _, fields, _ = refusal_reply(refusal, DECISION, asked((b"authorization", scheme + b" x")))
    assert dict(fields)[b"WWW-Authenticate"] == DPOP + f', error="{error}"'.encode()
    assert dict(fields)[b"DPoP-Nonce"] == b"n"


def test_headers_of_a_refusal_are_sent_but_never_a_foreign_challenge() -> None:
    refusal = refuse(Code.RATE_LIMITED, headers={"Retry-After": "1", "WWW-Authenticate": "Basic"})
    _, fields, _ = refusal_reply(refusal, DECISION, asked())
    assert dict(fields) == {b"Content-Type": b"application/problem+json", b"Retry-After": b"1"}


@pytest.mark.parametrize(
    ("head", "page"),
    [
        (asked((b"sec-fetch-mode", b"navigate")), True),
        (asked((b"sec-fetch-mode", b"cors"), (b"accept", BROWSER)), False),
        (asked((b"accept", BROWSER)), True),
        (asked((b"accept", b"*/*")), False),
        (asked((b"accept", b"application/json, text/html")), False),
        (asked((b"accept", b"application/json;q=0.5, text/html")), True),
        (asked((b"accept", b"text/html;q=0")), False),
        (asked((b"accept", b"text/html;q=nan")), False),
        (asked((b"accept", b"\xff, text/html")), True),
        (asked((b"sec-fetch-mode", b"navigate"), method="POST"), False),
        (asked(), False),
        (NO_HEAD, False),
    ],
)
def test_who_gets_a_page(head: RawHead, page: bool) -> None:  # noqa: FBT001 - a row of the table
    assert wants_page(head) is page
    assert (b"<!doctype html>" in refusal_reply(refuse(Code.ROUTE_UNKNOWN), DECISION, head)[2]) is page
