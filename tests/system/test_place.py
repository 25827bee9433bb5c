"""Where a connection comes from, end to end: behind a proxy that is believed, in rules, in the record, in a search."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from leadglass.cli.main import app
from support.gateway import CT, HOST, Client, Running, running
from support.geo import LINKOEPING, LONDON, TOKYO, city, write
from support.proxyv2 import header

STUDY = f"/dicom-web/studies/{CT.uid}/metadata"
COUNTRIES = "except: [wards]\neveryone: {}\nroles: {radiologist: {allowed: [GB]}}\n"
NETWORKS = "networks: {wards: [10.1.0.0/16]}\neveryone: {}\nroles: {}\n"


def configure(folder: Path) -> None:
    write(folder / "geo.mmdb")
    (folder / "policies/data/countries.yaml").write_text(COUNTRIES)
    (folder / "policies/data/networks.yaml").write_text(NETWORKS)
    file = folder / "leadglass.yaml"
    more = 'geo: {database: geo.mmdb}\ntrusted_proxies: [{networks: ["127.0.0.0/8"], speaks: proxy-v2}]\n'
    file.write_text(file.read_text() + more)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def run(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with running(tmp_path_factory.mktemp("place"), change=configure) as made:
        yield made


async def ask(run: Running, ip: str, token: str | None = "") -> tuple[int, dict[str, Any]]:
    """Ask through a proxy that passes TLS on, and return the status and the decision's line; none of a lease's use."""
    bare = socket.create_connection((run.https.host, run.https.port))
    bare.sendall(header(ip))
    bare.setblocking(False)  # noqa: FBT003 - as the standard library has it
    fields = [] if token is None else [f"Authorization: Bearer {run.token()}"]
    head = "\r\n".join([f"GET {STUDY} HTTP/1.1", f"Host: {HOST}", *fields, "", ""])
    async with asyncio.timeout(20):
        client = Client(*await asyncio.open_connection(sock=bare, ssl=run.context, server_hostname=HOST))
        await client.send(head.encode())
        answer = await client.answer()
        await client.close()
    decided = [line for line in run.about(answer) if line["type"] == "decision"]
    return answer.status, decided[0] if decided else {}


@pytest.mark.asyncio(loop_scope="module")
class TestPlace:
    @pytest.mark.parametrize(
        ("ip", "status", "client"),
        [
            (LONDON, 200, {"ip": LONDON, "country": "GB", "city": "London"}),
            ("::ffff:81.2.69.143", 200, {"ip": "81.2.69.143", "country": "GB", "city": "London"}),
            (LINKOEPING, 403, {"ip": LINKOEPING, "country": "SE"}),
            (TOKYO, 403, {"ip": TOKYO, "country": "JP", "city": "Tōkyō"}),
            ("8.8.8.8", 403, {"ip": "8.8.8.8"}),
            ("10.2.0.1", 403, {"ip": "10.2.0.1"}),
            ("100.64.0.1", 403, {"ip": "100.64.0.1"}),
            ("10.1.0.1", 200, {"ip": "10.1.0.1"}),
        ],
    )
    async def test_rule_and_record(self, run: Running, ip: str, status: int, client: dict[str, str]) -> None:
        found, line = await ask(run, ip)
        country = client.get("country")
        assert (found, line["client"]) == (status, client)
        assert line["input"]["context"].get("country") == country
        assert ("context.country" in line["input"]["missing"]) == (country is None)
        if status == 403:
            params = {"role": "radiologist", "country": country or "unknown"}
            assert line["decision"]["reasons"] == [{"code": "country-not-allowed", "params": params}]

    async def test_a_stranger_has_a_place_too(self, run: Running) -> None:
        status, line = await ask(run, TOKYO, token=None)
        assert (status, line["client"]["country"]) == (401, "JP")

    async def test_search_and_explain_tell_it(self, run: Running) -> None:
        _, line = await ask(run, TOKYO)
        config = ["-c", str(run.folder / "leadglass.yaml")]
        found = await asyncio.to_thread(CliRunner().invoke, app, ["audit", "search", "--country", "JP", *config])
        assert found.exit_code == 0, found.output
        assert f"{TOKYO} (Tōkyō, JP)" in found.output
        assert LONDON not in found.output
        hits = await asyncio.to_thread(
            CliRunner().invoke, app, ["audit", "search", "--country", "JP", "--json", *config]
        )
        assert {json.loads(hit)["city"] for hit in hits.output.splitlines()} == {"Tōkyō"}
        told = await asyncio.to_thread(CliRunner().invoke, app, ["policy", "explain", line["decision_id"], *config])
        assert f"from {TOKYO} (Tōkyō, JP)" in told.output

    async def test_another_file_ends_what_stood_on_the_one_before(self, run: Running) -> None:
        ip = "81.2.69.150"  # no other test asks from there: it has a lease then
        assert (await ask(run, ip))[0] == 200
        told = len([line for line in run.record("event") if line["kind"] == "geo-loaded"])
        try:
            write(run.folder / "geo.mmdb", {"81.2.69.0/24": city("FR")})
            await run.gateway.parts.geo.look()
            assert (await ask(run, ip))[0] == 403
        finally:
            write(run.folder / "geo.mmdb")
            await run.gateway.parts.geo.look()
        events = [line["fields"] for line in run.record("event") if line["kind"] == "geo-loaded"]
        assert [event["database"] for event in events[told:]] == ["GeoLite2-City"] * 2
        assert run.gateway.status()["geo"].startswith("GeoLite2-City of 20")
