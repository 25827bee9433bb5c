"""Control paths: what each needs is established before anything is relayed."""

import json

import pytest

from leadglass.codec.control import ROUTES, Needs
from leadglass.limits import CONTROL_BODY_BYTES
from support.device import ADMIN, ISSUER, Agent
from support.gateway import Running

V1 = "/.leadglass/v1/"


async def test_a_nonce_is_for_everybody_and_no_line_of_a_decision(run: Running) -> None:
    answer = await run.ask(V1 + "nonce", token=None, device=False)
    assert answer.status == 200
    assert answer.json["nonce"]
    assert run.about(answer) == []


async def test_the_keys_are_those_of_the_device_ca_and_of_the_record(run: Running) -> None:
    answer = await run.ask(V1 + "jwks.json", token=None, device=False)
    keys = answer.json["keys"]
    assert [keys[0]] == run.gateway.devices.authority.jwks(run.clock.now())
    assert keys[1] == run.gateway.audit.public_jwk()
    assert not any("d" in key for key in keys)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "posture"),
        ("POST", "nonce"),
        ("DELETE", "enrol"),
        ("GET", "admin/devices"),
        ("GET", ""),
        ("GET", "../v1/nonce"),
        ("GET", "nonce/"),
        ("GET", "NONCE"),
    ],
)
async def test_what_is_not_in_the_table_does_not_exist(run: Running, method: str, path: str) -> None:
    answer = await run.ask(V1 + path, method=method, token=None, device=False)
    assert answer.status in {400, 403}
    assert answer.reasons[0] in {"route-unknown", "http-malformed"}
    assert len(run.about(answer)) == 1


async def test_control_paths_take_no_query(run: Running) -> None:
    answer = await run.ask(V1 + "nonce?x=1", token=None)
    assert (answer.status, answer.reasons) == (400, ["http-malformed"])


async def test_a_statement_needs_the_devices_certificate(run: Running) -> None:
    body = json.dumps(run.agent.statement(run.clock.now())).encode()
    for plain in (False, True):
        answer = await run.ask(
            V1 + "posture",
            "Content-Type: application/json",
            method="POST",
            body=body,
            token=None,
            device=False,
            plain=plain,
        )
        assert (answer.status, answer.reasons) == (403, ["device-required"])
    answer = await run.ask(V1 + "posture", "Content-Type: application/json", method="POST", body=body, token=None)
    assert answer.status == 200


@pytest.mark.parametrize("name", ["Leadglass-Peer", "Leadglass-Peer-Facts", "X-Leadglass-Peer"])
async def test_sealed_facts_of_the_clients_own_are_not_believed(run: Running, name: str) -> None:
    body = json.dumps(run.agent.statement(run.clock.now())).encode()
    answer = await run.ask(
        V1 + "posture", f'{name}: {{"device_id": "{run.agent.id}"}}', "Content-Type: application/json",
        method="POST", body=body, token=None, device=False,
    )  # fmt: skip
    assert answer.status == 403


async def test_a_new_device_enrols_through_the_door(run: Running) -> None:
    agent = Agent()
    code = await run.gateway.devices.codes.make("dr.other", ISSUER, ADMIN)
    body = json.dumps(agent.enrolment(code["code"])).encode()
    answer = await run.ask(
        V1 + "enrol", "Content-Type: application/json", method="POST", body=body, token=None, device=False
    )
    assert answer.status == 201
    agent.enrolled(answer.json)
    assert run.gateway.devices.registry.get(agent.id) is not None
    again = await run.ask(
        V1 + "enrol", "Content-Type: application/json", method="POST", body=body, token=None, device=False
    )
    assert again.status in {403, 409}


async def test_a_body_past_the_limit_is_refused(run: Running) -> None:
    answer = await run.ask(
        V1 + "enrol", "Content-Type: application/json", method="POST", body=b"x" * (CONTROL_BODY_BYTES + 1), token=None
    )
    assert (answer.status, answer.reasons) == (413, ["body-too-large"])


def test_no_control_path_needs_a_person_yet() -> None:
    """When one does, `_establish` has to be tried with and without a token."""
    assert {route.needs for route in ROUTES} == {Needs.NOTHING, Needs.DEVICE}
