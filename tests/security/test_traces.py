"""No identifier of a person, patient, study or device in any byte that leaves as a trace (law 8), whatever happens.

All main ways through the gateway and out of it are gone, with every exchange traced; then each text that is known here
to identify somebody, or to open something, is looked for in all that the collector got.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from leadglass.access import pipeline
from leadglass.attributes.studies import StudyFacts
from leadglass.model.facts import EMERGENCY
from support.collector import Collector
from support.device import ADMIN
from support.gateway import CT, HOST, MR, Answer, Running, multipart, running
from support.oidc import ORIGIN, V1, Browser, Site, provider, with_login
from support.studies import instance
from support.traced import TickingClock, leaks, patients, prompt_collector, telemetry

NEW = "1.2.826.0.1.3680043.10.1491.77"
BAD = "1.2.826.0.1.3680043.10.1491.066"
NAME, REASON = "Dr.Sealed.Envelope", "stroke in bed seventeen"
SERIES = f"/dicom-web/studies/{CT.uid}/series/{CT.series}"
INSTANCE = f"{SERIES}/instances/{CT.instances[0].sop}"
WADO = f"/wado?requestType=WADO&studyUID={CT.uid}&seriesUID={CT.series}&objectUID={CT.instances[0].sop}"
FROM_PAGE = ("Sec-Fetch-Mode: navigate", f"Origin: {ORIGIN}", "Sec-Fetch-Site: same-origin")
STATIC = "static: {/viewer: ../dist}\n"


@asynccontextmanager
async def place(folder: Path) -> AsyncIterator[tuple[Site, Collector]]:
    (folder / "dist").mkdir()
    (folder / "dist/index.html").write_text("<html><head></head></html>")
    clock = TickingClock()
    async with AsyncExitStack() as stack:
        kept = await stack.enter_async_context(prompt_collector())
        oidc = await provider(clock, stack)
        change = with_login(oidc, settings=STATIC + telemetry(kept.url, "sample: 1, propagate: true"))
        run = await stack.enter_async_context(running(folder / "site", clock=clock, change=change))
        yield Site(run, oidc, ()), kept


class Way:
    """Goes through the gateway, and notes what it used."""

    def __init__(self, run: Running) -> None:
        self.run, self.known, self.ids = run, [*patients(), NEW, BAD, NAME, REASON, run.agent.id], list[str]()

    async def ask(self, target: str, *fields: str, token: str | None = "", **more: object) -> Answer:
        if token == "":
            token = self.run.token()
        if token is not None:
            self.known += [part for part in token.split(".") if len(part) > 3]
        answer = await self.run.ask(target, *fields, token=token, **more)  # type: ignore[arg-type]  # as `ask` takes them
        self.ids.append(answer.decision_id)
        return answer

    async def expect(self, status: int, target: str, *fields: str, **more: object) -> Answer:
        answer = await self.ask(target, *fields, **more)  # type: ignore[arg-type]  # likewise
        assert answer.status == status, (target, answer.body)
        return answer


async def allowed(way: Way) -> None:
    for target in (
        f"/dicom-web/studies/{CT.uid}/metadata", f"{SERIES}/metadata", f"{INSTANCE}/frames/1", INSTANCE,
        f"{INSTANCE}/rendered", f"{INSTANCE}/bulk/7fe00010", f"{WADO}&contentType=application/dicom",
        "/dicom-web/studies?PatientName=Demo%5EChe*&PatientID=P001", f"/dicom-web/studies?StudyInstanceUID={CT.uid}",
        f"/dicom-web/studies/{CT.uid}/instances", "/viewer/",
    ):  # fmt: skip
        answer = await way.ask(target, "Leadglass-Purpose: TREAT")
        assert answer.status in {200, 406, 404}, (target, answer.body)
    new = instance(study=NEW, series=f"{NEW}.1", sop=f"{NEW}.1.1", patient_name="Newcomer^Patient", patient_id="NEWP-1")
    way.known += ["Newcomer", "NEWP-1"]
    kind, body = multipart(new)
    await way.expect(200, "/dicom-web/studies", kind, method="POST", token=way.run.token("technologist"), body=body)


async def refused(way: Way) -> None:
    await way.expect(404, f"/dicom-web/studies/{MR.uid}/metadata")
    await way.expect(400, f"/dicom-web/studies/{BAD}/metadata")
    await way.expect(403, f"/dicom-web/nowhere/{MR.uid}/Demo-Patient")
    await way.expect(400, "/dicom-web/studies?PatientNickname=Grandpa")
    await way.expect(401, f"/dicom-web/studies/{CT.uid}/metadata", token=None)
    await way.expect(401, f"/dicom-web/studies/{CT.uid}/metadata", token="Bear.er.PlainlyNotAToken")
    await way.expect(403, f"/dicom-web/studies/{CT.uid}/metadata", device=False)
    way.known += ["Grandpa", "PlainlyNotAToken", "nowhere", "Demo-Patient", "Nickname"]
    other = instance(study=CT.uid, series=f"{CT.uid}.9", sop=f"{CT.uid}.9.1", patient_id="P999")
    kind, body = multipart(other)
    answer = await way.ask("/dicom-web/studies", kind, method="POST", token=way.run.token("technologist"), body=body)
    assert answer.status >= 400, answer.body
    async with way.run.client() as client:
        await client.send(
            f"BREW /dicom-web/studies/{MR.uid} HTTP/1.1\r\nHost: {HOST}\r\nX: \x01Patient^Wire\r\n\r\n".encode()
        )
        way.ids.append((await client.answer()).decision_id)
    way.known += ["P999", "Patient^Wire", "BREW"]


async def broken(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, at = way.run.archive, f"/dicom-web/studies/{CT.uid}/series/{CT.series}/metadata"
    for status in (500, 404, 401, 302):
        archive.answer(at, f"No such {CT.uid} of Quoted^Name".encode(), status=status, Location=f"/x/{MR.uid}")
        assert (await way.ask(at)).status >= 400

    async def halved(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"Content-Length": "100000", "Content-Type": "application/dicom+json"})
        await reply.prepare(request)
        await reply.write(b'[{"00100010": "Quoted^Name"')
        assert request.transport is not None
        request.transport.abort()
        return reply

    archive.replaced[at] = halved
    await way.ask(at)
    del archive.replaced[at]
    way.known.append("Quoted^Name")
    for place, name in ((pipeline, "clean"), (StudyFacts, "cached")):
        with monkeypatch.context() as patched:

            def crash(*_: object, **__: object) -> None:
                raise ValueError(f"Crashed^Name {CT.uid}")

            patched.setattr(place, name, crash)
            await way.expect(500, f"/dicom-web/studies/{CT.uid}/metadata")
    way.known.append("Crashed^Name")


async def people(way: Way, opened: Site) -> None:
    browser = await opened.signed_in()
    way.known += [value for value in browser.cookies.values() if len(value) > 8]
    way.known += [f"sub-{opened.oidc.person}", opened.oidc.person, opened.oidc.url.rpartition(":")[2]]
    await browser.look(f"/dicom-web/studies/{CT.uid}/metadata")
    await browser.look(f"/viewer/viewer?StudyInstanceUIDs={CT.uid}")
    (made,) = await way.run.gateway.browsers.codes.make(1, None, 86_400.0, ADMIN)
    code = str(made["code"])
    urgent = Browser(way.run)
    for said in ("WRONG-CODE-WRONG-CODE", code):
        form = {"code": said, "name": NAME, "reason": REASON}
        await urgent.post(f"{V1}emergency", form, *FROM_PAGE)
    secret = urgent.cookies["__Host-leadglass"]
    way.known += [code, *code.split("-"), secret, "WRONG-CODE", EMERGENCY]
    await way.expect(
        200, f"/dicom-web/studies/{MR.uid}/metadata", f"Cookie: __Host-leadglass={secret}", token=None, device=False
    )
    for path in ("enrol", "posture", "renew"):
        body = orjson.dumps({"code_id": "deadbeef" * 4, "statement": "Stated.By.Device", "request": "Asked.By.Device"})
        await way.ask(f"{V1}{path}", "Content-Type: application/json", method="POST", body=body)
    way.known += ["deadbeef", "Stated", "Asked"]


async def go(way: Way, opened: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await allowed(way)
    await refused(way)
    await broken(way, monkeypatch)
    await people(way, opened)


async def all_told(way: Way, kept: Collector) -> list[str]:
    """Wait until every exchange of the record has its trace, and return their ids."""
    ids = {*way.ids, *(line["decision_id"] for line in way.run.record())}
    for decision in ids:
        await kept.exchange(decision)
    return sorted(ids)


async def test_no_trace_identifies_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place(tmp_path) as (opened, kept):
        way = Way(opened.run)
        await go(way, opened, monkeypatch)
        ids = await all_told(way, kept)
        spans = kept.spans
    assert leaks(kept, way.known, ids) == {}
    # It was a run worth searching: each outcome, both sorts of engine work, and failures of the archive are in it.
    roots = [span for span in spans if "leadglass.decision_id" in span.attributes]
    assert {span.attributes["leadglass.outcome"] for span in roots} >= {"allowed", "refused", "control", "failed"}
    assert {"evaluate", "decision", "rows", "forward"} <= {span.name for span in spans}
    codes = {code for span in roots for code in span.attributes.get("leadglass.reasons", ())}
    assert codes >= {
        "route-unknown",
        "uid-malformed",
        "query-refused",
        "user-unauthenticated",
        "internal-fault",
        "upstream-refused",
    }
    assert len(roots) > 30


@pytest.mark.parametrize(
    ("place_of", "plant"),
    [
        ("leadglass.access.pipeline.route_of", lambda request, _: request.path),
        ("leadglass.telemetry.traces.Span.answered", lambda span, _: span.fail(f"no {CT.uid}")),
    ],
)
async def test_the_search_bites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place_of: str, plant: object) -> None:
    monkeypatch.setattr(place_of, plant)
    async with place(tmp_path) as (opened, kept):
        way = Way(opened.run)
        await way.expect(200, f"/dicom-web/studies/{CT.uid}/metadata")
        ids = await all_told(way, kept)
    assert list(leaks(kept, way.known, ids)) == [CT.uid]


def test_a_leak_in_any_byte_is_seen() -> None:
    kept = Collector()
    kept.posts.append(b'{"x":"before 1.2.3 after"}')
    assert list(leaks(kept, ["1.2.3", "4.5.6"], [])) == ["1.2.3"]
    assert leaks(kept, ["before 1.2"], ["1.2"]) == {}
