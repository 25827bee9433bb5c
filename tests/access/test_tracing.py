"""Traces through the whole gateway: what has a span, where it hangs, who is told, and that a reload takes effect."""

from pathlib import Path

import pytest

from leadglass.access.tracing import route_of
from leadglass.codec.routes import Table
from leadglass.codec.routes.places import Places
from leadglass.model.errors import ConfigurationError
from leadglass.model.request import CleanRequest, Headers
from support.collector import Span
from support.gateway import CT, HOST, MR, Running
from support.traced import prompt_collector, traced

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
INSTANCE = f"/studies/{CT.uid}/series/{CT.series}/instances/{CT.instances[0].sop}"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STAGES = ["hygiene", "route", "identity", "device", "attributes", "decision", "plan", "upstream", "forward"]


def named(spans: list[Span], name: str) -> Span:
    (found,) = (span for span in spans if span.name == name)
    return found


async def test_an_exchange_is_one_trace_of_stages_evaluation_and_what_the_archive_was_asked(tmp_path: Path) -> None:
    async with traced(tmp_path) as (run, kept):
        answer = await run.ask(METADATA)
        spans = await kept.exchange(answer.decision_id)
    root = spans[0]
    assert (root.name, root.kind, root.parent, root.failed) == (
        "GET /dicom-web/studies/{study}/metadata",
        2,
        None,
        False,
    )
    assert root.attributes == {
        "leadglass.decision_id": answer.decision_id,
        "leadglass.door": "http",
        "leadglass.outcome": "allowed",
        "leadglass.transaction": "wado-rs.study-metadata",
        "http.request.method": "GET",
        "http.route": "/dicom-web/studies/{study}/metadata",
        "http.response.status_code": 200,
        "http.response.body.size": len(answer.body),
        "url.scheme": "https",
        "network.protocol.version": "1.1",
    }
    assert [span.name for span in spans if span.parent == root.id] == STAGES
    evaluated, decision = named(spans, "evaluate"), named(spans, "decision")
    assert evaluated.parent == decision.id
    assert decision.attributes["leadglass.leased"] is False
    for span in (evaluated, decision):
        assert span.attributes["leadglass.engine"] == "wasm"
        assert span.attributes["leadglass.allow"] is True
        assert span.attributes["leadglass.revision"] == run.gateway.policy.revision
    asked = [span for span in spans if span.kind == 3]
    facts, upstream = named(spans, "attributes"), named(spans, "upstream")
    assert [(span.name, span.parent, span.attributes["leadglass.traffic"]) for span in asked] == [
        ("GET", facts.id, "facts"),
        ("GET", facts.id, "facts"),
        ("GET", upstream.id, "interactive"),
    ]
    assert all(span.attributes["http.response.status_code"] == 200 for span in asked)
    assert {span.trace_id for span in spans} == {root.trace_id}
    assert {span.flags for span in spans} == {0x101}


async def test_a_leased_request_has_no_evaluation(tmp_path: Path) -> None:
    async with traced(tmp_path) as (run, kept), run.client() as client:
        head = f"GET {METADATA} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {run.token()}\r\n\r\n".encode()
        await client.send(head)
        await client.answer()
        await client.send(head)
        spans = await kept.exchange((await client.answer()).decision_id)
    assert [span.name for span in spans] == ["GET /dicom-web/studies/{study}/metadata", *STAGES, "GET"]
    assert named(spans, "decision").attributes["leadglass.leased"] is True
    assert named(spans, "decision").attributes["leadglass.engine"] == "wasm"


async def test_the_archive_is_told_only_where_it_is_to_be_told(tmp_path: Path) -> None:
    for number, more in enumerate(("sample: 1", "sample: 1, propagate: true")):
        async with traced(tmp_path / str(number), more) as (run, kept):
            fields = (f"traceparent: 00-{TRACE}-{SPAN}-01", "tracestate: a=b", "baggage: c=d")
            spans = await kept.exchange((await run.ask(METADATA, *fields)).decision_id)
            told = [head.get("Traceparent") or head.get("traceparent") for head in run.archive.heads]
            names = {name.lower() for head in run.archive.heads for name in head}
        assert not {"tracestate", "baggage"} & names
        clients = [f"00-{span.trace_id}-{span.id}-01" for span in spans if span.kind == 3]
        assert sorted(map(str, told)) == (sorted(clients) if number else ["None"] * 3)
        assert spans[0].trace_id != TRACE  # a stranger joins nothing


@pytest.mark.parametrize("believed", [True, False])
async def test_a_proxy_that_is_believed_says_which_trace(tmp_path: Path, believed: bool) -> None:  # noqa: FBT001 - a column
    proxies = f"trusted_proxies: [{{networks: [127.0.0.1/32], speaks: x-forwarded-for, traceparent: {str(believed).lower()}}}]\n"
    async with traced(tmp_path, lines=proxies) as (run, kept):
        fields = ("X-Forwarded-For: 192.0.2.7", f"traceparent: 00-{TRACE}-{SPAN}-01")
        (root, *_) = await kept.exchange((await run.ask(METADATA, *fields)).decision_id)
        assert (root.trace_id == TRACE, root.parent == SPAN, root.flags == 0x301) == (believed, believed, believed)
        unsampled = await run.ask(METADATA, fields[0], f"traceparent: 00-{TRACE}-{SPAN}-00")
        await kept.exchange((await run.ask(METADATA, fields[0])).decision_id)
        seen = {span.attributes.get("leadglass.decision_id") for span in kept.spans}
    assert (unsampled.decision_id in seen) == (not believed)


async def test_what_is_refused_says_why_by_its_code(tmp_path: Path) -> None:
    async with traced(tmp_path) as (run, kept):
        (stranger, *_) = await kept.exchange((await run.ask(METADATA, token=None)).decision_id)
        (unknown, *_) = await kept.exchange((await run.ask(f"/dicom-web/nowhere/{MR.uid}")).decision_id)
        run.archive.answer(METADATA, b"1.2.3 is broken", status=500)
        broken = await kept.exchange((await run.ask(METADATA)).decision_id)
    assert stranger.attributes["leadglass.reasons"] == ["user-unauthenticated"]
    assert (stranger.attributes["leadglass.outcome"], stranger.failed) == ("refused", False)
    assert (unknown.name, unknown.attributes["leadglass.reasons"]) == ("GET", ["route-unknown"])
    assert "http.route" not in unknown.attributes
    assert (broken[0].failed, broken[0].attributes["error.type"]) == (True, "upstream-refused")
    (asked,) = (span for span in broken if span.attributes.get("leadglass.traffic") == "interactive")
    assert (asked.failed, asked.attributes["http.response.status_code"]) == (True, 500)


async def test_the_control_side_is_traced_by_its_path(tmp_path: Path) -> None:
    async with traced(tmp_path) as (run, kept):
        answer = await run.ask("/.leadglass/v1/jwks.json", token=None)
        refused = await run.ask("/.leadglass/v1/posture", method="POST", body=b"{}", device=False)
        (root, *_), (other, *_) = [await kept.exchange(one.decision_id) for one in (answer, refused)]
    assert (root.name, root.attributes["leadglass.outcome"]) == ("GET /.leadglass/v1/jwks.json", "control")
    assert (other.name, other.attributes["leadglass.outcome"]) == ("POST /.leadglass/v1/posture", "refused")


async def test_a_reload_takes_effect_and_loses_nothing(tmp_path: Path) -> None:
    async with prompt_collector() as first, traced(tmp_path) as (run, kept):
        file = tmp_path / "leadglass.yaml"
        before = file.read_text()
        await kept.exchange((await run.ask(METADATA)).decision_id)
        file.write_text(before.replace(kept.url, first.url))
        await run.gateway.reload()
        await first.exchange((await run.ask(METADATA)).decision_id)
        file.write_text(before.replace(kept.url, "ftp://nowhere"))
        with pytest.raises(ConfigurationError):
            await run.gateway.reload()
        await first.exchange((await run.ask(METADATA)).decision_id)
        file.write_text(before.partition("telemetry:")[0])
        await run.gateway.reload()
        silent = await run.ask(METADATA)
        file.write_text(before)
        await run.gateway.reload()
        await kept.exchange((await run.ask(METADATA)).decision_id)
        seen = {span.attributes.get("leadglass.decision_id") for span in (*first.spans, *kept.spans)}
    assert silent.decision_id not in seen


async def test_a_collector_that_hangs_or_is_gone_touches_no_request(tmp_path: Path) -> None:
    async with traced(tmp_path) as (run, kept):
        kept.hung.clear()
        for _ in range(3):
            assert (await run.ask(METADATA)).status == 200
        kept.hung.set()
        file = tmp_path / "leadglass.yaml"
        file.write_text(file.read_text().replace(kept.url, "http://127.0.0.1:9"))
        await run.gateway.reload()
        assert (await run.ask(METADATA)).status == 200


def _request(target: str) -> CleanRequest:
    path, _, query = target.partition("?")
    pairs = tuple((key, value) for key, _, value in (pair.partition("=") for pair in query.split("&") if pair))
    return CleanRequest("GET", path, tuple(path[1:].split("/")), pairs, HOST, Headers({}))


@pytest.mark.parametrize(
    ("target", "route"),
    [
        (METADATA, "/dicom-web/studies/{study}/metadata"),
        ("/dicom-web/studies?PatientName=Demo*", "/dicom-web/studies"),
        (
            f"/dicom-web{INSTANCE}/frames/1,2",
            "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}",
        ),
        (
            f"/dicom-web{INSTANCE}/bulk/7FE00010",
            "/dicom-web/studies/{study}/series/{series}/instances/{instance}/bulk/{attribute}",
        ),
        (f"/wado?requestType=WADO&studyUID={CT.uid}&seriesUID={CT.series}&objectUID={CT.instances[0].sop}", "/wado"),
        ("/viewer/index.html", "/viewer/{rest}"),
    ],
)
def test_a_route_is_its_template_under_its_mount(target: str, route: str) -> None:
    places, request = Places([Table("/dicom-web", "/wado")], ("/viewer",)), _request(target)
    assert route_of(request, places.match(request)) == route


def test_a_mount_that_cannot_be_told_apart_is_left_out() -> None:
    table, request = Table("/dicom-web"), _request(METADATA)
    match = table.match(request)
    assert route_of(request, match._replace(ask=match.ask._replace(path="/other"))) == "/studies/{study}/metadata"


async def test_nothing_is_traced_by_default(run: Running) -> None:
    assert (await run.ask(METADATA)).status == 200
    assert run.gateway.pipeline.services.tracer is None
