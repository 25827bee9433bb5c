"""What the configuration of an Orthanc says to somebody who puts a gateway in front of it.

    its files -> one mapping of settings -> how the gateway reaches it, and what leads round the gateway

Nothing is changed there, and its environment is not read: what only that knows (`${NAME}`) is said, and taken as Orthanc's
default. A password leaves by `Learned.secret` alone; no remark holds one.
"""

import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from leadglass.codec import jsonc
from leadglass.codec.links.bases import parse_base
from leadglass.limits import (
    ORTHANC_CONFIG_BYTES,
    ORTHANC_CONFIG_FILES,
    UPSTREAM_CONNECTIONS,
    UPSTREAM_CONNECTIONS_MIN,
)
from leadglass.model.errors import ConfigurationError

Level: TypeAlias = Literal["round", "change", "note"]
"""A way round the gateway; what has to change before it works; what is good to know."""
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_OURS: Final = ("leadglass", "gateway")  # how an account for the gateway alone may be called
_HTTP: Final = ("WebDavEnabled", "OrthancExplorerEnabled", "ExecuteLuaEnabled")
_DEFAULTS: Final = {"WebDavEnabled": True, "OrthancExplorerEnabled": True}
_DIMSE: Final = ("DicomAlwaysAllowFind", "DicomAlwaysAllowGet", "DicomAlwaysAllowMove")


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing found: the setting in Orthanc, what it means, and what to do about it."""

    level: Level
    setting: str
    found: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Learned:
    """How the gateway reaches an Orthanc. `secret` is `user:password`; `base` is what its links begin with, where it is fixed."""

    url: str
    dicomweb: str
    wado_uri: str | None
    base: str | None
    max_connections: int
    secret: str | None
    signs_in: bool
    remarks: tuple[Remark, ...]


def read(paths: Sequence[Path]) -> dict[str, Any]:
    """Return the settings in these files and folders, as Orthanc joins them. Raises ConfigurationError."""
    values: dict[str, Any] = {}
    told: dict[str, Path] = {}
    for file in [file for path in paths for file in _files(path)]:
        for name, value in _object(file).items():
            if name in told:
                raise ConfigurationError(
                    f"{_quoted(name)} stands in {told[name]} too", where=str(file),
                    hint="Orthanc refuses that as well: name the files it is started with, each once",
                )  # fmt: skip
            values[name], told[name] = value, file
    return values


def _files(path: Path) -> list[Path]:
    """Return the files that Orthanc takes from a path: of a folder those that end with .json, and none from below."""
    if not path.is_dir():
        return [path]
    try:
        found = sorted(file for file in path.iterdir() if file.suffix.lower() == ".json" and not file.is_dir())
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}", hint="run it as root, or as Orthanc's user"
        ) from None
    if not found or len(found) > ORTHANC_CONFIG_FILES:
        problem = (
            "holds no file that ends with .json" if not found else f"holds more than {ORTHANC_CONFIG_FILES} of them"
        )
        raise ConfigurationError(
            problem, where=str(path), hint="name what Orthanc is started with (Debian: /etc/orthanc)"
        )
    return found


def _object(file: Path) -> dict[str, Any]:
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not hold it up
        with os.fdopen(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ConfigurationError("is no file", where=str(file), hint="name a file or a folder of files")
            data = stream.read(ORTHANC_CONFIG_BYTES + 1)
    except OSError as error:
        hint = (
            "run it as root or as Orthanc's user: the file may hold passwords"
            if isinstance(error, PermissionError)
            else ""
        )
        raise ConfigurationError(f"cannot read {file}: {error.strerror}", hint=hint) from None
    if len(data) > ORTHANC_CONFIG_BYTES:
        raise ConfigurationError(
            f"is larger than {ORTHANC_CONFIG_BYTES} bytes", where=str(file), hint="is this the right file?"
        )
    try:
        value = jsonc.loads(data)
    except ValueError as error:
        raise ConfigurationError(
            str(error), where=str(file), hint="Orthanc's configuration is JSON with comments"
        ) from None
    if not isinstance(value, dict):
        raise ConfigurationError("holds no object", where=str(file), hint="Orthanc's configuration begins with {")
    return value


def _quoted(text: str) -> str:
    """Return a text of a file as it may stand in a comment and on a terminal: in quotes, on one line, bounded."""
    return json.dumps(text[:80])


class _Settings:
    """Typed looks at the settings, with Orthanc's defaults; and the remarks that come of it."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.remarks: list[Remark] = []

    def has(self, name: str) -> bool:
        return self._found(name) is not None

    def _found(self, name: str) -> Any:  # noqa: ANN401 - as JSON is
        section, _, key = name.rpartition(".")
        held = self._values.get(section) if section else self._values
        if not isinstance(held, Mapping):
            if held is None:
                return None
            raise ConfigurationError(f"{section} is no object", hint="Orthanc would not start with it")
        return held.get(key)

    def _value(self, name: str, kind: type, default: Any) -> Any:  # noqa: ANN401 - likewise
        value = self._found(name)
        if isinstance(value, str) and (unknown := jsonc.variables(value)):
            self.say(
                "change", name,
                f"is {', '.join(unknown)} of Orthanc's own environment, which is not read here; taken as {json.dumps(default)}",
                "put the value in place",
            )  # fmt: skip
            return default
        if value is None:
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            words = {bool: "true or false", int: "a number", str: "a text", list: "a list", dict: "an object"}[kind]
            raise ConfigurationError(f"{name} is not {words}", hint="Orthanc would not start with it")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        return bool(self._value(name, bool, default))

    def number(self, name: str, default: int) -> int:
        return int(self._value(name, int, default))

    def text(self, name: str, default: str) -> str:
        return str(self._value(name, str, default))

    def many(self, name: str, kind: type) -> Any:  # noqa: ANN401 - a list or a mapping of whatever
        return self._value(name, kind, kind())

    def say(self, level: Level, setting: str, found: str, do: str = "") -> None:
        self.remarks.append(Remark(level, setting, found, do))


def learn(values: Mapping[str, Any]) -> Learned:
    """Return what these settings say. Raises ConfigurationError for what Orthanc itself or the gateway could not use."""
    look = _Settings(values)
    remote = look.flag("RemoteAccessAllowed", default=False)
    port = look.number("HttpPort", 8042)
    if not 0 < port < 2**16:
        raise ConfigurationError(f"HttpPort {port} is no port", hint="Orthanc would not start with it")
    secure = look.flag("SslEnabled", default=False)
    if not look.flag("HttpServerEnabled", default=True):
        look.say("change", "HttpServerEnabled", "is false: Orthanc answers nobody over HTTP", "set it to true")
    _reach(look, port, remote=remote, secure=secure)
    secret, signs_in = _account(look, remote=remote)
    dicomweb, wado, base = _dicomweb(look)
    _dimse(look)
    _others(look)
    threads = look.number("HttpThreadsCount", 50)
    order: dict[Level, int] = {"round": 0, "change": 1, "note": 2}
    return Learned(
        f"{'https' if secure else 'http'}://127.0.0.1:{port}", dicomweb, wado, base,
        max(UPSTREAM_CONNECTIONS_MIN, min(UPSTREAM_CONNECTIONS, threads // 2)),
        secret, signs_in, tuple(sorted(look.remarks, key=lambda one: order[one.level])),
    )  # fmt: skip


def _reach(look: _Settings, port: int, *, remote: bool, secure: bool) -> None:
    """Say who else reaches the HTTP port, and how the gateway does."""
    if remote:
        look.say(
            "round", "RemoteAccessAllowed",
            f"is true: whoever reaches TCP {port} has the archive without the gateway",
            f"set it to false when the gateway runs on the same machine; else let a firewall open TCP {port} to the gateway alone",
        )  # fmt: skip
    else:
        look.say(
            "note", "RemoteAccessAllowed",
            f"is false: other machines are refused (but Orthanc listens on all addresses, and a proxy on its machine that leads to TCP {port} goes round the gateway)",
            f"close TCP {port} in the firewall, and take such a proxy away; the gateway has to run on the same machine",
        )  # fmt: skip
    if secure:
        look.say(
            "change", "SslEnabled", "is true: the gateway has to know the certificate in SslCertificate",
            "give url the name that stands in it, and ca a PEM file with it or its issuer, without the key",
        )  # fmt: skip
        if look.flag("SslVerifyPeers", default=False):
            look.say(
                "change", "SslVerifyPeers", "is true: Orthanc wants a client certificate",
                "give the gateway one, auth: {certificate: tls/pacs-client.pem, key: tls/pacs-client.key}",
            )  # fmt: skip
    for name in _HTTP:
        if look.flag(name, default=_DEFAULTS.get(name, False)):
            look.say(
                "note",
                name,
                f"is true, on TCP {port} too: closed to others with that port",
                "set it to false if nobody needs it",
            )


def _account(look: _Settings, *, remote: bool) -> tuple[str | None, bool]:
    """Return `user:password` for the gateway where one can be kept, and whether it needs one."""
    asks = look.flag("AuthenticationEnabled", default=remote)
    users = look.many("RegisteredUsers", dict)
    if not asks:
        look.say(
            "round", "AuthenticationEnabled", "is false: every program that reaches the port has everything",
            "register an account for the gateway alone, and set it to true",
        )  # fmt: skip
        return None, False
    if not users:
        look.say(
            "round", "RegisteredUsers", "is empty: Orthanc lets in the user orthanc with the password orthanc, which everybody knows",
            "register an account for the gateway alone, and write user:password into secrets/orthanc (chmod 600)",
        )  # fmt: skip
        return None, True
    name = next((one for one in users if one.lower() in _OURS), next(iter(users)))
    if len(users) > 1 or name.lower() not in _OURS:
        look.say(
            "round", "RegisteredUsers",
            f"has {len(users)} accounts; the gateway uses {_quoted(name)}, and whoever knows any of them goes round the gateway",
            "keep one account, for the gateway alone, with a password of its own",
        )  # fmt: skip
    secret = f"{name}:{users[name]}"
    keepable = (
        isinstance(users[name], str) and secret.isprintable() and secret == secret.strip() and ":" not in name and name
    )
    if not keepable or jsonc.variables(secret):
        look.say(
            "change", "RegisteredUsers", f"holds no password of {_quoted(name)} that can be kept: it comes from an environment, or has characters beyond a line of text",
            "write user:password into secrets/orthanc (chmod 600), and uncomment auth",
        )  # fmt: skip
        return None, True
    return secret, True


def _dicomweb(look: _Settings) -> tuple[str, str | None, str | None]:
    """Return the paths of DICOMweb and WADO-URI, None when that is off; and what links begin with, where that is fixed."""
    plugins = [str(one) for one in look.many("Plugins", list)]
    if not any("dicomweb" in one.lower() or not one.lower().endswith((".so", ".dll", ".dylib")) for one in plugins):
        look.say(
            "change",
            "Plugins",
            "names no DICOMweb plugin",
            "install it (Debian: orthanc-dicomweb) and name it or its folder",
        )
    if not look.flag("DicomWeb.Enable", default=True):
        look.say("change", "DicomWeb.Enable", "is false: there is nothing to stand in front of", "set it to true")
    dicomweb, wado = _path(look, "DicomWeb.Root", "/dicom-web/"), None
    if look.flag("DicomWeb.EnableWado", default=True):
        wado = _path(look, "DicomWeb.WadoRoot", "/wado")
    else:
        look.say("note", "DicomWeb.EnableWado", "is false: WADO-URI is refused by the archive")
    if dicomweb == wado:
        raise ConfigurationError("DicomWeb.Root and DicomWeb.WadoRoot are the same path", hint="give each its own")
    if look.many("DicomWeb.Servers", dict):
        look.say(
            "round",
            "DicomWeb.Servers",
            "names other servers that studies can be sent to and fetched from",
            "close the port to all but the gateway, which has no address for that",
        )
    host = look.text("DicomWeb.Host", "")
    if not host:
        return dicomweb, wado, None
    scheme = "https" if look.flag("DicomWeb.Ssl", default=False) else "http"
    base = f"{scheme}://{host.lower()}"
    try:
        parse_base(base)
    except ValueError:
        look.say("change", "DicomWeb.Host", f"is {_quoted(host)}: no host that links could be told by", "remove it")
        return dicomweb, wado, None
    look.say(
        "note", "DicomWeb.Host", f"is {_quoted(host)}, so every link begins with it; the gateway replaces that (links: rewrite)",
        "remove Host and Ssl, and links here: Orthanc then writes the gateway's address by itself, which costs nothing",
    )  # fmt: skip
    return dicomweb, wado, base


def _path(look: _Settings, name: str, default: str) -> str:
    path = "/" + look.text(name, default).strip("/")
    if not _PATH.fullmatch(path) or any(part in {".", ".."} for part in path.split("/")):
        raise ConfigurationError(
            f"{name} {_quoted(path)} is no path that the gateway can serve",
            hint="letters, digits and . _ ~ - between slashes; not / alone",
        )
    return path


def _dimse(look: _Settings) -> None:
    """Say what the other door of Orthanc leaves open."""
    if not look.flag("DicomServerEnabled", default=True):
        return
    port = look.number("DicomPort", 4242)
    open_ = [name for name in _DIMSE if look.flag(name, default=False)]
    peers = look.many("DicomModalities", dict)
    if open_:
        look.say(
            "round",
            ", ".join(open_),
            f"true: whoever reaches TCP {port} finds or fetches studies by DIMSE",
            "set it to false",
        )
    if peers:
        look.say(
            "round", "DicomModalities", f"names {len(peers)} peers that may store, and find or fetch studies by DIMSE on TCP {port}",
            "keep modalities, take away workstations that are to come through the gateway (AllowFind, AllowGet, AllowMove: false for the rest)",
        )  # fmt: skip
        if not look.flag("DicomCheckModalityHost", default=False):
            look.say(
                "round",
                "DicomCheckModalityHost",
                "is false: any machine may call itself by a peer's AE title",
                "set it to true",
            )
    if not look.flag("DicomTlsEnabled", default=False):
        look.say(
            "note",
            "DicomTlsEnabled",
            f"is false: studies come in by DIMSE in plain text on TCP {port}",
            f"let a firewall open TCP {port} to modalities alone",
        )


def _others(look: _Settings) -> None:
    """Say what else concerns whoever puts a gateway in front."""
    if look.has("Authorization"):
        look.say(
            "change",
            "Authorization",
            "Orthanc's authorization plugin would judge the gateway's account, not the person",
            "take it away, or let it pass the gateway's account",
        )
    if look.flag("OverwriteInstances", default=False):
        look.say(
            "note",
            "OverwriteInstances",
            "is true: a modality can replace an instance by DIMSE; through the gateway nobody can as shipped",
        )
    if look.flag("HttpDescribeErrors", default=True):
        look.say(
            "note",
            "HttpDescribeErrors",
            "is true: errors name UIDs to whoever reaches the port; the gateway passes none of them on",
        )
    if look.has("KeepAlive") and not look.flag("KeepAlive", default=True):
        look.say("note", "KeepAlive", "is false: the gateway opens a connection for each request", "set it to true")
    if look.many("OrthancPeers", dict):
        look.say(
            "round",
            "OrthancPeers",
            "names other Orthancs that studies can be sent to",
            "close the port to all but the gateway",
        )
