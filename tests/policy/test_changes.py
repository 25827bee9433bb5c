from copy import deepcopy
from typing import Any

import pytest

from leadglass.policy.changes import candidates

TABLES: dict[str, object] = {
    "roles": {"roles": {"reader": {"allow": []}}},
    "writes": {"images": {"roles": ["modality"]}},
    "networks": {"networks": {"wards": [], "private": []}},
    "purpose": {"roles": {"researcher": ["HRESCH"]}},
    "posture": {"required": ["firewall"], "roles": {"reader": {"required": ["vpn"]}}},
    "break_glass": {"enabled": True},
    "hours": {"enabled": True, "roles": {"reader": {"from": 7, "to": 19, "weekdays": [2]}}},
}


def question(**changed: object) -> dict[str, Any]:
    return {
        "subject": {"id": "p", "issuer": "i", "roles": [], "mfa": True},
        "studies": [],
        "device": {"owner": "p", "owner_issuer": "i", "posture_age_seconds": 0, "checks": {"firewall": {"status": "pass"}, "vpn": {"status": "pass"}}},
        "context": {"networks": ["private"], "purpose": "TREAT", "break_glass": None},
        **changed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "path", "words"),
    [
        (
            {"subject": {"id": "p", "issuer": "i", "roles": [], "mfa": False}},
            "subject.mfa",
            ["a sign-in with a second factor"],
        ),
        ({"device": None}, "device", ["an enrolled and healthy device of their own"]),
        (
            {"device": {"owner": "q", "owner_issuer": "i", "checks": {}}},
            "device.owner",
            ["the device being enrolled to them"],
        ),
        (
            {"device": {"owner": "p", "owner_issuer": "i", "checks": {}}},
            "device.posture_age_seconds",
            ["a fresh report of the device"],
        ),
        (
            {"device": {"owner": "p", "owner_issuer": "i", "checks": {}}},
            "device.checks.vpn.status",
            ["the device passing the check vpn"],
        ),
        ({}, "context.networks", ["the network wards", "a network other than private"]),
        ({}, "context.purpose", ["the purpose of use HRESCH"]),
        ({}, "context.hour", ["the working hours of the role reader"]),
        ({}, "subject.roles", ["the role reader", "the role modality"]),
        ({}, "context.break_glass", ["breaking the glass under ETREAT, freshly signed in"]),
        (
            {"context": {"networks": [], "break_glass": {"reason": "x"}}},
            "context.auth_age_seconds",
            ["the purpose ETREAT and a fresh sign-in, to break the glass"],
        ),
        ({"studies": [{}]}, "studies[].care_team", ["membership of the patient's care team"]),
        ({"studies": [{"care_team": [{"issuer": "i", "id": "p"}]}]}, "studies[].care_team", []),
        ({}, "subject.mfa", []),
    ],
)
def test_the_list(changed: dict[str, object], path: str, words: list[str]) -> None:
    asked = question(**changed)
    found = [change for change in candidates(asked, TABLES) if change.path == path]
    assert [change.words for change in found] == words
    for change in found:
        altered = deepcopy(asked)
        change.apply(altered)
        assert altered != asked


def test_tables_that_are_not_there_name_nothing() -> None:
    assert {change.path for change in candidates(question(), {})} == {"context.networks"}
