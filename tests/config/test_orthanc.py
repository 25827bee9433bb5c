"""What an Orthanc's configuration tells: how the gateway reaches it, what leads round the gateway, and no password."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from leadglass.config import orthanc
from leadglass.config.orthanc import learn, read
from leadglass.limits import ORTHANC_CONFIG_BYTES
from leadglass.model.errors import ConfigurationError
from support.orthancsettings import QUIET


def said(values: dict[str, Any], *levels: str) -> set[str]:
    return {one.setting for one in learn(values).remarks if not levels or one.level in levels}


def test_a_tidy_one() -> None:
    found = learn(QUIET)
    assert (found.url, found.dicomweb, found.wado_uri, found.base) == (
        "http://127.0.0.1:8042",
        "/dicom-web",
        "/wado",
        None,
    )
    assert (found.secret, found.max_connections) == ("leadglass:s3cret", 24)
    assert said(QUIET) == {"RemoteAccessAllowed"}
    assert said(QUIET, "round", "change") == set()


def test_nothing_at_all_is_orthanc_as_it_comes() -> None:
    found = learn({})
    assert found.secret is None
    assert not found.signs_in
    assert said({}, "round") == {"AuthenticationEnabled"}
    assert said({}, "change") == {"Plugins"}


TOLD: dict[str, tuple[dict[str, Any], str, str]] = {
    "open to the network": ({"RemoteAccessAllowed": True}, "round", "RemoteAccessAllowed"),
    "nobody signs in": ({"AuthenticationEnabled": False}, "round", "AuthenticationEnabled"),
    "the account that everybody knows": ({"RegisteredUsers": {}}, "round", "RegisteredUsers"),
    "many accounts": ({"RegisteredUsers": {"alice": "a", "gateway": "b"}}, "round", "RegisteredUsers"),
    "an account of somebody else": ({"RegisteredUsers": {"alice": "a"}}, "round", "RegisteredUsers"),
    "DIMSE finds": ({"DicomServerEnabled": True, "DicomAlwaysAllowFind": True}, "round", "DicomAlwaysAllowFind"),
    "DIMSE peers": (
        {"DicomServerEnabled": True, "DicomModalities": {"ct": ["CT", "h", 104]}},
        "round",
        "DicomModalities",
    ),
    "peers by name": ({"DicomServerEnabled": True, "DicomModalities": {"ct": []}}, "round", "DicomCheckModalityHost"),
    "other servers": ({"DicomWeb": {"Servers": {"x": ["http://x", "u", "p"]}}}, "round", "DicomWeb.Servers"),
    "other Orthancs": ({"OrthancPeers": {"x": ["http://x"]}}, "round", "OrthancPeers"),
    "no HTTP": ({"HttpServerEnabled": False}, "change", "HttpServerEnabled"),
    "no plugin": ({"Plugins": ["/x/libOther.so"]}, "change", "Plugins"),
    "DICOMweb is off": ({"DicomWeb": {"Enable": False}}, "change", "DicomWeb.Enable"),
    "a certificate": ({"SslEnabled": True}, "change", "SslEnabled"),
    "a client certificate": ({"SslEnabled": True, "SslVerifyPeers": True}, "change", "SslVerifyPeers"),
    "another judge": ({"Authorization": {"WebService": "http://x"}}, "change", "Authorization"),
    "a host that is none": ({"DicomWeb": {"Host": "a b\n# x"}}, "change", "DicomWeb.Host"),
    "a port of the environment": ({"HttpPort": "${PORT}"}, "change", "HttpPort"),
    "a password of the environment": ({"RegisteredUsers": {"leadglass": "${PASSWORD}"}}, "change", "RegisteredUsers"),
    "a password of two lines": ({"RegisteredUsers": {"leadglass": "a\nb"}}, "change", "RegisteredUsers"),
    "a password that ends with a blank": ({"RegisteredUsers": {"leadglass": "a "}}, "change", "RegisteredUsers"),
    "a name with a colon": ({"RegisteredUsers": {"a:b": "c"}}, "change", "RegisteredUsers"),
    "a password that is none": ({"RegisteredUsers": {"leadglass": 5}}, "change", "RegisteredUsers"),
    "links with a host": ({"DicomWeb": {"Host": "pacs:8042"}}, "note", "DicomWeb.Host"),
    "no WADO-URI": ({"DicomWeb": {"EnableWado": False}}, "note", "DicomWeb.EnableWado"),
    "DIMSE in plain text": ({"DicomServerEnabled": True}, "note", "DicomTlsEnabled"),
    "instances are replaced": ({"OverwriteInstances": True}, "note", "OverwriteInstances"),
    "errors that tell": ({"HttpDescribeErrors": True}, "note", "HttpDescribeErrors"),
    "connections end": ({"KeepAlive": False}, "note", "KeepAlive"),
    "WebDAV": ({"WebDavEnabled": True}, "note", "WebDavEnabled"),
}


@pytest.mark.parametrize(("change", "level", "setting"), TOLD.values(), ids=TOLD.keys())
def test_what_is_told(change: dict[str, Any], level: str, setting: str) -> None:
    assert setting not in said(QUIET, level)
    assert setting in said({**QUIET, **change}, level)


@pytest.mark.parametrize(
    "users",
    [{"leadglass": "s3cret"}, {"alice": "s3cret"}, {"alice": "x", "gateway": "s3cret"}, {"leadglass": "s3cret "}],
)
def test_no_remark_holds_a_password(users: dict[str, str]) -> None:
    assert "s3cret" not in str(learn({**QUIET, "RegisteredUsers": users}).remarks)


def test_no_remark_breaks_a_line() -> None:
    evil = "x\n# \x1b[2J\u2028auth: {basic: file:/etc/passwd}"
    values = {**QUIET, "RegisteredUsers": {evil: "p", "b": "q"}, "DicomWeb": {"Host": evil}}
    assert all(f"{one.found}{one.do}".isprintable() for one in learn(values).remarks)


CHOSEN: dict[str, tuple[dict[str, Any], str, object]] = {
    "port": ({"HttpPort": 8043}, "url", "http://127.0.0.1:8043"),
    "TLS": ({"SslEnabled": True}, "url", "https://127.0.0.1:8042"),
    "threads": ({"HttpThreadsCount": 20}, "max_connections", 10),
    "one thread": ({"HttpThreadsCount": 1}, "max_connections", 4),
    "root": ({"DicomWeb": {"Root": "/x/dicom/"}}, "dicomweb", "/x/dicom"),
    "wado": ({"DicomWeb": {"WadoRoot": "w"}}, "wado_uri", "/w"),
    "no wado": ({"DicomWeb": {"EnableWado": False}}, "wado_uri", None),
    "host": ({"DicomWeb": {"Host": "PACS:8042"}}, "base", "http://pacs:8042"),
    "host over TLS": ({"DicomWeb": {"Host": "pacs", "Ssl": True}}, "base", "https://pacs"),
    "no host": ({"DicomWeb": {"Host": "", "Ssl": True}}, "base", None),
    "gateway's account": ({"RegisteredUsers": {"alice": "a", "Gateway": "b"}}, "secret", "Gateway:b"),
    "remote access means accounts": ({"RemoteAccessAllowed": True, "AuthenticationEnabled": None}, "signs_in", True),
    "a default of the environment": ({"HttpPort": "${PORT}"}, "url", "http://127.0.0.1:8042"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "name", "value"), CHOSEN.values(), ids=CHOSEN.keys())
def test_what_is_chosen(change: dict[str, Any], name: str, value: object) -> None:
    assert getattr(learn({**QUIET, **change}), name) == value


UNUSABLE: dict[str, tuple[dict[str, Any], str]] = {
    "a port that is a text": ({"HttpPort": "8042"}, "HttpPort is not a number"),
    "a port that is true": ({"HttpPort": True}, "HttpPort is not a number"),
    "no port": ({"HttpPort": 0}, "is no port"),
    "a flag that is a text": ({"RemoteAccessAllowed": "no"}, "is not true or false"),
    "a section that is a list": ({"DicomWeb": []}, "DicomWeb is no object"),
    "users that are a list": ({"RegisteredUsers": ["alice"]}, "is not an object"),
    "root of everything": ({"DicomWeb": {"Root": "/"}}, "is no path that the gateway can serve"),
    "a path with dots": ({"DicomWeb": {"Root": "/a/../b"}}, "is no path"),
    "a path with a blank": ({"DicomWeb": {"WadoRoot": "/a b"}}, "is no path"),
    "one path for both": ({"DicomWeb": {"Root": "/wado/"}}, "are the same path"),
}


@pytest.mark.parametrize(("change", "words"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_what_cannot_be_used_is_said(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as told:
        learn({**QUIET, **change})
    assert told.value.hint


# --- files -------------------------------------------------------------------------------------------------------------
def test_a_folder_is_joined_as_orthanc_joins_it(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"HttpPort": 1 /* x */}')
    (tmp_path / "b.JSON").write_text('{"Name": "x",}')
    (tmp_path / "c.conf").write_text("not read")
    (tmp_path / "below.json").mkdir()
    (tmp_path / "below.json/d.json").write_text("not read")
    (tmp_path / "e.json").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text('{"DicomPort": 2}')
    assert read([tmp_path]) == {"HttpPort": 1, "Name": "x", "DicomPort": 2}
    (tmp_path / "f.json").write_text('{"Name": "y"}')
    with pytest.raises(ConfigurationError, match=r'f.json: "Name" stands in .*b.JSON too'):
        read([tmp_path])


def _fifo(file: Path) -> None:
    os.mkfifo(file)


BAD: dict[str, tuple[Any, str]] = {
    "not there": (lambda _: None, "cannot read .*No such file"),
    "a pipe": (_fifo, "is no file"),
    "a link into nothing": (lambda file: file.symlink_to("/nonexistent"), "cannot read"),
    "a link to itself": (lambda file: file.symlink_to(file), "cannot read"),
    "huge": (lambda file: file.write_bytes(b" " * (ORTHANC_CONFIG_BYTES + 1)), "is larger than"),
    "not JSON": (lambda file: file.write_text("HttpPort = 8042"), r"is not JSON: .*line 1"),
    "a list": (lambda file: file.write_text("[]"), "holds no object"),
    "twins": (lambda file: file.write_text('{"a": 1, "a": 2}'), '"a" stands twice'),
    "an empty folder": (lambda file: file.mkdir(), "holds no file that ends with .json"),
}


@pytest.mark.parametrize(("make", "words"), BAD.values(), ids=BAD.keys())
def test_a_file_that_cannot_be_used_is_said(tmp_path: Path, make: Any, words: str) -> None:  # noqa: ANN401 - several
    file = tmp_path / "orthanc.json"
    make(file)
    with pytest.raises(ConfigurationError, match=words):
        read([file])


def test_a_file_of_others_is_said_with_who_may_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(ConfigurationError, match="Permission denied") as told:
        read([tmp_path / "credentials.json"])
    assert "Orthanc's user" in told.value.hint


def test_files_are_bounded_in_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orthanc, "ORTHANC_CONFIG_FILES", 2)
    for name in "abc":
        (tmp_path / f"{name}.json").write_text(json.dumps({name: 1}))
    with pytest.raises(ConfigurationError, match="holds more than 2"):
        read([tmp_path])
