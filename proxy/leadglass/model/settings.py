"""What every settings class shares: strictness, and the few scalar forms that leadglass.yaml has of its own.

Each package declares its own frozen settings; `config` composes them, reads the file and resolves references. Field
descriptions are written for the administrator: the configuration reference is generated from them.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationInfo, WrapValidator

from leadglass.limits import MIB


class SettingsModel(BaseModel):
    """Base of all settings: frozen, strict (no lax conversions), unknown keys are errors."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class ResolveContext(TypedDict):
    """What `config.load` hands to validation: the folder of the file, and the environment."""

    base: Path
    environ: Mapping[str, str]


def _context(info: ValidationInfo) -> ResolveContext:
    context: ResolveContext | None = info.context
    return context if context is not None else {"base": Path(), "environ": {}}


def _path(value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - pydantic hands in what the file holds
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("must be a path")
    return str(_context(info)["base"] / value)


class Secret(SecretStr):
    """A secret, and the file that it was read from; None when it came from the environment."""

    def __init__(self, value: str, file: Path | None = None) -> None:
        super().__init__(value)
        self.file = file

    def again(self) -> str:
        """Return what it is now: what its file holds. Raises OSError, UnicodeDecodeError."""
        return self.get_secret_value() if self.file is None else self.file.read_text(encoding="utf-8").strip()


def _secret(value: Any, _handler: object, info: ValidationInfo) -> Secret:  # noqa: ANN401 - likewise
    kind, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    context = _context(info)
    if kind == "env" and name:
        if name not in context["environ"]:
            raise ValueError(f"the environment has no {name}")
        return Secret(context["environ"][name])
    if kind == "file" and name:
        file = context["base"] / name
        try:
            return Secret(Secret("", file).again(), file)
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot read {name}: {type(error).__name__}") from None
    raise ValueError("a secret is never written here: use file:PATH or env:NAME")


_SIZE = re.compile(r"([1-9][0-9]{0,9}) ?(KiB|MiB|GiB)")
_UNITS = {"KiB": 1024, "MiB": MIB, "GiB": 1024 * MIB}


def _size(value: Any) -> Any:  # noqa: ANN401 - likewise
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a size such as 256 MiB")
    return int(match[1]) * _UNITS[match[2]]


PathSetting = Annotated[Path, BeforeValidator(_path)]
"""A path, relative to the folder of leadglass.yaml."""

SecretSetting = Annotated[Secret, WrapValidator(_secret)]
"""A reference to a secret: `file:PATH` or `env:NAME`."""

SizeSetting = Annotated[int, BeforeValidator(_size)]
"""A number of bytes, written as `256 MiB`."""
