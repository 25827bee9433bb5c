"""`leadglass keys`: out under a passphrase, and back where they were."""

import asyncio
import stat
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from leadglass.audit.chain import beside
from leadglass.cli import keys as module
from leadglass.hazmat import backup
from support.gateway import idp_key, running, write_site

PASSPHRASE = "correct horse battery"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(backup, "_COST", {"n": 2, "r": 8, "p": 1})
    write_site(tmp_path, "http://127.0.0.1:9", idp_key(), 1_800_000_000)
    (tmp_path / "var/device-ca").mkdir()
    for name in ("device-ca/ca.key", "device-ca/ca.pem"):
        (tmp_path / "var" / name).write_text(f"this is {name}")
    for kind in ("key", "pub"):
        beside(tmp_path / "var/decisions.jsonl", kind).write_text(f"this is {kind}")
    (tmp_path / "pass").write_text(f"{PASSPHRASE}\nsecond line\n")
    return tmp_path


def keys(site: Path, verb: str, name: str, file: str = "pass") -> Result:
    named = ["-c", str(site / "leadglass.yaml"), "--passphrase-file", str(site / file)]
    return CliRunner().invoke(module.app, [verb, str(site / name), *named])


def export(site: Path) -> Result:
    return keys(site, "export", "out.json")


def test_what_is_exported_comes_back(site: Path) -> None:
    assert export(site).exit_code == 0
    out = site / "out.json"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "this is" not in out.read_text()
    files = [
        *(site / "var/device-ca").iterdir(),
        *(beside(site / "var/decisions.jsonl", kind) for kind in ("key", "pub")),
    ]
    held = {file: file.read_bytes() for file in files}
    for file in files:
        file.unlink()
    result = keys(site, "import", out.name)
    assert result.exit_code == 0, result.output
    assert {file: file.read_bytes() for file in files} == held
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


def test_an_export_never_overwrites(site: Path) -> None:
    (site / "out.json").write_text("precious")
    assert export(site).exit_code == 1
    assert (site / "out.json").read_text() == "precious"


def test_an_import_never_overwrites(site: Path) -> None:
    export(site)
    (site / "var/device-ca/ca.key").unlink()
    result = keys(site, "import", "out.json")
    assert result.exit_code == 1
    assert "nothing was written" in result.stderr
    assert not (site / "var/device-ca/ca.key").exists()


def test_an_import_writes_keys_and_nothing_else(site: Path) -> None:
    other = site / "cron.d/job"
    (site / "out.json").write_bytes(orjson.dumps(backup.seal({str(other): b"* * * * * root evil"}, PASSPHRASE)))
    result = keys(site, "import", "out.json")
    assert result.exit_code == 1
    assert "is no place of a key" in result.stderr
    assert not other.parent.exists()


def test_a_wrong_passphrase_is_a_no(site: Path) -> None:
    export(site)
    (site / "wrong").write_text("incorrect horse battery\n")
    assert keys(site, "import", "out.json", file="wrong").exit_code == 1


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"salt": 1}', '{"salt": "!", "nonce": "", "box": "", "format": ""}']
)
def test_a_file_that_is_no_export_is_a_no(site: Path, text: str) -> None:
    (site / "out.json").write_text(text)
    result = keys(site, "import", "out.json")
    assert result.exit_code == 1
    assert "leadglass: error: cannot open" in result.stderr


def test_before_the_first_start_there_is_nothing_to_export(site: Path) -> None:
    for file in (
        *(site / "var/device-ca").iterdir(),
        *(beside(site / "var/decisions.jsonl", k) for k in ("key", "pub")),
    ):
        file.unlink()
    result = export(site)
    assert result.exit_code == 1
    assert "start the gateway" in result.stderr


def test_a_short_passphrase_is_refused(site: Path) -> None:
    (site / "short").write_text("short\n")
    result = keys(site, "export", "o", file="short")
    assert result.exit_code == 1
    assert "at least 12" in result.stderr
    assert not (site / "o").exists()


def test_without_a_terminal_the_passphrase_comes_from_a_file(site: Path) -> None:
    result = CliRunner().invoke(module.app, ["export", str(site / "out.json"), "-c", str(site / "leadglass.yaml")])
    assert result.exit_code == 2
    assert "--passphrase-file" in result.stderr


def test_a_file_to_import_that_is_not_there_is_code_3(site: Path) -> None:
    result = keys(site, "import", "nix.json")
    assert result.exit_code == 3
    assert "No such file" in result.stderr


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("record", "heads are signed by"),
        ("device-ca", "issued by a new CA"),
        ("session", "sealed anew"),
        ("assertion", "is published from now on"),
    ],
)
async def test_a_key_of_the_running_gateway_rotates(tmp_path: Path, kind: str, words: str) -> None:
    async with running(tmp_path, upstream_more="auth: {assertion: true}") as run:
        config = str(tmp_path / "leadglass.yaml")
        result = await asyncio.to_thread(CliRunner().invoke, module.app, ["rotate", kind, "-c", config])
        assert result.exit_code == 0, result.output
        assert words in result.output
        assert "make a backup now" in result.output
        kinds = [line["kind"] for line in run.record("event")]
        assert f"{kind}-rotated" in kinds or f"{kind}-key-rotated" in kinds
        assert await run.alive()


def test_without_a_gateway_nothing_rotates(site: Path) -> None:
    result = CliRunner().invoke(module.app, ["rotate", "session", "--json", "-c", str(site / "leadglass.yaml")])
    assert result.exit_code == 3
    assert "no gateway answers" in result.stderr


async def test_a_key_that_nothing_uses_is_not_rotated(tmp_path: Path) -> None:
    async with running(tmp_path):
        words = ["rotate", "assertion", "-c", str(tmp_path / "leadglass.yaml")]
        result = await asyncio.to_thread(CliRunner().invoke, module.app, words)
        assert result.exit_code == 1
        assert "no archive is told by assertions" in result.stderr
        assert "set upstreams.*.auth.assertion" in result.stderr
