"""What docs/deploying.md tells people to write is what the gateway reads, and where its unit lets it write."""

import re
from pathlib import Path
from textwrap import dedent

from ruamel.yaml import YAML

from leadglass import limits
from leadglass.config.load import parse
from leadglass.config.settings import Settings
from leadglass_agent import __version__
from support.docs import ROOT, page
from support.examples import EXAMPLES, FOLDER

STATE = Path("/var/lib/leadglass")


def blocks(first_line: str) -> list[str]:
    """Return the fenced YAML blocks that begin with this line, those within lists too."""
    found = re.findall(r"^ *```yaml\n(.*?)^ *```$", page("docs/deploying.md"), re.MULTILINE | re.DOTALL)
    return [text for text in map(dedent, found) if text.startswith(first_line)]


def test_the_configuration_shown_is_one(tmp_path: Path) -> None:
    (text,) = blocks("# leadglass.yaml\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/pacs").write_text("gateway:secret")
    file = tmp_path / "leadglass.yaml"
    file.write_text(text)
    settings = parse(file)
    assert isinstance(settings, Settings), list(map(str, settings))
    assert {settings.audit.file.parent, settings.store.parent, settings.admin.unix.parent} == {STATE}
    unit = (ROOT / "proxy/systemd/leadglass.service").read_text()
    assert f"StateDirectory={STATE.name}\n" in unit
    assert "ProtectSystem=strict\n" in unit


def test_the_proxies_shown_are_settings(tmp_path: Path) -> None:
    (whole,), (proxies,) = blocks("# leadglass.yaml\n"), blocks("# trusted_proxies of leadglass.yaml\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/pacs").write_text("gateway:secret")
    file = tmp_path / "leadglass.yaml"
    file.write_text(whole + proxies)
    settings = parse(file)
    assert isinstance(settings, Settings), list(map(str, settings))
    assert [proxy.speaks for proxy in settings.trusted_proxies] == ["proxy-v2", "x-forwarded-for"]


def test_every_example_of_a_proxy_is_told_and_run() -> None:
    told = set(re.findall(r"\]\(([A-Za-z0-9.-]+)\)", (FOLDER / "README.md").read_text()))
    assert told == {file.name for file in FOLDER.iterdir()} - {"README.md"}
    assert told - {"proxyv2.js"} == {example.file for example in EXAMPLES}


def test_the_compose_file_keeps_the_archive_behind_the_gateway() -> None:
    compose = YAML(typ="safe").load((ROOT / "docs/examples/compose/compose.yaml").read_text())
    gateway, archive = compose["services"]["gateway"], compose["services"]["orthanc"]
    assert not {"ports", "network_mode", "expose"} & archive.keys()
    (inner,) = archive["networks"]
    assert compose["networks"][inner] == {"internal": True}
    assert inner in gateway["networks"]
    assert (gateway["read_only"], gateway["cap_drop"]) == (True, ["ALL"])
    assert gateway["security_opt"] == ["no-new-privileges:true"]
    assert int(gateway["stop_grace_period"].removesuffix("s")) > limits.DRAIN_SECONDS
    assert gateway["image"] == f"leadglass:{__version__}"
    volumes = dict(line.split(":")[:2] for line in gateway["volumes"])
    assert volumes == {"./config": "/etc/leadglass", "record": str(STATE)}
    assert "latest" not in archive["image"]
