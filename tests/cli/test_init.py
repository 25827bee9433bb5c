"""`leadglass init`: a folder to start from, that starts."""

import re
import ssl
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from leadglass.attributes import sources as facts
from leadglass.cli.main import app
from leadglass.config import check as checker
from leadglass.config.load import load
from leadglass.policy import sources
from support.gateway import quick_prepare


def init(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["init", *arguments])


def test_what_it_writes_is_a_configuration_without_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = init(str(tmp_path / "site"))
    assert result.exit_code == 0, result.output
    file = tmp_path / "site/leadglass.yaml"
    assert load(file).public_url == ("https://localhost:8443",)
    monkeypatch.setattr(checker, "prepare", quick_prepare)
    checked = CliRunner().invoke(app, ["config", "check", "--offline", "-c", str(file)])
    assert checked.exit_code == 0, checked.output


def test_its_tables_are_the_shipped_ones_to_edit(tmp_path: Path) -> None:
    init(str(tmp_path))
    site, shipped = sources.read(tmp_path / "policies"), sources.read(None)
    assert site.tables == shipped.tables
    assert (tmp_path / "policies/data/roles.yaml").exists()


def test_its_facts_file_is_one_and_nobody_elses_to_read(tmp_path: Path) -> None:
    init(str(tmp_path))
    file = tmp_path / "facts/patients.yaml"
    file.write_text(re.sub(r"^# (?=[a-z_]+:|  -)", "", file.read_text(), flags=re.MULTILINE))
    loaded = facts.load(file)
    assert all(getattr(loaded, kind) for kind in ("conditions", "care_team", "consent"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "tls/server.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_the_certificate_is_for_the_hosts_named(tmp_path: Path) -> None:
    assert init(str(tmp_path), "--host", "pacs.example.org", "--host", "192.0.2.1").exit_code == 0
    context = ssl.create_default_context(cafile=str(tmp_path / "tls/ca.pem"))
    assert context.cert_store_stats()["x509_ca"] == 1
    from leadglass.hazmat.servercert import server_certificate

    certificate = server_certificate((tmp_path / "tls/server.pem").read_bytes())
    assert certificate.covers("pacs.example.org")
    assert not certificate.covers("localhost")


def test_with_hosts_named_it_is_reached_by_them_and_needs_no_edit_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert init(str(tmp_path), "--host", "pacs.example.org", "--host", "2001:db8::1").exit_code == 0
    settings = load(tmp_path / "leadglass.yaml")
    assert settings.public_url == ("https://pacs.example.org:8443", "https://[2001:db8::1]:8443")
    assert str(settings.listen.https) == "0.0.0.0:8443"
    monkeypatch.setattr(checker, "prepare", quick_prepare)
    checked = CliRunner().invoke(app, ["config", "check", "--offline", "-c", str(tmp_path / "leadglass.yaml")])
    assert checked.exit_code == 0, checked.output


def test_nothing_that_exists_is_overwritten(tmp_path: Path) -> None:
    init(str(tmp_path))
    before = (tmp_path / "tls/server.key").read_bytes()
    again = init(str(tmp_path))
    assert again.exit_code == 1
    assert "exists" in again.stderr
    (tmp_path / "leadglass.yaml").unlink()
    (tmp_path / "policies/data/roles.yaml").write_text("mine\n")
    assert init(str(tmp_path)).exit_code == 0
    assert (tmp_path / "tls/server.key").read_bytes() == before
    assert (tmp_path / "policies/data/roles.yaml").read_text() == "mine\n"


def test_a_folder_that_cannot_be_written_is_code_3(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = init(str(tmp_path / "file/site"))
    assert result.exit_code == 3
    assert "leadglass: error:" in result.stderr


@pytest.mark.parametrize(
    "host",
    [
        "",
        "https://pacs.example.org",
        "pacs.example.org:8443",
        "PACS.example.org",
        "a b",
        "*.example.org",
        "ä.de",
        "fe80::1%eth0",
    ],
)
def test_what_is_no_host_name_is_a_usage_error_and_writes_nothing(tmp_path: Path, host: str) -> None:
    result = init(str(tmp_path / "site"), "--host", host)
    assert result.exit_code == 2
    assert "without https:// and port" in result.stderr
    assert not (tmp_path / "site").exists()


ORTHANC = """\
{ /* as it runs */
  "HttpPort": 8043, "RemoteAccessAllowed": true, // everybody
  "RegisteredUsers": {"leadglass": "s3cret"}, "Plugins": ["/usr/share/orthanc/plugins/"],
  "DicomWeb": {"Host": "localhost"},
}
"""


def checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setattr(checker, "prepare", quick_prepare)
    return CliRunner().invoke(app, ["config", "check", "--offline", "-c", str(folder / "leadglass.yaml")])


def test_from_an_orthanc_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "orthanc.json").write_text(ORTHANC)
    site = tmp_path / "site"
    result = init(str(site), "--from-orthanc", str(tmp_path / "orthanc.json"), "--observe", "14")
    assert result.exit_code == 0, result.output
    assert "a way round the gateway: Orthanc's RemoteAccessAllowed is true" in result.stdout
    settings = load(site / "leadglass.yaml")
    upstream = settings.upstreams["main"]
    assert upstream.url == "http://127.0.0.1:8043"
    assert upstream.auth is not None
    assert upstream.auth.basic is not None
    assert upstream.auth.basic.get_secret_value() == "leadglass:s3cret"
    assert stat.S_IMODE((site / "secrets/orthanc").stat().st_mode) == 0o600
    assert "s3cret" not in (site / "leadglass.yaml").read_text() + result.output
    assert settings.mode.observe_until is not None
    said = checked(site, monkeypatch)
    assert said.exit_code == 0, said.output
    assert "nothing is enforced" in said.stdout


def test_a_secret_that_is_there_stays_and_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "orthanc.json").write_text(ORTHANC)
    (tmp_path / "kept/secrets").mkdir(parents=True)
    (tmp_path / "kept/secrets/orthanc").write_text("mine")
    assert init(str(tmp_path / "kept"), "--from-orthanc", str(tmp_path / "orthanc.json")).exit_code == 0
    assert (tmp_path / "kept/secrets/orthanc").read_text() == "mine"
    (tmp_path / "linked/secrets").mkdir(parents=True)
    (tmp_path / "linked/secrets/orthanc").symlink_to(tmp_path / "elsewhere")
    refused = init(str(tmp_path / "linked"), "--from-orthanc", str(tmp_path / "orthanc.json"))
    assert refused.exit_code == 3
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "linked/leadglass.yaml").exists()


def test_an_orthanc_that_cannot_be_read_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "orthanc.json").write_text("{")
    refused = init(str(tmp_path / "site"), "--from-orthanc", str(tmp_path / "orthanc.json"))
    assert refused.exit_code == 3
    assert "is not JSON" in refused.stderr
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("days", ["0", "31", "soon"])
def test_days_are_between_one_and_thirty(tmp_path: Path, days: str) -> None:
    assert init(str(tmp_path / "site"), "--observe", days).exit_code == 2
