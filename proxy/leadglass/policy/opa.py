"""The `opa` engine: an OPA server on a unix socket of mode 0600, asked through opa-python-client.

The client as shipped speaks TCP only (where any local user may replace a policy) and retries; ours is handed a session
over the socket and asks once. Builtin errors are strict. OPA must hold exactly the policy set that is in force here: its
bundle's revision comes back with each answer, and any other is no answer.
"""

import stat
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
from opa_client.opa_async import AsyncOpaClient

from leadglass import limits
from leadglass.model.errors import ConfigurationError
from leadglass.policy.engine import Unavailable, Undefined
from leadglass.telemetry.traces import current

_QUERY: Final = {"provenance": "true", "strict-builtin-errors": "true"}


async def _tell(_session: aiohttp.ClientSession, _context: object, asked: aiohttp.TraceRequestStartParams) -> None:
    """Tell OPA which evaluation this is, where the exchange is traced and others are to be told."""
    span = current()
    if span is not None and span.traceparent is not None:
        asked.headers["traceparent"] = span.traceparent


def _telling() -> aiohttp.TraceConfig:
    """Return the hook by which header fields reach one request: the client library takes none."""
    config = aiohttp.TraceConfig()
    config.on_request_start.append(_tell)
    return config


class SocketClient(AsyncOpaClient):  # type: ignore[misc]  # the library carries no types
    """opa-python-client over a unix socket, without retries."""

    def __init__(self, socket: Path) -> None:
        super().__init__(host="localhost", retries=0, timeout=limits.OPA_SECONDS)
        self._socket = socket
        self._session: aiohttp.ClientSession | None = None

    async def _init_session(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(self._socket)),
            timeout=aiohttp.ClientTimeout(total=limits.OPA_SECONDS),
            json_serialize=lambda value: orjson.dumps(value).decode(),
            auto_decompress=True,
            trace_configs=[_telling()],
        )

    async def ask(self, document: bytes) -> Any:  # noqa: ANN401 - JSON, judged by the caller
        """Return OPA's whole reply to this input."""
        if self._session is None:
            await self._init_session()
        return await self.query_rule(orjson.Fragment(document), "leadglass", "decision", _QUERY)


class OpaEngine:
    """An OPA server that holds the policy set of one revision."""

    name: Final = "opa"

    def __init__(self, socket: Path, revision: str) -> None:
        """Take the socket and the revision that OPA's bundle must have."""
        self._socket, self._revision = socket, revision
        self._client = SocketClient(socket)

    async def evaluate(self, document: bytes) -> object:
        """Return what the rules say to this input (JSON). Raises NoAnswer."""
        try:
            private(self._socket)
            reply = await self._client.ask(document)
        except ConfigurationError as error:
            raise Unavailable(str(error)) from None
        except aiohttp.ClientResponseError as error:
            if error.status == 500:  # noqa: PLR2004 - OPA's status for an evaluation that failed
                raise Undefined("OPA could not evaluate the rules") from None
            raise Unavailable(f"OPA answered {error.status}") from None
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(f"OPA cannot be asked: {type(error).__name__}") from None
        return self._result(reply)

    def _result(self, reply: object) -> object:
        if not isinstance(reply, dict):
            raise Unavailable("OPA's reply is not an object")
        provenance = reply.get("provenance")
        bundles = provenance.get("bundles") if isinstance(provenance, dict) else None
        revisions = [one.get("revision") for one in bundles.values()] if isinstance(bundles, dict) else []
        if revisions != [self._revision]:
            raise Unavailable("OPA holds another policy set than the gateway; load the bundle of this revision")
        if "result" not in reply:
            raise Undefined("the rules gave no result")
        return reply["result"]

    async def close(self) -> None:
        """Close the session."""
        await self._client.close_connection()


def private(socket: Path) -> None:
    """Raise ConfigurationError unless `socket` is a socket that nobody but its owner may use."""
    try:
        mode = socket.stat().st_mode
    except OSError as error:
        raise ConfigurationError(f"{error.strerror}", where=str(socket), hint="is the OPA server running?") from None
    if not stat.S_ISSOCK(mode):
        raise ConfigurationError("is not a socket", where=str(socket))
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigurationError(
            "others may use the socket, and with it replace the policy",
            where=str(socket),
            hint="start OPA with --unix-socket-perm 600",
        )
