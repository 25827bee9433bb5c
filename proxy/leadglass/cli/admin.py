"""What the verbs that speak to the running gateway share."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from leadglass.cli.audit import printable
from leadglass.cli.voice import Exit, fail, spoken
from leadglass.config.load import load
from leadglass.config.settings import Settings
from leadglass.gateways.control.admin.client import AdminRefused, GatewayAbsent, ask

_BROKEN: Final = 500  # HTTP: the gateway could not, rather than would not


def settings_of(config: Path) -> Settings:
    """Return the settings in `config`; ends the program when it cannot be read."""
    with spoken():
        return load(config)


def asked(settings: Settings, method: str, path: str, form: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
    """Ask the running gateway and return its answer; ends the program when it does not answer or says no."""
    try:
        return ask(settings.admin.unix, method, path, form)
    except GatewayAbsent as absent:
        fail(str(absent), "start it with `leadglass serve`, or name its configuration with -c", Exit.COULD_NOT)
    except AdminRefused as refused:
        code = Exit.COULD_NOT if refused.status >= _BROKEN else Exit.NO
        fail(printable(refused.problem), printable(refused.hint) if refused.hint else "", code)


def put(document: object) -> None:
    """Print a document as JSON."""
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
