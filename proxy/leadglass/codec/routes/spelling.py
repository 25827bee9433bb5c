"""The UIDs of a placed request, and the same request with others in their place: for views, in which studies have names of their own."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from leadglass.codec.dictionary import vr
from leadglass.codec.query import SERIES_UID, STUDY_UID
from leadglass.codec.routes.row import RouteMatch

INSTANCE_UID: Final = "00080018"
HANDLE: Final = "handles"
_HANDLED: Final = f"/{HANDLE}/{{name}}"
_HANDLE_AT: Final = 7  # studies {} series {} instances {} handles {name}


def uids(match: RouteMatch) -> Iterator[tuple[str, str]]:
    """Yield (tag, UID) of all that a request names: in its address, in WADO-URI's query, in the keys of a search."""
    resource = match.resource
    for tag, uid in (
        (STUDY_UID, resource.study_uid),
        (SERIES_UID, resource.series_uid),
        (INSTANCE_UID, resource.instance_uid),
    ):
        if uid is not None:
            yield tag, uid
    if match.search is not None:
        for path, values in match.search.matching.items():
            if vr(path) == "UI":
                yield from ((path[-8:], uid) for uid in values if uid)


def respelt(match: RouteMatch, real: Mapping[str, str]) -> RouteMatch:
    """Return the request with UIDs replaced by what they stand for, and all else as it was."""
    ours, search, ask = match.resource, match.search, match.ask
    path = "/".join(real.get(part, part) for part in ask.path.split("/"))
    if search is not None:
        for key, values in search.matching.items():
            if vr(key) == "UI" and not real.keys().isdisjoint(values):
                search = search.keyed(key, tuple(real.get(uid, uid) for uid in values))
        query = search.text
    else:
        pairs = (pair.partition("=") for pair in ask.query.split("&"))
        query = "&".join(f"{name}{mark}{real.get(value, value)}" for name, mark, value in pairs)
    resource = replace(
        ours,
        study_uid=_of(real, ours.study_uid),
        series_uid=_of(real, ours.series_uid),
        instance_uid=_of(real, ours.instance_uid),
        query=ours.query if search is None else search.matching,
    )
    return match._replace(resource=resource, search=search, ask=ask._replace(path=path, query=query))


def handle(match: RouteMatch) -> str | None:
    """Return the handle of bulk data that a request asks for, None when it asks for none."""
    if not match.route.template.endswith(_HANDLED):
        return None
    return match.ask.path.split("/")[_HANDLE_AT + 1]


def opened(match: RouteMatch, word: str, written: str, tags: str) -> RouteMatch:
    """Return the request for the bulk data that a handle stands for: the attribute at `written`, `word` before it."""
    parts = match.ask.path.split("/")
    path = "/".join((*parts[:_HANDLE_AT], word, written))
    return match._replace(resource=replace(match.resource, attribute=tags), ask=match.ask._replace(path=path))


def _of(real: Mapping[str, str], uid: str | None) -> str | None:
    return None if uid is None else real.get(uid, uid)
