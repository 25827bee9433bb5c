"""Every planted fault is found, at its file and line, with what to do about it."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from leadglass.config import check as checker
from leadglass.config.check import Finding, check
from leadglass.hazmat.servercert import make_server_files
from leadglass.model.errors import ConfigurationError
from leadglass.policy import reload
from support import gateway
from support.clock import FakeClock
from support.gateway import fake_archive, idp_key, write_site

CLOCK = FakeClock()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A configuration without a fault; the policy's cases are left to the tests that plant a fault there."""
    made = write_site(tmp_path, "http://127.0.0.1:9", idp_key(), CLOCK.now())
    with patch.object(checker, "prepare", gateway.quick_prepare):
        yield made


async def errors(file: Path, *, offline: bool = True) -> list[Finding]:
    return [finding for finding in await check(file, CLOCK, offline=offline) if finding.level == "error"]


async def warnings(file: Path) -> list[Finding]:
    return [finding for finding in await check(file, CLOCK, offline=True) if finding.level == "warning"]


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new))


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines()


async def test_a_sound_configuration_has_no_fault(file: Path) -> None:
    found = await check(file, CLOCK, offline=True)
    assert [finding for finding in found if finding.level == "error"] == []
    assert len(found) > 5


# --- what the file itself says wrong -----------------------------------------------------------------------------------
SAID: dict[str, tuple[str, str, str, str]] = {
    # id: (text, text planted in its place, path of the finding, part of the problem)
    "unknown-key": ("time_zone:", "tyme_zone:", "tyme_zone", "not a setting"),
    "unknown-nested-key": ("jwks: keys.json", "jwks: keys.json\n      jwks_url: x", "identity.issuers.0.jwks_url", "not a"),
    "wrong-type": ("audience: leadglass", "audience: 5", "identity.issuers.0.audience", "string"),
    "no-as-bool": ("audience: leadglass", "audience: false", "identity.issuers.0.audience", "string"),
    "list-for-text": ("audit: {file: var/decisions.jsonl", "audit: {file: [x]", "audit.file", "path"),
    "secret-in-clear": ('url: "http://127.0.0.1:9"', 'url: "http://127.0.0.1:9", auth: {basic: "u:p"}', "upstreams.main.auth.basic", "never written here"),
    "secret-file-missing": ('url: "http://127.0.0.1:9"', 'url: "http://127.0.0.1:9", auth: {basic: "file:nix"}', "upstreams.main.auth.basic", "cannot read nix"),
    "secret-env-missing": ('url: "http://127.0.0.1:9"', 'url: "http://127.0.0.1:9", auth: {basic: "env:LG_NIX"}', "upstreams.main.auth.basic", "no LG_NIX"),
    "bad-kind": ("kind: generic", "kind: orthnac", "upstreams.main.kind", "orthanc"),
    "bad-time-zone": ("time_zone: UTC", "time_zone: Europe/Brelin", "time_zone", "no such time zone"),
    "bad-port": ("https: 127.0.0.1:0", "https: 127.0.0.1:99999", "listen.https", "host:port"),
    "https-without-tls": (", tls: {certificate: tls/server.pem, key: tls/server.key}", "", "listen", "needs tls"),
    "public-url-with-path": ("[https://pacs.example.org]", "[https://pacs.example.org/x]", "public_url.0", "origin"),
    "public-url-in-capitals": ("[https://pacs.example.org]", "[https://PACS.example.org]", "public_url.0", "origin"),
    "public-url-in-clear": ("[https://pacs.example.org]", "[http://pacs.example.org]", "public_url.0", "https"),
    "public-url-twice": ("[https://pacs.example.org]", "[https://a.example.org, https://a.example.org]", "public_url", "twice"),
    "port-of-another": ("metrics: {http: 127.0.0.1:0}", "metrics: {http: 127.0.0.1:99999}", "metrics.http", "host:port"),
    "no-issuers": ("identity:", "identity: {issuers: []}\nidentitty:", "identity.issuers", "at least 1"),
    "keys-as-a-secret": ("jwks: keys.json", "jwks: file:keys.json", "identity.issuers.0.jwks", "path alone"),
    "bad-rate": ("per_subject: 10000/s", "per_subject: 10000/m", "limits.per_subject", "rate"),
    "bad-size": ("anonymous_per_minute: 10000", "rotate: 256 MB", "audit.rotate", "256 MiB"),
    "zero-connections": ("kind: generic", "kind: generic, max_connections: 0", "upstreams.main.max_connections", ""),
    "store-of-another-kind": ("sqlite:var/leadglass.db", "postgresql://x", "store", "sqlite:PATH"),
    "opa-without-a-server": ("policy: {path: policies/}", "policy: {engine: opa}", "policy", "opa"),
    "unknown-engine": ("policy: {path: policies/}", "policy: {engine: rego}", "policy.engine", "wasm"),
    "no-issuer": ("audience: leadglass", "", "identity.issuers.0.audience", "missing"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "problem"), SAID.values(), ids=SAID.keys())
async def test_a_fault_in_the_file_is_named_with_its_line(
    file: Path, old: str, new: str, path: str, problem: str
) -> None:
    if old.startswith("time_zone"):
        change(file, "public_url:", "time_zone: UTC\npublic_url:")
    change(file, old, new)
    found = await errors(file)
    fault = next((finding for finding in found if finding.where.endswith(f": {path}")), None)
    assert fault is not None, found
    assert problem in fault.problem
    assert fault.fix
    at = re.fullmatch(rf"{re.escape(str(file))}:(\d+): {re.escape(path)}", fault.where)
    assert at is not None
    assert 1 <= int(at[1]) <= len(lines(file))
    if new and "\n" not in new and path:
        line = lines(file)[int(at[1]) - 1]
        assert path.rsplit(".", 1)[-1] in line or path.endswith(".0") or "audience" in path


async def test_a_fault_is_told_once_and_what_was_meant_is_guessed(file: Path) -> None:
    change(file, "jwks: keys.json", "jwks: keys.json\n      token_typ: JWT")
    (fault,) = await errors(file)
    assert fault.where.endswith("identity.issuers.0.token_typ")
    assert "token_type" in fault.fix
    change(file, "token_typ: JWT", "zzz: JWT")
    (fault,) = await errors(file)
    assert fault.fix.startswith("remove it")


async def test_every_fault_is_told_at_once(file: Path) -> None:
    change(file, "audience: leadglass", "audience: 5")
    change(file, "kind: generic", "kind: x")
    change(file, "per_subject: 10000/s", "per_subject: x")
    paths = {finding.where.rpartition(": ")[2] for finding in await errors(file)}
    assert {"upstreams.main.kind", "limits.per_subject"} < paths
    assert any(path.startswith("identity.issuers.0.audience") for path in paths)


def plant_bytes(file: Path, text: bytes) -> None:
    file.write_bytes(text)


UNREADABLE = {
    "duplicate-key": (b"store: sqlite:a\nstore: sqlite:b\n", "duplicate", 2),
    "bad-yaml": (b"store: [\n", "", 2),
    "tab": (b"listen:\n\thttps: x\n", "", 2),
    "not-utf8": (b"store: \xff\n", "UTF-8", 0),
    "two-documents": (b"store: a\n---\nstore: b\n", "", 0),
    "binary": (b"store: !!binary aGVsbG8=\n", "YAML tags", 1),
    "empty": (b"", "", 0),
}


@pytest.mark.parametrize(("text", "problem", "line"), UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_a_file_that_is_not_yaml_of_ours_is_told(tmp_path: Path, text: bytes, problem: str, line: int) -> None:
    file = tmp_path / "leadglass.yaml"
    plant_bytes(file, text)
    fault = (await errors(file))[0]
    assert problem in fault.problem
    assert fault.fix
    assert fault.where.startswith(f"{file}:{line}" if line else str(file))


async def test_a_file_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await check(tmp_path / "nix.yaml", CLOCK, offline=True)
    assert "leadglass init" in caught.value.hint


# --- what the file points at ---------------------------------------------------------------------------------------------
def setting(old: str, new: str) -> Callable[[Path], None]:
    return lambda folder: change(folder / "leadglass.yaml", old, new)


def removed(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def written(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: plant_bytes(folder / name, text.encode())


def unreadable_key(folder: Path) -> None:
    (folder / "tls/server.key").chmod(0o644)


def other_key(folder: Path) -> None:
    other = make_server_files(folder / "other", ("a.example.org",), CLOCK.now())
    (folder / "tls/server.key").write_bytes(other.key.read_bytes())


def expired(folder: Path) -> None:
    make_server_files(folder / "tls", (gateway.HOST,), CLOCK.now() - 398 * 86_400)


def other_host(folder: Path) -> None:
    make_server_files(folder / "tls", ("other.example.org",), CLOCK.now())


def table_schema(folder: Path) -> None:
    (folder / "policies/data/posture.yaml").write_text(
        "max_age_seconds: NO\nrequired: []\nroles: {}\nremediation: {}\n"
    )


def table_unknown(folder: Path) -> None:
    (folder / "policies/data/postur.yaml").write_text("x: 1\n")


def table_names_no_transaction(folder: Path) -> None:
    table = (Path(__file__).parents[2] / "policies/data/roles.yaml").read_text()
    (folder / "policies/data/roles.yaml").write_text(table.replace("- wado-rs.frames\n", "- wado-rs.framse\n", 1))


def table_names_no_family(folder: Path) -> None:
    table = (Path(__file__).parents[2] / "policies/data/roles.yaml").read_text()
    (folder / "policies/data/roles.yaml").write_text(table.replace('"wado-uri.*"]', '"wado-uro.*"]', 1))


def secret_of_all(folder: Path) -> None:
    (folder / "pacs").write_text("user:password")
    (folder / "pacs").chmod(0o644)
    change(
        folder / "leadglass.yaml", 'url: "http://127.0.0.1:9"', 'url: "http://127.0.0.1:9", auth: {basic: "file:pacs"}'
    )


def record_is_a_folder(folder: Path) -> None:
    (folder / "var/decisions.jsonl").mkdir()


def rule_not_compiled(folder: Path) -> None:
    rule = folder / "policies/leadglass/rules/study/mine/mine.rego"
    rule.parent.mkdir(parents=True)
    rule.write_text('package leadglass.rules.study.mine\n\ngrant contains {"code": "mine"} if { true }\n')


def bad_cidr(folder: Path) -> None:
    table = (Path(__file__).parents[2] / "policies/data/networks.yaml").read_text()
    (folder / "policies/data/networks.yaml").write_text(table.replace("10.0.0.0/8", "10.0.0.0/33"))


def a_file_in_the_way(folder: Path) -> None:
    (folder / "blocked").write_text("")
    change(folder / "leadglass.yaml", "sqlite:var/leadglass.db", "sqlite:blocked/leadglass.db")


POINTED: dict[str, tuple[Callable[[Path], None], str, str]] = {
    # id: (fault, path of the finding, part of the problem)
    "key-readable-by-others": (unreadable_key, "listen.tls.key", "others may read"),
    "key-missing": (removed("tls/server.key"), "listen.tls", ""),
    "certificate-missing": (removed("tls/server.pem"), "listen.tls", ""),
    "key-of-another": (other_key, "listen.tls", ""),
    "expired": (expired, "listen.tls.certificate", "expired"),
    "other-host": (other_host, "public_url.0", "not for pacs.example.org"),
    "not-a-certificate": (written("tls/server.pem", "hello"), "listen.tls", ""),
    "table-breaks-its-schema": (table_schema, "policy", "posture.yaml:1"),
    "table-with-a-key-twice": (written("policies/data/posture.yaml", "max_age_seconds: 1\nmax_age_seconds: 2\n"), "policy", "posture.yaml:2"),
    "table-nobody-reads": (table_unknown, "policy", "postur"),
    "rule-not-compiled": (rule_not_compiled, "policy", ""),
    "role-with-no-transaction": (table_names_no_transaction, "policy", "'wado-rs.framse'"),
    "role-with-no-family": (table_names_no_family, "policy", "roles.yaml:12: transactions.2"),
    "secret-readable-by-others": (secret_of_all, "upstreams.main.auth.basic", "others may read"),
    "keys-missing": (removed("keys.json"), "identity.issuers.0", "keys.json"),
    "keys-of-another-form": (written("keys.json", "[]"), "identity.issuers.0", "no keys"),
    "record-that-is-a-folder": (record_is_a_folder, "audit.file", "is a folder"),
    "store-that-is-the-record": (setting("sqlite:var/leadglass.db", "sqlite:var/decisions.jsonl"), "store", "same file as audit.file"),
    "socket-too-long": (setting("unix: var/admin.sock", f"unix: var/{'a' * 120}.sock"), "admin.unix", "too long"),
    "one-port-twice": (setting("https: 127.0.0.1:0, http: 127.0.0.1:0", "https: 0.0.0.0:8443, http: 127.0.0.1:8443"), "listen.http", "127.0.0.1:8443 is taken by listen.https"),
    "bad-cidr": (bad_cidr, "policy", "10.0.0.0/33"),
    "facts-break-their-schema": (written("facts/conditions.yaml", "conditions:\n  - {patient: P002, codes: C71}\n"), "attributes.files.0", "conditions.yaml:2"),
    "facts-missing": (removed("facts/conditions.yaml"), "attributes.files.0", ""),
    "unknown-transaction": (setting("kind: generic", "kind: generic, enable: [delete.everything]"), "upstreams.main.enable", "delete.everything"),
    "ca-missing": (setting('url: "http://127.0.0.1:9"', 'url: "https://pacs.internal", ca: tls/nix.pem'), "upstreams.main.ca", "nix.pem"),
    "folder-that-is-a-file": (a_file_in_the_way, "store", ""),
}  # fmt: skip


@pytest.mark.parametrize(("plant", "path", "problem"), POINTED.values(), ids=POINTED.keys())
async def test_a_fault_in_what_the_file_points_at_is_found(
    file: Path, plant: Callable[[Path], None], path: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path == "policy":
        monkeypatch.setattr(checker, "prepare", reload.prepare)
    plant(file.parent)
    found = await errors(file)
    hits = [finding for finding in found if finding.where.endswith(f": {path}") and problem in finding.problem]
    assert hits, found
    assert hits[0].fix
    line = re.search(r":(\d+): ", hits[0].where)
    assert line is not None
    assert path.split(".", maxsplit=1)[0] in lines(file)[int(line[1]) - 1] or "." in path


async def test_several_faulty_tables_and_facts_are_told_at_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "prepare", reload.prepare)
    table_schema(file.parent)
    table_unknown(file.parent)
    (file.parent / "facts/conditions.yaml").write_text("conditions:\n  - {patient: P2, codes: C71}\ncare_teem: []\n")
    told = [finding.problem for finding in await errors(file)]
    assert len(told) == 4
    for part in (
        "posture.yaml:1",
        "postur.yaml",
        "conditions.yaml:2: conditions.0.codes",
        "conditions.yaml:3: care_teem",
    ):
        assert any(part in problem for problem in told), (part, told)


async def test_a_disk_that_has_no_size_is_no_fault_of_ours(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(used=0, total=0))
    assert await errors(file) == []


async def test_a_ca_that_is_not_used_is_a_warning(file: Path) -> None:
    change(file, 'url: "http://127.0.0.1:9"', 'url: "http://127.0.0.1:9", ca: tls/ca.pem')
    (warning,) = await warnings(file)
    assert warning.where.endswith(": upstreams.main.ca")


async def test_a_certificate_that_ends_soon_is_a_warning(file: Path) -> None:
    make_server_files(file.parent / "tls", (gateway.HOST,), CLOCK.now() - 390 * 86_400)
    assert any("ends in" in finding.problem for finding in await warnings(file))


async def test_facts_that_others_may_read_are_a_warning(file: Path) -> None:
    (file.parent / "facts/conditions.yaml").chmod(0o644)
    (warning,) = await warnings(file)
    assert "patients" in warning.problem
    assert warning.fix.startswith("chmod 600")


async def test_a_gateway_without_tls_is_a_warning(file: Path) -> None:
    change(
        file,
        "https: 127.0.0.1:0, http: 127.0.0.1:0, tls: {certificate: tls/server.pem, key: tls/server.key}",
        "http: 127.0.0.1:0",
    )
    assert any("no TLS" in finding.problem for finding in await warnings(file))


# --- what is asked of others -----------------------------------------------------------------------------------------------
async def test_an_archive_and_an_issuer_that_answer_are_no_fault(file: Path) -> None:
    async with fake_archive() as archive:
        change(file, "http://127.0.0.1:9", archive.url)
        assert await errors(file, offline=False) == []


async def test_an_archive_that_does_not_answer_is_found(file: Path) -> None:
    (fault,) = await errors(file, offline=False)
    assert fault.where.endswith(": upstreams.main")
    assert "127.0.0.1:9" in fault.problem


async def test_an_issuer_that_does_not_answer_is_found(file: Path) -> None:
    change(file, "jwks: keys.json", "jwks: http://127.0.0.1:9/keys")
    found = await errors(file, offline=False)
    assert any(finding.where.endswith(": identity.issuers.0") and finding.fix for finding in found), found


async def test_links_that_lead_past_the_gateway_are_found(file: Path) -> None:
    async with fake_archive() as archive:
        change(file, "http://127.0.0.1:9", archive.url)
        link = {"vr": "UR", "Value": ["http://orthanc:8042/dicom-web/studies/1.2.3"]}
        archive.answer("/dicom-web/studies", [{"00081190": link}])
        (fault,) = await errors(file, offline=False)
        assert "http://orthanc:8042" in fault.problem


async def test_an_archive_that_refuses_our_credentials_is_found(file: Path) -> None:
    async with fake_archive() as archive:
        change(file, "http://127.0.0.1:9", archive.url)
        archive.answer("/dicom-web/studies", b"", status=401)
        (fault,) = await errors(file, offline=False)
        assert "credentials" in fault.problem
        assert "auth" in fault.fix


async def test_members_of_care_teams_that_are_nobody_are_told(file: Path) -> None:
    facts = file.parent / "facts/conditions.yaml"
    facts.write_text("care_team:\n  - {patient: P1, members: [dr.a, {issuer: 'https://idp.example.org', id: dr.b}]}\n")
    assert not any("care teams" in found.problem for found in await warnings(file))
    change(file, "  issuers:\n", "  issuers:\n    - {issuer: 'https://b.example.org', audience: x, jwks: keys.json}\n")
    (found,) = [found for found in await warnings(file) if "care teams" in found.problem]
    assert found.problem.startswith("1 members of care teams are nobody")
    assert "attributes.files" in found.where


async def test_the_keys_of_transmitters_are_asked_for(file: Path) -> None:
    events = "jwks: keys.json\n      events: [{transmitter: 'https://t.example', audience: a, jwks: signals.json}]"
    change(file, "jwks: keys.json", events)
    path = "identity.issuers.0.events.0"
    (fault,) = [one for one in await errors(file, offline=False) if path in one.where]
    assert "no keys of the transmitter https://t.example" in fault.problem
    (file.parent / "signals.json").write_text((file.parent / "keys.json").read_text())
    found = [one for one in await check(file, CLOCK, offline=False) if path in one.where]
    assert [one.level for one in found] == ["ok"]


async def test_an_opa_server_that_does_not_answer_is_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "prepare", reload.prepare)
    change(file, "policy: {path: policies/}", "policy: {path: policies/, engine: opa, opa: {socket: opa.sock}}")
    assert await errors(file) == []
    hits = [finding for finding in await errors(file, offline=False) if finding.where.endswith(": policy.opa.socket")]
    assert [("opa.sock" in hit.problem, "policy build --bundle" in hit.fix) for hit in hits] == [(True, True)]
