"""The command line's side of the admin socket."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from leadglass.limits import ADMIN_SECONDS, MIB
from leadglass.model.errors import LeadglassError

_BAD = 400


class GatewayAbsent(LeadglassError):
    """Nobody answers on the admin socket."""


class AdminRefused(LeadglassError):
    """The gateway said no. `status` is that of HTTP."""

    def __init__(self, status: int, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.status, self.problem, self.hint = status, problem, hint


def ask(socket: Path, method: str, path: str, form: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
    """Ask the running gateway and return its answer. Raises GatewayAbsent, AdminRefused."""
    return asyncio.run(_ask(socket, method, path, form))


async def _ask(socket: Path, method: str, path: str, form: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 - JSON
    timeout = aiohttp.ClientTimeout(total=ADMIN_SECONDS)
    connector = aiohttp.UnixConnector(path=str(socket))
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=MIB) as session,
            session.request(method, f"http://admin{path}", data=None if form is None else orjson.dumps(form)) as reply,
        ):
            content = await reply.read()
            status = reply.status
    except TimeoutError:
        raise GatewayAbsent(f"the gateway did not answer within {ADMIN_SECONDS:.0f} s") from None
    except (aiohttp.ClientError, OSError):
        raise GatewayAbsent(f"no gateway answers on {socket}") from None
    return _read(status, content)


def _read(status: int, content: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise AdminRefused(status, f"the gateway answered {status}", "is it of the same version?") from None
    if status < _BAD:
        return document
    hint = document.get("hint") or next(iter(document.get("remediation", ())), "")
    raise AdminRefused(status, str(document.get("detail", status)), str(hint))
