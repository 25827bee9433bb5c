"""An archive that is asked by `config check` and answers as a test has it: well, wrongly, or not at all."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

from support.rawupstream import Exchange, RawUpstream, raw_upstream, reply

JSON = "Content-Type: application/dicom+json"
UIDS = tuple(f"1.2.826.0.1.3680043.10.1491.{number}" for number in range(1, 5))
Keys = Mapping[str, str]


def page(uids: tuple[str, ...]) -> bytes:
    rows = [{"0020000D": {"vr": "UI", "Value": [uid]}} for uid in uids]
    return reply(json.dumps(rows).encode(), fields=[JSON])


def matching(keys: Keys, held: tuple[str, ...] = UIDS) -> tuple[str, ...]:
    """Return what a sound archive finds: lists matched, pages cut from one order."""
    wanted = keys.get("0020000D", "")
    found = [uid for uid in held if not wanted or uid in wanted.split(",")]
    start, limit = int(keys.get("offset", "0")), int(keys.get("limit", "100"))
    return tuple(found[start : start + limit])


async def hang(exchange: Exchange) -> None:
    """Say nothing for as long as the other side waits."""
    await exchange.reader.read()


@asynccontextmanager
async def lying(
    search: Callable[[Keys], bytes] = lambda keys: page(matching(keys)),
    rest: Callable[[str], bytes | None] = lambda _: None,
) -> AsyncIterator[RawUpstream]:
    """Listen. `search` answers searches, `rest` everything else and HEAD (404 for None); `b"hang"` is no answer at all."""

    async def answer(exchange: Exchange) -> None:
        method, target, _ = exchange.head.split(b"\r\n")[0].decode().split(" ")
        path, _, query = target.partition("?")
        said: bytes | None
        if method == "GET" and path == "/dicom-web/studies" and b"\r\nrange:" not in exchange.head.lower():
            said = search(dict(parse_qsl(query)))
        else:
            said = rest(f"{method} {target}" + (" Range" if b"\r\nrange:" in exchange.head.lower() else ""))
        if said == b"hang":
            await hang(exchange)
        else:
            await exchange.send(reply(status="404 Not Found") if said is None else said)

    async with raw_upstream(answer) as archive:
        yield archive
