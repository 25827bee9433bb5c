"""A gateway that observes: what it would refuse passes and is written down, and the date ends it by itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from leadglass.clock import rfc3339
from leadglass.limits import VIEWER_CHARS
from leadglass.model.errors import ConfigurationError
from leadglass.model.permit import Sealed
from leadglass.obligations.plan import Plan
from leadglass.telemetry import metrics
from support.facts import study_row
from support.gateway import CT, HOST, MR, OWNER, Answer, Client, Running, multipart, running
from support.oidc import site
from support.streams import FRAMES, completion, ended, endless, until
from support.studies import CT_IMAGE, instance

SECONDS = 110.0  # shorter than posture, token and certificate live
METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
HIDDEN = f"/dicom-web/studies/{MR.uid}/metadata"  # an oncology patient's
SEARCH = "/dicom-web/studies"
BY: dict[str, str | int] = {"uid": 0, "user": "root"}
VIEWER = "User-Agent: OHIF/3.9"


def observing(seconds: float = SECONDS, now: float = 1_800_000_000.0) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "leadglass.yaml"
        file.write_text(f'{file.read_text()}mode: {{observe_until: "{rfc3339(now + seconds)}"}}\n')

    return change


@asynccontextmanager
async def observed(folder: Path, **site: Any) -> AsyncIterator[Running]:  # noqa: ANN401 - as `running`
    async with running(folder, change=observing(), **site) as run:
        yield run


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Running]:
    async with observed(tmp_path) as run:
        yield run


def decision(run: Running, answer: Answer) -> dict[str, Any]:
    """Return the last decision about an exchange."""
    return [line for line in run.about(answer) if line["type"] == "decision"][-1]


def codes(line: dict[str, Any]) -> list[str]:
    return [cause["code"] for name in ("reasons", "rows") for cause in line["decision"].get(name, ())]


async def test_a_device_whose_certificate_is_over_passes_as_none(tmp_path: Path) -> None:
    async with running(tmp_path, change=observing(7_200)) as run:
        run.clock.advance(3_700)
        answer = await run.ask(METADATA)
        assert answer.status == 200
        line = decision(run, answer)
        assert (codes(line), line["device"]) == (["device-certificate-expired"], None)
        assert line["subject"]["id"] == OWNER, "who asks is known all the same"


async def test_a_browser_whose_sign_in_is_over_passes_as_nobody(tmp_path: Path) -> None:
    async with site(tmp_path, settings='mode: {observe_until: "2027-01-15T20:00:00Z"}') as place:
        browser = await place.signed_in()
        place.run.clock.advance(7_200)  # longer than a session may be idle
        answer = await browser.ask(METADATA)
        assert answer.status == 200
        line = decision(place.run, answer)
        assert (codes(line), line["subject"]) == (["user-unauthenticated"], None)


# What asks, and what would become of it: (how to ask, the first reason in the record).
PASSES: dict[str, tuple[Callable[[Running], dict[str, Any]], str]] = {
    "nobody": (lambda _: {"token": None}, "user-unauthenticated"),
    "forged token": (lambda _: {"token": "e30.e30.AAAA"}, "user-unauthenticated"),
    "token of another audience": (lambda run: {"token": run.token(aud="other")}, "user-unauthenticated"),
    "token that is over": (lambda run: {"token": run.token(exp=int(run.clock.now()) - 60)}, "user-unauthenticated"),
    "a role that may not": (lambda run: {"token": run.token("nobody-knows")}, "not-granted"),
    "no device": (lambda _: {"device": False}, "device-required"),
}


@pytest.mark.parametrize(("how", "code"), PASSES.values(), ids=PASSES.keys())
async def test_what_would_be_refused_passes_and_the_record_says_so(
    run: Running, how: Callable[[Running], dict[str, Any]], code: str
) -> None:
    answer = await run.ask(METADATA, VIEWER, **how(run))
    assert answer.status == 200
    line = decision(run, answer)
    assert line["observed"] == "refuse"
    assert line["decision"]["allow"] is False
    assert code in codes(line)
    assert line["client"]["user_agent"] == "OHIF/3.9"
    assert line["patient"] == {"id": "P001", "issuer": "DEMO"}, "who was looked at is known although who looked is not"
    if code == "user-unauthenticated":
        assert line["subject"] is None
        assert line["decision"]["detail"] or how(run) == {"token": None}


async def test_what_is_allowed_is_allowed_and_says_which_viewer_asked(run: Running) -> None:
    answer = await run.ask(METADATA, f"User-Agent: {'v' * 400}")
    line = decision(run, answer)
    assert (answer.status, line["observed"], line["decision"]["allow"]) == (200, "allow", True)
    assert line["client"]["user_agent"] == "v" * VIEWER_CHARS


async def test_a_gateway_that_enforces_writes_nothing_of_it(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        answer = await run.ask(METADATA, VIEWER)
        line = decision(run, answer)
        assert "observed" not in line
        assert "user_agent" not in line["client"]


REFUSED: dict[str, tuple[Callable[[Running], dict[str, Any]], int, str]] = {
    "malformed": (lambda _: {"target": "/dicom-web//studies", "token": None}, 400, "http-malformed"),
    "unknown route": (lambda _: {"target": "/patients", "token": None}, 403, "route-unknown"),
    "switched off": (lambda _: {"target": METADATA.removesuffix("/metadata"), "method": "DELETE"}, 403, "transaction-disabled"),
    "query": (lambda _: {"target": f"{SEARCH}?Nonsense=1", "token": None}, 400, "query-refused"),
    "no such study": (lambda _: {"target": "/dicom-web/studies/1.2.3.4/metadata"}, 404, "study-not-visible"),
    "not of this study": (
        lambda _: {"target": f"/dicom-web/studies/{CT.uid}/series/{MR.instances[0].series}/metadata"}, 404, "study-not-visible",
    ),
    "two credentials": (lambda _: {"fields": ["Authorization: Bearer x"]}, 400, "two-credentials"),
}  # fmt: skip


@pytest.mark.parametrize(("how", "status", "code"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_observation_never_lets_pass(
    run: Running, how: Callable[[Running], dict[str, Any]], status: int, code: str
) -> None:
    asked = how(run)
    answer = await run.ask(asked.pop("target", METADATA), *asked.pop("fields", ()), **asked)
    assert (answer.status, answer.reasons) == (status, [code])
    assert run.archive.relayed == []


async def test_another_host_is_unknown_as_ever(run: Running) -> None:
    async with asyncio.timeout(20), run.client() as client:
        await client.send(f"GET {METADATA} HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())
        assert (await client.answer()).reasons == ["host-unknown"]


@pytest.mark.parametrize("kind", ["user", "device"])
async def test_what_was_revoked_by_name_stays_out(run: Running, kind: Any) -> None:  # noqa: ANN401 - a kind of revocation
    value = OWNER if kind == "user" else run.agent.id
    await run.gateway.revocations.revoke(kind, value, "gone", None, BY)
    answer = await run.ask(METADATA)
    assert (answer.status, answer.reasons) == (403, ["access-revoked"])


@pytest.mark.parametrize("expired", [False, True])
async def test_a_device_that_was_withdrawn_stays_out_and_what_it_reads_is_cut(tmp_path: Path, expired: bool) -> None:  # noqa: FBT001 - a table
    async with running(tmp_path, change=observing(7_200)) as run:
        async with streamed(run, f"Authorization: Bearer {run.token('nobody-knows')}") as client:
            await run.gateway.devices.inventory.revoke(run.agent.id, "stolen", BY)
            assert await ended(client)
        assert (await completion(run))["cut_by"] == "statement-invalid"
        run.clock.advance(3_700 if expired else 0)
        answer = await run.ask(METADATA)
        assert (answer.status, answer.reasons) == (
            403,
            ["device-certificate-expired" if expired else "statement-invalid"],
        )


async def test_a_session_that_an_administrator_ended_stays_out_and_one_signed_out_is_nobodys(tmp_path: Path) -> None:
    async with site(tmp_path, settings='mode: {observe_until: "2027-01-15T20:00:00Z"}') as place:
        sessions = place.run.gateway.browsers.sessions
        for withdrawn, status in ((True, 401), (False, 200)):
            browser = await place.signed_in()
            (held,) = sessions.all()
            await sessions.end(held["id"], "gone", BY, withdrawn=withdrawn)
            assert (await browser.ask(METADATA)).status == status


async def test_nothing_passes_that_cannot_be_written_down(run: Running) -> None:
    run.gateway.audit._writer.fault = "the disk is gone"
    assert (await run.ask(METADATA, token=None)).reasons == ["audit-unavailable"]
    assert run.archive.relayed == []


async def test_rows_that_would_be_hidden_are_shown_and_named(run: Running) -> None:
    answer = await run.ask(SEARCH)
    assert MR.uid in {row["0020000D"]["Value"][0] for row in answer.json}
    line = decision(run, answer)
    assert (line["observed"], line["decision"]["allow"]) == ("hide", True)
    assert codes(line) == ["oncologist-only"]
    disclosed = run.about(answer)[-1]["disclosed"]["studies"]
    assert MR.uid in {row["study_uid"] for row in disclosed}


async def test_rows_of_which_nothing_is_known_are_shown(run: Running) -> None:
    """An ambiguous study would be left out of every page."""
    row = study_row(CT.uid, patient_id="P001", modalities=["CT"])
    run.archive.answer("/dicom-web/studies", [row, {**row, "00100020": {"vr": "LO", "Value": ["P002"]}}])
    answer = await run.ask(SEARCH)
    assert len(answer.json) == 2
    line = decision(run, answer)
    assert (line["observed"], codes(line)) == ("refuse", ["study-ambiguous"])


async def test_rows_of_which_nothing_is_known_do_not_leave_when_it_ended_meanwhile(
    run: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = study_row(CT.uid, patient_id="P001", modalities=["CT"])
    run.archive.answer("/dicom-web/studies", [row, {**row, "00100020": {"vr": "LO", "Value": ["P002"]}}])
    seal = Plan.seal_rows

    async def sealed(*given: Any, **more: Any) -> Sealed:  # noqa: ANN401 - as the method
        page = await seal(*given, **more)
        rewrite(run, "")
        await run.gateway.reload()
        return page

    monkeypatch.setattr(Plan, "seal_rows", sealed)
    assert (await run.ask(SEARCH)).reasons == ["study-not-visible"]


async def test_nobody_searches_and_opens_a_viewer(run: Running) -> None:
    answer = await run.ask(SEARCH, token=None, device=False)
    assert len(answer.json) > 1
    assert codes(decision(run, answer)) == ["user-unauthenticated"]


async def test_a_burst_of_nobody_shuts_no_door(tmp_path: Path) -> None:
    """A viewer without a token opens 300 slices; sign-in and enrolment come from the same address."""
    async with (
        observed(tmp_path, strangers="5/s", per_subject="100/s") as run,
        asyncio.timeout(20),
        run.client() as client,
    ):
        for _ in range(40):
            await client.send(f"GET {METADATA} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            assert (await client.answer()).status == 200
        nonce = await run.ask("/.leadglass/v1/nonce", token=None)
        assert nonce.status == 200


async def test_a_lease_is_for_those_who_are_known(run: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person whose device is refused would else be answered by what holds without one, and the record would say so."""

    def asked(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(run.gateway.policy, "cached", asked)
    assert (await run.ask(METADATA, token=None)).status == 200
    assert (await run.ask(METADATA)).status == 500, "of others leases are asked"


async def test_and_one_address_still_has_its_rate(tmp_path: Path) -> None:
    async with observed(tmp_path, per_subject="5/s") as run, asyncio.timeout(20), run.client() as client:
        answers = []
        for _ in range(10):
            await client.send(f"GET {METADATA} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            answers.append(await client.answer())
        assert {answer.status for answer in answers} == {200, 429}


def part(**changes: Any) -> bytes:  # noqa: ANN401 - arguments of `instance`
    values = {
        "study": "1.2.826.0.1.9",
        "series": "1.2.826.0.1.9.1",
        "sop": "1.2.826.0.1.9.1.1",
        "sop_class": CT_IMAGE,
        "patient_id": "P077",
    }
    return instance(**{**values, **changes})


STORES = {
    "not theirs to store": (part(), "store-refused"),
    "of another patient": (part(study=CT.uid, patient_id="P999"), "patient-conflict"),
    "is there already": (CT.instances[0].part10, "instance-exists"),
}


@pytest.mark.parametrize(("sent", "code"), STORES.values(), ids=STORES.keys())
async def test_parts_of_a_store_pass_each_with_its_line(run: Running, sent: bytes, code: str) -> None:
    kind, body = multipart(sent)
    answer = await run.ask(SEARCH, kind, method="POST", body=body)
    assert answer.status == 200
    line = decision(run, answer)
    assert line["observed"] == "refuse"
    assert code in codes(line)


@pytest.mark.parametrize("sent", [b"hello", part()[:200]])
async def test_what_is_no_instance_is_not_stored(run: Running, sent: bytes) -> None:
    kind, body = multipart(sent)
    answer = await run.ask(SEARCH, kind, method="POST", body=body, token=None)
    assert answer.reasons == ["store-unreadable"]


# --- the end -----------------------------------------------------------------------------------------------------------
@asynccontextmanager
async def streamed(run: Running, *fields: str) -> AsyncIterator[Client]:
    endless(run)
    async with asyncio.timeout(20), run.client() as client:
        await client.send("\r\n".join([f"GET {FRAMES} HTTP/1.1", f"Host: {HOST}", *fields, "", ""]).encode())
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await client.reader.readexactly(4096)
        yield client


STREAMS: dict[str, tuple[Callable[[Running], list[str]], str]] = {
    "nobody": (lambda _: [], "user-unauthenticated"),
    "no role": (lambda run: [f"Authorization: Bearer {run.token('nobody-knows')}"], "not-granted"),
}


@pytest.mark.parametrize(("fields", "code"), STREAMS.values(), ids=STREAMS.keys())
async def test_a_stream_that_began_in_observation_is_judged_again_when_it_ends(
    run: Running, fields: Callable[[Running], list[str]], code: str
) -> None:
    async with streamed(run, *fields(run)) as client:
        run.clock.advance(SECONDS - 1)
        await asyncio.sleep(0.3)  # several looks at what is past its time
        assert len(run.gateway.live) == 1, "not before the moment"
        run.clock.advance(1)
        assert await ended(client)
        assert (await completion(run))["cut_by"] == code
    answer = await run.ask(METADATA, token=None)
    assert answer.status == 401
    assert "observed" not in decision(run, answer)


async def test_a_stream_that_is_allowed_goes_on(tmp_path: Path) -> None:
    async with (
        running(tmp_path, change=observing(60)) as run,
        streamed(run, f"Authorization: Bearer {run.token()}") as client,
    ):
        run.clock.advance(61)
        await until(lambda: any(line["kind"] == "observation-ended" for line in run.record("event")))
        await client.reader.readexactly(4096)
        assert len(run.gateway.live) == 1


async def test_a_token_that_ends_meanwhile_cuts_nothing_while_observing(run: Running) -> None:
    token = run.token(exp=int(run.clock.now()) + 30)
    async with streamed(run, f"Authorization: Bearer {token}") as client:
        run.clock.advance(100)
        await until(lambda: any(line.get("observed") == "refuse" for line in run.record("decision")))
        await client.reader.readexactly(4096)
        assert len(run.gateway.live) == 1


async def test_a_person_revoked_meanwhile_is_cut(run: Running) -> None:
    async with streamed(run, f"Authorization: Bearer {run.token('nobody-knows')}") as client:
        await run.gateway.revocations.revoke("user", OWNER, "gone", None, BY)
        assert await ended(client)
        assert (await completion(run))["cut_by"] == "access-revoked"


# --- loud, and never further -------------------------------------------------------------------------------------------
def rewrite(run: Running, mode: str) -> None:
    file = run.folder / "leadglass.yaml"
    kept = [line for line in file.read_text().splitlines() if not line.startswith("mode:")]
    file.write_text("\n".join([*kept, mode, ""]))


async def test_a_reload_ends_it_at_once_and_begins_it_never(run: Running) -> None:
    async with streamed(run) as client:
        rewrite(run, "")
        await run.gateway.reload()
        assert await ended(client)
    assert (await run.ask(METADATA, token=None)).status == 401
    rewrite(run, f'mode: {{observe_until: "{rfc3339(run.clock.now() + 60)}"}}')
    with pytest.raises(ConfigurationError, match="cannot begin or go further"):
        await run.gateway.reload()
    assert (await run.ask(METADATA, token=None)).status == 401


async def test_health_status_record_and_metrics_say_it(run: Running) -> None:
    await run.ask(METADATA, token=None)
    said = {"mode": "observe", "observe_until": rfc3339(run.clock.now() + SECONDS)}
    assert run.gateway.status().items() >= said.items()
    events = {line["kind"]: line["fields"] for line in run.record("event")}
    assert events["started"].items() >= said.items()
    assert events["observation-began"].items() >= said.items()
    assert metrics.OBSERVED.values["user-unauthenticated",] >= 1
    assert ("http", "observed") in metrics.REQUESTS.values
