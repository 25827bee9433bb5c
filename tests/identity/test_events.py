from typing import Any

import pytest

from leadglass.identity.events import URIS, Unfit, about, happened, read
from leadglass.model.signals import Event

LEVEL = {"namespace": "NIST-AAL", "current_level": "nist-aal1"}
RISK = {"principal": "USER", "current_level": "HIGH"}

GOOD: list[tuple[Event, dict[str, Any], dict[str, Any]]] = [
    (Event.SESSION_REVOKED, {"initiating_entity": "policy"}, {}),
    (
        Event.CREDENTIAL_CHANGE,
        {"credential_type": "fido2-roaming", "change_type": "create"},
        {"credential": "fido2-roaming", "change": "create"},
    ),
    (Event.TOKEN_CLAIMS_CHANGE, {"claims": {"role": "x"}}, {"claims": {"role": "x"}}),
    (Event.ASSURANCE_LEVEL_CHANGE, LEVEL, {"level": "nist-aal1", "direction": "decrease"}),
    (
        Event.ASSURANCE_LEVEL_CHANGE,
        {**LEVEL, "change_direction": "increase"},
        {"level": "nist-aal1", "direction": "increase"},
    ),
    (
        Event.DEVICE_COMPLIANCE_CHANGE,
        {"previous_status": "compliant", "current_status": "not-compliant"},
        {"status": "not-compliant"},
    ),
    (Event.RISK_LEVEL_CHANGE, RISK, {"principal": "user", "level": "HIGH"}),
    (Event.VERIFICATION, {}, {}),
    (Event.VERIFICATION, {"state": "x" * 1000}, {"state": "x" * 256}),
    (Event.STREAM_UPDATED, {"status": "disabled", "reason": 7}, {"status": "disabled"}),
]


@pytest.mark.parametrize(("event", "payload", "says"), GOOD, ids=str)
def test_what_an_event_says(event: Event, payload: dict[str, Any], says: dict[str, Any]) -> None:
    assert read(event, payload) == says


BAD: list[tuple[Event, dict[str, Any]]] = [
    (Event.CREDENTIAL_CHANGE, {"change_type": "create"}),
    (Event.CREDENTIAL_CHANGE, {"credential_type": "pin", "change_type": "stolen"}),
    (Event.CREDENTIAL_CHANGE, {"credential_type": "pin"}),
    (Event.TOKEN_CLAIMS_CHANGE, {}),
    (Event.TOKEN_CLAIMS_CHANGE, {"claims": {}}),
    (Event.TOKEN_CLAIMS_CHANGE, {"claims": ["role"]}),
    (Event.TOKEN_CLAIMS_CHANGE, {"claims": {str(n): n for n in range(100)}}),
    (Event.ASSURANCE_LEVEL_CHANGE, {"current_level": "1"}),
    (Event.ASSURANCE_LEVEL_CHANGE, {"namespace": "RFC8176"}),
    (Event.ASSURANCE_LEVEL_CHANGE, {**LEVEL, "change_direction": "up"}),
    (Event.DEVICE_COMPLIANCE_CHANGE, {}),
    (Event.DEVICE_COMPLIANCE_CHANGE, {"current_status": True}),
    (Event.DEVICE_COMPLIANCE_CHANGE, {"current_status": "compliant", "previous_status": "?"}),
    (Event.RISK_LEVEL_CHANGE, {**RISK, "principal": "TENANT"}),
    (Event.RISK_LEVEL_CHANGE, {**RISK, "current_level": "high"}),
    (Event.RISK_LEVEL_CHANGE, {"current_level": "HIGH"}),
    (Event.STREAM_UPDATED, {}),
]


@pytest.mark.parametrize(("event", "payload"), BAD, ids=str)
def test_an_event_that_does_not_say_it_is_refused(event: Event, payload: dict[str, Any]) -> None:
    with pytest.raises(Unfit):
        read(event, payload)


def test_when_it_happened() -> None:
    assert happened({}, 7.0) == 7.0
    assert happened({"event_timestamp": 5}, 7.0) == 5.0
    with pytest.raises(Unfit):
        happened({"event_timestamp": "5"}, 7.0)


def test_every_event_has_its_uri_and_is_about_something() -> None:
    assert set(URIS.values()) == set(Event)
    assert URIS["https://schemas.openid.net/secevent/ssf/event-type/verification"] is Event.VERIFICATION
    assert about(Event.DEVICE_COMPLIANCE_CHANGE, {}) == "device"
    assert about(Event.RISK_LEVEL_CHANGE, {"principal": "session"}) == "session"
    assert about(Event.CREDENTIAL_CHANGE, {}) == "user"
