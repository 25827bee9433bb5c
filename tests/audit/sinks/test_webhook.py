"""Notices over HTTP: from the record to the receiver, over an outage, and once."""

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from leadglass.audit.settings import WebhookSettings
from leadglass.audit.sinks.notices import Notices
from leadglass.audit.sinks.pump import Pump
from leadglass.audit.sinks.webhook import WebhookSink
from support import record
from support.clock import FakeClock

FIELDS = {"decision_id": "01J", "subject": "dr.a", "issuer": "i", "reason": "fell", "client_ip": "192.0.2.1"}


async def test_a_notice_arrives_once_however_often_the_receiver_failed(tmp_path: Path) -> None:
    clock, taken, status = FakeClock(), list[dict[str, Any]](), [500, 503, 200]

    async def take(request: web.Request) -> web.Response:
        said = status.pop(0) if status else 200
        if said == 200:
            taken.append(await request.json())
        return web.Response(status=said)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    audit = record.audit(tmp_path, clock)
    for number in range(3):
        await audit.record_event("glass-broken", {**FIELDS, "decision_id": f"01J{number}"})
    await audit.record_event("session-begun", {})
    await audit.sync()
    sink = WebhookSink(WebhookSettings(url=url), Notices(clock, reasons=False))
    pump = Pump(audit.settings.file, sink, audit._writer.on_disk)
    try:
        assert await pump.step() > 0
        assert await pump.step() > 0
        assert (await pump.step(), len(taken)) == (0, 1)
        assert taken[0]["notices"][0]["count"] == 3
        assert "dr.a" in taken[0]["text"]
        await audit.record_event("glass-broken", FIELDS)
        await audit.sync()
        while await pump.step() == 0:
            pass
        assert len(taken) == 1
    finally:
        await sink.close()
        await runner.cleanup()
        await audit.close()


@pytest.mark.parametrize(
    "url", ["ftp://x.example", "http://x.example/hook", "https://u:p@x.example", "https://x#y", ""]
)
def test_addresses_that_would_leak_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        WebhookSettings(url=url)


def test_the_name_tells_no_secret() -> None:
    sink = WebhookSink(WebhookSettings(url="https://x.example/hooks/secret"), Notices(FakeClock(), reasons=False))
    assert "secret" not in sink.name
