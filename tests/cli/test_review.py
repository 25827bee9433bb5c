"""`leadglass review`, spoken to as people and scripts do."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest
from typer.testing import CliRunner, Result

from leadglass.cli import admin
from leadglass.cli import review as module
from support.control import Control, control_site


@pytest.fixture
def record(tmp_path: Path) -> Path:
    fields = {"decision_id": "A", "subject": "dr.a", "reason": "[red]trauma[/red]", "studies": ["1.2"], "count": 1}
    document = {"type": "event", "kind": "glass-broken", "timestamp": "2026-11-23T20:00:00.000000Z", "fields": fields}
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(b'{"seq":1,"v":1,"chain":"aaaa",' + orjson.dumps(document)[1:] + b"\n")
    return file


@pytest.fixture
async def control(tmp_path: Path, record: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Control]:
    async with control_site(tmp_path) as control:
        settings = SimpleNamespace(admin=SimpleNamespace(unix=control.admin), audit=SimpleNamespace(file=record))
        monkeypatch.setattr(admin, "load", lambda _: settings)
        monkeypatch.setenv("COLUMNS", "200")
        yield control


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(lambda: CliRunner().invoke(module.app, ("break-glass", *arguments)))


@pytest.mark.usefixtures("control")
async def test_what_waits_is_listed() -> None:
    listed = await run("list")
    assert listed.exit_code == 0
    for word in ("A", "dr.a", "[red]trauma[/red]"):
        assert word in listed.stdout
    (case,) = json.loads((await run("list", "--json")).stdout)
    assert (case["decision_id"], case["studies"], case["signed"]) == ("A", ["1.2"], None)


async def test_a_sign_off_goes_to_the_record_with_who_did_it(control: Control) -> None:
    signed = await run("sign", "A", "--note", "the care team agreed")
    assert signed.exit_code == 0
    assert signed.stdout == "signed off: dr.a, [red]trauma[/red]\n"
    kind, fields = control.site.events.lines[-1]
    assert kind == "glass-reviewed"
    assert (fields["decision_id"], fields["subject"], fields["note"]) == ("A", "dr.a", "the care team agreed")
    assert "uid" in fields["by"]


async def test_what_is_signed_off_waits_no_more(control: Control, record: Path) -> None:
    await run("sign", "A", "--note", "fine")
    kind, fields = control.site.events.lines[-1]
    document = {"type": "event", "kind": kind, "timestamp": "2026-11-23T21:00:00.000000Z", "fields": fields}
    with record.open("ab") as file:
        file.write(b'{"seq":2,"v":1,"chain":"aaaa",' + orjson.dumps(document)[1:] + b"\n")
    assert (await run("list")).stdout == "nothing waits\n"
    assert "fine" in (await run("list", "--all")).stdout
    assert (await run("sign", "A", "--note", "again")).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("sign", "B", "--note", "x"), 1), (("sign", "A"), 2), (("sign", "A", "--note", ""), 1)],
    ids=["no such case", "no note", "an empty note"],
)
async def test_what_is_no_sign_off(control: Control, arguments: tuple[str, ...], code: int) -> None:
    assert (await run(*arguments)).exit_code == code
    assert not [kind for kind, _ in control.site.events.lines if kind == "glass-reviewed"]


@pytest.mark.usefixtures("control")
async def test_a_record_that_cannot_be_read(record: Path) -> None:
    await asyncio.to_thread(record.unlink)
    await asyncio.to_thread(record.mkdir)
    assert (await run("list")).exit_code == 3


@pytest.mark.usefixtures("control")
async def test_a_record_that_is_not_there_is_not_one_in_which_nothing_waits(record: Path) -> None:
    await asyncio.to_thread(record.unlink)
    listed = await run("list")
    assert (listed.exit_code, listed.stdout) == (3, "")
