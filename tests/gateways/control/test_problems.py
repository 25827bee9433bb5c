"""Refusals of the control side in words."""

import orjson
from aiohttp import web

from leadglass.gateways.control.problems import fault, problem, reply
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code


def read(response: web.Response) -> object:
    assert isinstance(response.body, bytes)
    return orjson.loads(response.body)


def test_a_refusal_has_the_members_of_rfc_9457_and_ours() -> None:
    response = problem(refuse(Code.ENROLMENT_REFUSED, "MAC"), "01J", {"error": "nonce"})
    assert (response.status, response.content_type) == (403, "application/problem+json")
    assert read(response) == {
        "type": "urn:leadglass:reason:enrolment-refused",
        "title": "Enrolment refused",
        "status": 403,
        "detail": "The enrolment code is not valid.",
        "reasons": ["enrolment-refused"],
        "remediation": ["Ask the administrator for a new code."],
        "error": "nonce",
        "decision_id": "01J",
    }


def test_what_is_for_the_log_is_not_said() -> None:
    response = problem(refuse(Code.PATIENT_CONFLICT, "P1 and P2"), None, {})
    assert response.status == 404
    assert response.body is not None
    assert b"conflict" not in bytes(response.body if isinstance(response.body, bytes) else b"")


def test_headers_of_a_refusal_travel() -> None:
    response = problem(refuse(Code.RATE_LIMITED, headers={"Retry-After": "3"}), None, {})
    assert response.headers["Retry-After"] == "3"


def test_administrators_get_a_hint() -> None:
    assert read(fault(409, "Not reloaded", "bad", "mend it")) == {
        "type": "about:blank",
        "title": "Not reloaded",
        "status": 409,
        "detail": "bad",
        "hint": "mend it",
    }
    assert read(reply({"a": 1})) == {"a": 1}
