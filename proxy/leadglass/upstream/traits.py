"""What `config check` finds out about an archive beyond its being there: how it answers what its kind is said to do.

Every question is a GET or a HEAD for a few rows, or for a study that does not exist; nothing of a row is told but how many
there are. What cannot be told (an empty archive, an answer that is none) is said so, and is no fault.
"""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import orjson

from leadglass.codec.kinds import KINDS, Kind
from leadglass.codec.query import STUDY_UID
from leadglass.codec.uid import is_uid
from leadglass.limits import FACTS_BYTES, PROBE_ERROR_BYTES
from leadglass.model.ask import Ask
from leadglass.model.errors import LeadglassError, UpstreamBroken
from leadglass.upstream.finding import Finding, patient
from leadglass.upstream.reply import Reply
from leadglass.upstream.settings import UpstreamSettings
from leadglass.upstream.upstream import Upstream

# A UID under the root that anybody may use, and that nobody would make (PS3.5 annex B.2: the rest is a UUID).
ABSENT: Final = "2.25.1"
_PAGE: Final = 4
_TOO_FEW: Final = 2
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,39}")
_JSON: Final = "application/dicom+json"
_OK, _PARTIAL, _CLIENT_ERROR = 200, 206, 400


async def traits(upstream: Upstream, settings: UpstreamSettings) -> AsyncIterator[Finding]:
    """Yield what is found. Raises TimeoutError when the archive stops answering."""
    kind = KINDS[settings.kind]
    yield await _version(upstream, kind)
    uids = await _studies(upstream, f"includefield={STUDY_UID}{_order(kind)}&limit={_PAGE}")
    yield await _lists(upstream, kind, uids)
    yield await _pages(upstream, kind, uids)
    yield await _head(upstream)
    yield await _range(upstream)
    yield await _errors(upstream)


async def _asked(upstream: Upstream, ask: Ask, limit: int, more: str = "") -> tuple[int, bytes] | None:
    """Return status and body, None for what is no answer."""
    try:
        async with patient():
            reply = await upstream.probe(ask, more)
            return reply.status, await reply.read(limit)
    except (LeadglassError, UpstreamBroken):
        return None


async def _version(upstream: Upstream, kind: Kind) -> Finding:
    told = []
    for name, path in kind.versions:
        answer = await _asked(upstream, Ask("GET", "origin", path, accept="application/json"), PROBE_ERROR_BYTES)
        version = _json(answer[1]).get("Version") if answer is not None and answer[0] == _OK else None
        if isinstance(version, str) and _VERSION.fullmatch(version):
            told.append(f"{name} {version}")
    return Finding("version", found=", ".join(told) or "not told", chosen=f"as {kind.name} ({kind.source})")


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _order(kind: Kind) -> str:
    order = kind.order.get("study")
    return f"&orderby={order}" if order else ""


async def _studies(upstream: Upstream, query: str) -> tuple[str, ...] | None:
    """Return the UIDs of a page of studies, None when it is no page."""
    answer = await _asked(upstream, Ask("GET", "dicomweb", "/studies", query, accept=_JSON), FACTS_BYTES)
    if answer is None or answer[0] not in {_OK, 204}:
        return None
    try:
        rows = orjson.loads(answer[1]) if answer[1] else []
        found = tuple(row[STUDY_UID]["Value"][0] for row in rows)
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return None
    return found if all(isinstance(uid, str) and is_uid(uid) for uid in found) else None


async def _lists(upstream: Upstream, kind: Kind, uids: Sequence[str] | None) -> Finding:
    chosen = "a page of studies in one question" if kind.uid_lists else "one question a study"
    if not uids:
        return Finding("lists of UIDs", found=_untold(uids), chosen=chosen)
    wanted = {*uids[:2]} if len(uids) >= _TOO_FEW else {uids[0]}
    named = ",".join((*wanted, ABSENT) if len(wanted) == 1 else sorted(wanted))
    rows = await _studies(upstream, f"{STUDY_UID}={named}&includefield={STUDY_UID}&limit={_PAGE}")
    matches = rows is not None and set(rows) == wanted
    if matches or not kind.uid_lists:
        return Finding("lists of UIDs", found="matched" if matches else "not matched", chosen=chosen)
    return Finding(
        "lists of UIDs", ok=False, found="not matched", chosen=chosen,
        problem=f"does not match a list of UIDs, as archives of the kind {kind.name} do: searches would show nothing",
        hint="take kind: generic, which asks for one study at a time",
    )  # fmt: skip


async def _pages(upstream: Upstream, kind: Kind, uids: Sequence[str] | None) -> Finding:
    order = _order(kind)
    chosen = f"asked for with {order[1:]}" if order else "taken as they come"
    if uids is None or len(uids) < _TOO_FEW:
        return Finding("pages", found=_untold(uids), chosen=chosen)
    half = (len(uids) + 1) // 2
    parts = [
        await _studies(upstream, f"includefield={STUDY_UID}{order}&limit={half}&offset={offset}")
        for offset in range(0, len(uids), half)
    ]
    paged = None if None in parts else tuple(uid for part in parts for uid in part or ())[: len(uids)]
    if paged == tuple(uids):
        return Finding("pages", found="follow one another", chosen=chosen)
    return Finding(
        "pages", ok=False, warning=True, found="do not follow one another", chosen=chosen,
        problem="pages of a list do not follow one another: whoever reads on may miss a study or see one twice",
        hint="let viewers narrow their searches; where studies arrive at this moment, look again",
    )  # fmt: skip


def _untold(uids: Sequence[str] | None) -> str:
    return "not told: the list cannot be read" if uids is None else "not told: too few studies"


async def _head(upstream: Upstream) -> Finding:
    ask = Ask("HEAD", "dicomweb", "/studies", "limit=1", accept=_JSON)
    status: int | None = None
    try:
        async with patient():
            reply: Reply = await upstream.probe(ask)
        status = reply.status
        reply.abort()  # a length may be told, and no body follows it
    except (LeadglassError, UpstreamBroken):
        pass
    words = (
        "no answer that can be read" if status is None else "works" if status < _CLIENT_ERROR else f"answers {status}"
    )
    return Finding("HEAD", found=words, chosen="refused")


async def _range(upstream: Upstream) -> Finding:
    ask = Ask("GET", "dicomweb", "/studies", "limit=1", accept=_JSON)
    answer = await _asked(upstream, ask, FACTS_BYTES, "Range: bytes=0-0\r\n")
    words = {None: "no answer that can be read", _PARTIAL: "works", _OK: "ignored", 204: "ignored"}
    status = None if answer is None else answer[0]
    return Finding("Range", found=words.get(status, f"answers {status}"), chosen="refused")


async def _errors(upstream: Upstream) -> Finding:
    ask = Ask("GET", "dicomweb", f"/studies/{ABSENT}/metadata", accept=_JSON)
    answer = await _asked(upstream, ask, PROBE_ERROR_BYTES)
    if answer is None:
        words = "no answer that can be read"
    else:
        quotes = "UIDs are quoted" if ABSENT.encode() in answer[1] else "no UID is quoted"
        words = f"{answer[0]} for a study that is not there; {quotes}"
    return Finding("errors", found=words, chosen="only the status is passed on")
