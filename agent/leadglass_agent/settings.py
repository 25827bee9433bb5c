"""The agent's settings: `agent.toml` in its folder, all optional."""

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

FILE = "agent.toml"

# Remote control and tunnels that hospitals commonly forbid on machines that show images.
FORBIDDEN = ("anydesk", "ngrok", "rustdesk", "teamviewer", "teamviewerd", "tor")

_EVERY = (1, 600)
_PORTS = (0, 65535)
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")


class SettingsError(Exception):
    """The file is unusable. `str()` names the setting."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a machine's administrator may set."""

    forbidden_software: tuple[str, ...] = FORBIDDEN
    report_every: float = 30.0
    token_file: str = ""
    token_command: str = ""
    proxy_port: int = 8765
    proof_port: int = 8766
    viewer_user: str = ""
    viewer_origins: tuple[str, ...] = ()
    issuer: str = ""
    client_id: str = ""
    acr_values: str = ""


def load(folder: Path) -> Settings:
    """Read `agent.toml` in `folder`; a file that is not there sets nothing. Raises SettingsError."""
    file = folder / FILE
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file}: {error}") from None
    if unknown := sorted(set(document) - {field.name for field in fields(Settings)}):
        raise SettingsError(f"{file}: {unknown[0]} is not a setting")
    try:
        return Settings(**{name: _checked(name, value) for name, value in document.items()})
    except ValueError as error:
        raise SettingsError(f"{file}: {error}") from None


def _checked(name: str, value: object) -> Any:  # noqa: ANN401 - the type that the setting has
    match name:
        case "forbidden_software":
            return _texts(name, value, "a list of names")
        case "viewer_origins":
            origins = _texts(name, value, "a list of origins")
            if wrong := [origin for origin in origins if not _ORIGIN.fullmatch(origin)]:
                raise ValueError(f"{name} must be origins like http://localhost:3000, in lower case; not {wrong[0]}")
            return origins
        case "report_every":
            if isinstance(value, bool) or not isinstance(value, int | float) or not _EVERY[0] <= value <= _EVERY[1]:
                raise ValueError(f"{name} must be {_EVERY[0]} to {_EVERY[1]} seconds")
            return float(value)
        case "proxy_port" | "proof_port":
            if type(value) is not int or not _PORTS[0] <= value <= _PORTS[1]:
                raise ValueError(f"{name} must be a port")
            return value
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text")  # noqa: TRY004 - the file is wrong, not the caller
    return value


def _texts(name: str, value: object, what: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError(f"{name} must be {what}")
    return tuple(value)
