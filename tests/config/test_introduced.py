"""The file that comes of it: settings that hold, remarks as comments, and nothing of others that could be read as ours."""

from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from leadglass.codec import strictyaml
from leadglass.config import introduced
from leadglass.config.orthanc import learn
from support.orthancsettings import QUIET

TEMPLATE = (resources.files("leadglass.cli") / "templates/leadglass.yaml").read_text("utf-8")


def upstream(values: dict[str, Any], file: str = "/etc/orthanc") -> tuple[str, dict[str, Any]]:
    text = introduced.upstream(TEMPLATE, learn({**QUIET, **values}), [Path(file)])
    main: dict[str, Any] = strictyaml.load("x", text.encode(), lines=False)["upstreams"]["main"]
    return text, main


def test_the_archive_as_it_was_found() -> None:
    _, main = upstream({"HttpPort": 8043, "DicomWeb": {"Root": "/dw/", "WadoRoot": "/w", "Host": "localhost"}})
    assert main == {
        "kind": "orthanc", "url": "http://127.0.0.1:8043", "dicomweb": "/dw", "mount": "/dw", "wado_uri": "/w", "wado_mount": "/w",
        "links": "rewrite", "link_bases": ["http://localhost"], "max_connections": 24, "auth": {"basic": "file:secrets/orthanc"},
    }  # fmt: skip


def test_what_is_missing_stands_there_to_be_uncommented() -> None:
    text, main = upstream({"RegisteredUsers": {}, "SslEnabled": True, "DicomWeb": {"EnableWado": False}})
    assert {"auth", "ca", "links", "wado_uri"}.isdisjoint(main)
    assert "# auth: {basic: file:secrets/orthanc}" in text
    assert "# ca: tls/pacs-ca.pem" in text


@pytest.mark.parametrize("evil", ["x\nupstreams: {}", "x\r# \u2028y: 1", '"}\n  z: 1'])
def test_texts_of_others_are_never_settings(evil: str) -> None:
    text, main = upstream({"RegisteredUsers": {evil: "p", "b": "q"}, "DicomWeb": {"Host": evil}}, evil)
    assert set(main) == {"kind", "url", "dicomweb", "mount", "wado_uri", "wado_mount", "max_connections"}
    assert text.count("\nupstreams:") == 1
    assert len(text.splitlines()) == text.count("\n"), "no line but by LF"


def test_all_else_stays_as_the_template_has_it() -> None:
    text, _ = upstream({})
    assert text.partition("# Who issues tokens.")[2] == TEMPLATE.partition("# Who issues tokens.")[2]
    assert text.startswith(TEMPLATE.partition("# The archive, unchanged.")[0])


def test_a_template_without_a_place_is_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError):
        introduced.upstream("public_url: []\n", learn(QUIET), [])
