import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from leadglass.audit.chain import beside
from leadglass.cli import audit as verbs
from leadglass.model.errors import ConfigurationError, refuse
from leadglass.model.facts import Action, Resource
from leadglass.model.reasons import Code
from support import record
from support.clock import FakeClock
from support.observed import ObservedSite


def run(*arguments: str) -> Result:
    return CliRunner().invoke(verbs.app, list(arguments))


@pytest.fixture
async def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A record of one read with two more under its lease, one list, one refusal; its heads in `heads`."""
    heads: list[bytes] = []
    clock = FakeClock()
    audit = record.audit(tmp_path, clock, heads)
    first = audit.scope(record.incoming())
    async with first:
        await first.decided(record.question(), record.allow(first.decision_id))
        first.finished(200, 1)
    for _ in range(2):
        scope = audit.scope(record.incoming())
        async with scope:
            await scope.decided(record.question(), record.allow("x", leased_from=first.decision_id))
            scope.finished(200, 1)
    scope = audit.scope(record.incoming())
    async with scope:
        asked = record.question(action=Action("search", "qido-rs.studies"), resource=Resource("study"), studies=())
        await scope.decided(asked, record.allow(scope.decision_id))
        scope.disclose({"1.1": "P001", "1.2": "P\x1b[2J"})
        scope.finished(200, 1)
    scope = audit.scope(record.incoming(b"/\x1b[2J"))
    async with scope:
        await scope.refused(refuse(Code.ROUTE_UNKNOWN))
    await audit.close()
    (tmp_path / "heads").write_bytes(b"other words\n" + b"".join(heads))
    monkeypatch.setattr(verbs, "load", lambda _: SimpleNamespace(audit=record.settings(tmp_path)))
    return tmp_path / "decisions.jsonl"


def test_a_whole_record_is_told_in_a_sentence(file: Path) -> None:
    result = run("verify", "--head", str(file.with_name("heads")))
    assert result.exit_code == 0
    assert result.stdout.startswith("The record is whole: 10 lines in 1 files")
    assert "all 1 heads given fit" in result.stdout


def test_a_whole_record_as_json(file: Path) -> None:
    document = json.loads(run("verify", "--json").stdout)
    assert (document["whole"], document["lines"], document["heads"]) == (True, 10, 1)


def test_a_flipped_byte_is_named_and_ends_with_1(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[data.index(b"P001")] ^= 1
    file.write_bytes(data)
    result = run("verify")
    assert result.exit_code == 1
    assert f"leadglass: error: the record is not whole: {file}:2: its hash does not fit" in result.stderr
    assert "leadglass: hint:" in result.stderr
    result = run("verify", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["line"] == 2


def test_a_tail_cut_off_is_named_with_the_head_that_knows_it(file: Path) -> None:
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:5]))
    assert run("verify").exit_code == 0
    result = run("verify", "--head", str(file.with_name("heads")))
    assert result.exit_code == 1
    assert "the tail has been cut off" in result.stderr


@pytest.mark.parametrize("what", ["no head", "no key", "bad key", "empty key", "no record", "no config"])
def test_what_could_not_be_read_ends_with_3(file: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    arguments = ["verify"]
    public = beside(file, "pub")
    if what == "no head":
        file.with_name("heads").write_text("nothing of ours\n")
        arguments += ["--head", str(file.with_name("heads"))]
    elif what == "no key":
        public.unlink()
    elif what == "bad key":
        public.write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    elif what == "empty key":
        public.write_text("")
    elif what == "no record":
        file.unlink()
    else:

        def missing(_: Path) -> None:
            raise ConfigurationError("cannot read leadglass.yaml", hint="leadglass init")

        monkeypatch.setattr(verbs, "load", missing)
    result = run(*arguments)
    assert result.exit_code == 3
    assert "leadglass: error:" in result.stderr
    assert "leadglass: hint:" in result.stderr


def test_a_key_kept_elsewhere_is_taken(file: Path, tmp_path: Path) -> None:
    beside(file, "pub").rename(tmp_path / "copy.pem")
    assert run("verify", "--key", str(tmp_path / "copy.pem")).exit_code == 0


def test_who_saw_a_patient(file: Path) -> None:
    result = run("search", "--patient", "P001")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert "allowed  dr.demo  dev-1  192.0.2.7 (DE)  wado-rs.frames" in lines[0]
    assert "and 1 more requests under one lease" in lines[1]
    assert "2 studies" in lines[2]
    assert lines[-1] == "4 found"
    assert "\x1b" not in result.stdout


def test_search_as_json_is_one_object_a_line(file: Path) -> None:
    hits = [json.loads(line) for line in run("search", "--patient", "P001", "--json").stdout.splitlines()]
    assert [hit["type"] for hit in hits] == ["decision", "use", "use", "completion"]


def test_nothing_found_ends_with_1(file: Path) -> None:
    result = run("search", "--subject", "nobody")
    assert (result.exit_code, result.stdout) == (1, "nothing found\n")


def test_times_are_read_as_utc(file: Path) -> None:
    assert run("search", "--since", "2027-01-15", "--until", "2027-01-15T08:00:01Z").exit_code == 0
    assert run("search", "--since", "2027-01-15T08:00:01").exit_code == 1


@pytest.mark.parametrize("arguments", [("--since", "yesterday"), ("--outcome", "maybe")])
def test_what_is_misspelt_ends_with_2(file: Path, arguments: tuple[str, str]) -> None:
    result = run("search", *arguments)
    assert result.exit_code == 2
    assert "leadglass: hint:" in result.stderr


def test_tail_tells_each_kind_of_line_in_words(file: Path) -> None:
    result = run("tail", "-n", "100")
    assert result.exit_code == 0
    for words in (
        "record-opened",
        "allowed dr.demo at 192.0.2.7 (DE) wado-rs.frames",
        "allowed wado-rs.frames",
        "ended: status 200",
        "refused somebody unknown at 192.0.2.7 /\\x1b[2J route-unknown",
        "lease of",
        "signed head of line 9",
    ):
        assert words in result.stdout
    assert "\x1b" not in result.stdout
    assert len(run("tail").stdout.splitlines()) == 10
    assert run("tail", "-n", "1", "--json").stdout.encode() == file.read_bytes().splitlines(keepends=True)[-1]


@pytest.mark.parametrize(
    "line", [b"", b"null", b"{}", b"\xff\x1b[2J", b'{"type":"decision"}', b'{"type":"use","seq":{}}']
)
def test_any_line_has_words(line: bytes) -> None:
    assert verbs.sentence(line).isprintable()


def test_a_terminal_is_never_obeyed() -> None:
    assert verbs.printable("a\x1b[2J\r\n\u202e\udc80ü") == "a\\x1b[2J\\r\\n\\u202e\\udc80ü"
    assert verbs.printable(None) == "-"


async def test_what_was_let_through_while_observing_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = ObservedSite(tmp_path)
    await site.ask(Code.NOT_GRANTED)
    await site.audit.close()
    monkeypatch.setattr(verbs, "load", lambda _: SimpleNamespace(audit=record.settings(tmp_path)))
    assert "let through while observing, else refused dr.a" in run("tail").stdout
    assert "observed" in run("search", "--outcome", "observed").stdout
    assert run("search", "--outcome", "nonsense").exit_code == 2
