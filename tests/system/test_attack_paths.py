"""Rows A and B of the attack list: paths, authorities and headers that somebody else might read differently."""

import json

import pytest

from support.attacks import METADATA, Watch, still_serves
from support.door import parse_head
from support.gateway import CT, HOST, MR, Running

pytestmark = pytest.mark.asyncio(loop_scope="module")
STUDIES = "/dicom-web/studies"
SERIES = f"{STUDIES}/{CT.uid}/series/{CT.series}"
INSTANCE = f"{SERIES}/instances/{CT.instances[0].sop}"

PATHS = {
    "A1-double-slash": "//dicom-web/studies",
    "A1-double-slash-host": f"//{HOST}/dicom-web/studies",
    "A2-dot-dot": f"{STUDIES}/{CT.uid}/../{MR.uid}/metadata",
    "A2-dot-dot-out": "/dicom-web/../system",
    "A2-dot": f"{STUDIES}/./{CT.uid}/metadata",
    "A3-encoded-dots": f"{STUDIES}/%2e%2e/{CT.uid}/metadata",
    "A3-encoded-slash": f"{STUDIES}%2F{CT.uid}/metadata",
    "A3-encoded-backslash": f"{STUDIES}/%5c..{CT.uid}",
    "A3-twice-encoded": f"{STUDIES}/%252e%252e%252f{CT.uid}",
    "A3-overlong": f"{STUDIES}/%c0%af{CT.uid}",
    "A3-nul": f"{STUDIES}/{CT.uid}%00/metadata",
    "A3-semicolon": f"{STUDIES}/{CT.uid};x=1/metadata",
    "A3-encoded-semicolon": f"{STUDIES}/{CT.uid}%3Bx/metadata",
    "A3-encoded-question": f"{STUDIES}/{CT.uid}%3Fx/metadata",
    "A3-encoded-hash": f"{STUDIES}/{CT.uid}%23x/metadata",
    "A4-merged-slashes": f"{STUDIES}//{CT.uid}/metadata",
    "A4-slashes-and-dots": "/..///dicom-web///studies",
    "A5-encoded-fragment": f"{STUDIES}/{MR.uid}%23/metadata",
    "A6-query-as-path": f"{STUDIES}/{MR.uid}?path=/metadata",
    "A7-dot-after-prefix": "/dicom-web./studies",
    "A7-dots-after-prefix": "/dicom-web../studies",
    "A7-dots-then-other": "/dicom-web../system",
    "A8-longer-prefix": "/dicom-webs/studies",
    "A8-longer-uid": f"{STUDIES}/{CT.uid}.9/metadata",
    "A8-shorter-uid": f"{STUDIES}/{CT.uid[:-2]}/metadata",
    "A9-case": "/DICOM-WEB/studies",
    "A9-case-of-a-word": f"{STUDIES}/{CT.uid}/Metadata",
    "A12-zero-frame": f"{INSTANCE}/frames/0",
    "A12-leading-zero": f"{INSTANCE}/frames/01",
    "A12-leading-zero-in-a-list": f"{INSTANCE}/frames/1,01",
    "A12-uid-leading-zero": f"{STUDIES}/1.2.03/metadata",
    "A13-star": f"{STUDIES}/*/metadata",
    "A13-star-in-a-uid": f"{STUDIES}/{CT.uid[:-1]}*/metadata",
    "A14-windows": f"{STUDIES}/..%5c{MR.uid}",
    "A-empty-uid": f"{STUDIES}//metadata",
    "A-uid-list": f"{STUDIES}/{CT.uid},{MR.uid}/metadata",
    "A-uid-list-backslash": f"{STUDIES}/{CT.uid}%5C{MR.uid}/metadata",
    "A-trailing-slash": f"{STUDIES}/{CT.uid}/metadata/",
    "A-encoded-letter": f"{STUDIES}/{CT.uid}/%6detadata",
    "A-not-utf8": f"{STUDIES}/%ff/metadata",
    "A-orthanc-root": "/system",
    "A-orthanc-explorer": "/app/explorer.html",
    "A-orthanc-instances": "/instances",
    "A-orthanc-tools": "/tools/find",
    "A-orthanc-servers": "/dicom-web/servers",
    "A-orthanc-server-get": "/dicom-web/servers/x/get",
    "A-bulk-climbs": f"{INSTANCE}/bulk/../../../../{MR.uid}",
    "A-bulk-foreign": f"{INSTANCE}/bulk/http:%2F%2Fevil.example",
    "B11-alias": "/dicom-web/studies?PatientID=P001&00100020=P002",
    "B11-alias-lower": "/dicom-web/studies?patientid=P002",
    "B11-twice": "/dicom-web/studies?PatientID=P001&PatientID=P002",
    "B11-brackets": "/dicom-web/studies?PatientID[]=P002",
    "B11-semicolon": "/dicom-web/studies?limit=1;PatientID=*",
    "B11-bad-percent": "/dicom-web/studies?PatientID=%zz",
    "B11-unknown-key": "/dicom-web/studies?Frobnicate=1",
    "B11-unknown-tag": "/dicom-web/studies?99980010=1",
    "B11-key-without-value": "/dicom-web/studies?&&",
    "B11-limit-huge": "/dicom-web/studies?limit=99999999999",
    "B11-limit-negative": "/dicom-web/studies?limit=-1",
    "B11-limit-hex": "/dicom-web/studies?limit=0x10",
    "B11-offset-huge": "/dicom-web/studies?offset=99999999999",
    "B11-study-contradicts": f"{STUDIES}/{CT.uid}/series?StudyInstanceUID={MR.uid}",
    "B11-wado-two-uids": f"/wado?requestType=WADO&studyUID={CT.uid}&studyUID={MR.uid}&seriesUID=1.2&objectUID=1.2",
    "B11-wado-no-study": "/wado?requestType=WADO&seriesUID=1.2&objectUID=1.2",
    "B11-wado-list": f"/wado?requestType=WADO&studyUID={CT.uid}&seriesUID={CT.series}&objectUID=1.2,1.3",
    "B10-method-in-query": f"{METADATA}?_method=DELETE",
    "B12-crlf": f"{STUDIES}/1%0d%0aX:1/metadata",
    "B12-ansi": f"{STUDIES}/%1b[31m/metadata",
    "B12-json": f"{STUDIES}/%22,%22allow%22:true,%22/metadata",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
async def test_a_path_that_could_mean_something_else_is_refused(site: Running, path: str) -> None:
    watch = Watch(site)
    answer = await site.ask(path)
    assert answer.status in {400, 403, 404}, answer
    assert answer.json["type"].startswith("urn:leadglass:reason:")
    lines = await watch.recorded()
    assert len(lines) == 1
    assert lines[0]["decision"]["allow"] is False
    assert site.archive.relayed == []
    raw = (site.folder / "var/decisions.jsonl").read_bytes().splitlines()[-1]
    assert b"\x1b" not in raw
    assert json.loads(raw)


AUTHORITIES = [
    "evil.example",
    f"{HOST}.",
    f"{HOST}.evil.example",
    f"x{HOST}",
    f"{HOST}:8443",
    "127.0.0.1",
    "localhost",
    "[::1]",
]


@pytest.mark.parametrize("host", AUTHORITIES)
async def test_a_host_that_is_not_ours_is_refused(site: Running, host: str) -> None:
    watch = Watch(site)
    head = f"GET {METADATA} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {site.token()}\r\n\r\n"
    async with site.client() as client:
        await client.send(head.encode())
        answer = await client.answer()
    assert answer.status == 400
    assert answer.reasons[0] in {"host-unknown", "http-malformed"}
    await watch.refused()


async def test_the_host_is_compared_without_case(site: Running) -> None:
    head = f"GET {METADATA} HTTP/1.1\r\nHost: {HOST.upper()}\r\nAuthorization: Bearer {site.token()}\r\n\r\n"
    async with site.client() as client:
        await client.send(head.encode())
        assert (await client.answer()).status == 200


@pytest.mark.parametrize("agent", ["GoogleHC/1.0", "kube-probe/1.29", "ELB-HealthChecker/2.0"])
async def test_no_user_agent_opens_a_door(site: Running, agent: str) -> None:
    for path in (METADATA, "/health/ready", "/metrics", "/"):
        answer = await site.ask(path, f"User-Agent: {agent}", token=None)
        assert answer.status == 401


# --- headers -------------------------------------------------------------------------------------------------------------
SPOOFED = {
    "B2-user": "X-User-Id: admin",
    "B2-remote-user": "Remote-User: admin",
    "B2-auth-request": "X-Auth-Request-User: admin",
    "B2-webauth": "x-webauth-user: admin",
    "B4-connection": "Connection: close, Leadglass-Assertion, X-Real-IP, Forwarded",
    "B4-connection-lower": "connection: keep-alive, x-forwarded-for",
    "B5-uri": "X-Forwarded-Uri: /public",
    "B5-original-url": "X-Original-URL: /dicom-web/studies",
    "B5-rewrite-url": "X-Rewrite-URL: /dicom-web/studies",
    "B5-method": "X-Forwarded-Method: GET",
    "B6-proto": "X-Forwarded-Proto: http",
    "B6-prefix": "X-Forwarded-Prefix: //evil.example",
    "B6-port": "X-Forwarded-Port: 1",
    "B6-host": "X-Forwarded-Host: evil.example",
    "B7-for": "X-Forwarded-For: 10.0.0.1",
    "B7-real-ip": "X-Real-IP: ::ffff:10.0.0.1",
    "B7-true-client": "True-Client-IP: 10.0.0.1",
    "B7-forwarded": 'Forwarded: for=10.0.0.1;host="evil.example"',
    "B9-cookie": "Cookie: session=secret",
    "B10-override": "X-HTTP-Method-Override: DELETE",
    "B10-override-short": "X-Method-Override: DELETE",
    "B-range": "Range: bytes=0-10",
    "B-te": "TE: trailers",
    "B-via": "Via: 1.1 evil",
    "B-assertion": "Leadglass-Assertion: a.b.c",
    "B-peer": "Leadglass-Peer: x",
}


@pytest.mark.parametrize("field", SPOOFED.values(), ids=SPOOFED.keys())
async def test_what_a_client_says_of_itself_reaches_neither_archive_nor_decision(site: Running, field: str) -> None:
    await site.tell()
    watch = Watch(site)
    answer = await site.ask(METADATA, field)
    assert answer.status in {200, 400, 403}, answer
    name, _, value = field.partition(": ")
    sent = [{key.lower(): text for key, text in head.items()} for head in site.archive.heads]
    for head in sent:
        assert not {"authorization", "cookie", "dpop"} & set(head)
        assert value not in head.get(name.lower(), "")
        assert not any(key.startswith("x-") for key in head)
    (line,) = await watch.recorded()
    if line["type"] == "decision":
        assert line["client"]["ip"] == "127.0.0.1"
        assert (line["subject"] or {"id": "dr.demo"})["id"] == "dr.demo"


TWINS = ["X_Auth_Request_User: evil", "X-Auth_Request_User: evil", "X_Forwarded_Proto: https", "Leadglass_Assertion: x"]


@pytest.mark.parametrize("field", [*TWINS, "Authorization_: x", "Content_Length: 5"])
async def test_a_twin_with_an_underscore_goes_no_further(site: Running, field: str) -> None:
    answer = await site.ask(METADATA, field)
    assert answer.status in {200, 400}
    assert not any("_" in name for head in site.archive.heads for name in head)


DOUBLED = {
    "authorization": "Authorization: Bearer a.b.c",
    "host": f"Host: {HOST}",
    "purpose": "Leadglass-Purpose: TREAT\r\nLeadglass-Purpose: HRESCH",
    "break-glass": "Leadglass-Break-Glass: a\r\nLeadglass-Break-Glass: b",
    "content-type": "Content-Type: a/b\r\nContent-Type: c/d",
}


@pytest.mark.parametrize("field", DOUBLED.values(), ids=DOUBLED.keys())
async def test_a_field_that_stands_once_may_not_stand_twice(site: Running, field: str) -> None:
    watch = Watch(site)
    answer = await site.ask(METADATA, field)
    assert answer.status == 400
    await watch.refused()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "delete", "BILBAO"])
async def test_another_method_is_another_thing(site: Running, method: str) -> None:
    watch = Watch(site)
    answer = await site.ask(METADATA, method=method, body=b"" if method in {"POST", "PUT", "PATCH"} else None)
    assert answer.status in {400, 403, 404, 405, 501}
    await watch.recorded()
    assert site.archive.asked == []


async def test_head_is_refused_and_has_no_body(site: Running) -> None:
    watch = Watch(site)
    head = f"HEAD {METADATA} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {site.token()}\r\n\r\n"
    async with site.client() as client:
        await client.send(head.encode() * 2)
        told = [parse_head(await client.reader.readuntil(b"\r\n\r\n"))[0] for _ in range(2)]
    assert set(told) <= {400, 403, 405}
    await watch.recorded(2)
    assert site.archive.asked == []


async def test_after_all_of_them_the_gateway_serves_as_ever(site: Running) -> None:
    await still_serves(site)
