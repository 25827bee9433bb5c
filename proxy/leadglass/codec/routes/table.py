"""The look-up: a clean request onto one row, its resource parsed and its upstream request written.

In every template the fixed words stand at even places and the variables at odd ones, so the words alone are
`segments[::2]`: one slice and one dict look-up find the row, however many there are.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from leadglass.codec.accept import Offers
from leadglass.codec.dictionary import KEYWORDS
from leadglass.codec.kinds import KINDS, Kind
from leadglass.codec.multipart import ContentType, parse_content_type
from leadglass.codec.query import SERIES_UID, STUDY_UID, parse_search, refused
from leadglass.codec.routes.keys import parse_keys, write_keys
from leadglass.codec.routes.paths import NAME, parse_attribute, parse_frames
from leadglass.codec.routes.row import Route, RouteMatch
from leadglass.codec.routes.rows import DICOMWEB, ROUTES, WADO_OBJECT, WADO_RENDERED, WADO_URI, WORKLISTS
from leadglass.codec.routes.worklist import WELL_KNOWN, WORKITEMS, keyed, of_workitem
from leadglass.codec.uid import check_uid
from leadglass.codec.workitem import NEEDED
from leadglass.model.ask import Ask
from leadglass.model.errors import ConfigurationError, Refusal, refuse
from leadglass.model.facts import Action, Resource
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest

_LEVELS = ("study", "series", "instance")
_TAIL = 7  # segments before an attribute path: studies {} series {} instances {} bulk
_THUMBNAIL_SIZE = "128,128"
_APP = 1  # segments before {rest}
_GZIPPED = frozenset({"application/dicom+json", "application/json"})


class _Entry:
    """A row made ready: what its template asks of the segments."""

    __slots__ = (
        "action", "attribute", "extra", "frames", "gzip", "lacking", "levels", "needed", "offers", "on", "order",
        "pictured", "returned", "route",
    )  # fmt: skip

    def __init__(self, route: Route, kind: Kind, *, enabled: bool) -> None:
        segments = route.template.split("/")[1:]
        self.route, self.lacking = route, not kind.has(route.transaction)
        self.on = enabled or (route.on and not self.lacking)
        self.offers = _offers(route, kind)
        self.order = kind.order.get(route.type, "") if route.query == "search" else ""
        self.pictured = route.query == "thumbnail" and not kind.thumbnails
        self.action = Action(route.act, route.transaction)
        self.levels = next((n for n, name in enumerate(_LEVELS) if f"{{{name}}}" not in segments), len(_LEVELS))
        self.frames = "{frames}" in segments
        self.attribute = "{attribute}" in segments
        self.extra = tuple(
            (at, part == "{uid}") for at, part in enumerate(segments) if part in {"{uid}", "{aet}", "{name}"}
        )
        self.gzip = bool(route.media) and route.media[0] in _GZIPPED
        # Rows name their study unless the path does (PS3.18 section 10.6.3.3), and judging needs it in each.
        self.needed = {"rows": (STUDY_UID,), "worklist": NEEDED}.get(route.judged, ())
        self.returned = frozenset() if self.levels or route.judged == "worklist" else frozenset({STUDY_UID})


def _offers(route: Route, kind: Kind) -> Offers:
    """Return what a transaction can be asked for in archives of this kind."""
    media = route.media
    if kind.renders and route.query in {"render", "thumbnail"}:
        media = tuple(one for one in media if one in kind.renders)
    if not kind.single_parts and route.transaction in {"wado-rs.frames", "wado-rs.bulkdata"}:
        media = tuple(one for one in media if one.startswith("multipart/"))
    return route.offers if media == route.media else Offers(media)


def _words(template: str) -> tuple[int, tuple[str, ...]]:
    segments = tuple(template.split("/")[1:])
    if any((part[0] == "{") != bool(at % 2) for at, part in enumerate(segments)):
        raise ValueError(template)  # a template that the look-up cannot hold
    return len(segments), segments[::2]


def path_segments(mount: str) -> tuple[str, ...]:
    """Return the parts of a mount's path."""
    return tuple(mount.strip("/").split("/")) if mount.strip("/") else ()


class Table:
    """The route table of one archive.

    `mount` and `wado_mount` are the gateway's paths for the two services; `enabled` names transactions that are off
    by default; `kind` is the archive's, which decides how a search is spelt; `upstream` is its name. Raises
    ConfigurationError for a name of a transaction that no row has.
    """

    def __init__(
        self,
        mount: str = "/dicom-web",
        wado_mount: str = "/wado",
        enabled: Collection[str] = frozenset(),
        kind: str = "generic",
        upstream: str | None = None,
    ) -> None:
        unknown = sorted(set(enabled) - {route.transaction for route in ROUTES})
        if unknown:
            raise ConfigurationError(
                f"no transaction is called {unknown[0]!r}", hint="docs/routes.md lists the transactions"
            )
        self.mount, self.wado, self._upstream = path_segments(mount), path_segments(wado_mount), upstream
        self._depth = len(self.mount)
        self._kind = KINDS[kind]
        self._rows: dict[tuple[int, tuple[str, ...]], dict[str, _Entry]] = {}
        self._tails: dict[tuple[str, ...], dict[str, _Entry]] = {}
        for route in DICOMWEB:
            entry = _Entry(route, self._kind, enabled=route.transaction in enabled)
            length, words = _words(route.template)
            tail = route.template.endswith(("{attribute}", "{rest}"))
            methods = self._tails.setdefault(words, {}) if tail else self._rows.setdefault((length, words), {})
            if route.method in methods:
                raise ValueError(route.template)  # two rows at one address
            methods[route.method] = entry
        self.channels = any(route.judged == "channel" and route.transaction in enabled for route in DICOMWEB)
        self._wado_rows = {route: _Entry(route, self._kind, enabled=True) for route in WADO_URI}
        self._worklists = {
            name: _Entry(route, self._kind, enabled=route.transaction in enabled) for name, route in WORKLISTS.items()
        }

    def match(self, request: CleanRequest) -> RouteMatch:
        """Place a request.

        Raises Refusal: `route-unknown`, `transaction-disabled`, `transaction-unsupported`, `uid-malformed`, `query-refused`, `not-acceptable`,
        `media-type-refused`, or `http-malformed` for frames, attribute paths, Range and bodies that have no place.
        """
        segments = request.segments
        if segments[: self._depth] != self.mount:
            if segments == self.wado and request.method == "GET" and request.websocket is None:
                return self._match_wado(request)
            raise refuse(Code.ROUTE_UNKNOWN, "outside the mounts")
        rest = segments[self._depth :]
        methods = self._rows.get((len(rest), rest[::2])) or self._tail(rest)
        entry = methods.get(request.method)
        if entry is None:
            raise refuse(Code.ROUTE_UNKNOWN, f"no row for {request.method} at this address")
        if entry.extra and rest[1] in WELL_KNOWN:
            entry = self._worklists.get(entry.route.transaction, entry)
        route = entry.route
        if not entry.on:
            code = Code.TRANSACTION_UNSUPPORTED if entry.lacking else Code.TRANSACTION_DISABLED
            raise refuse(code, transaction=route.transaction)
        if "range" in request.headers.fields:
            raise _malformed("Range on a DICOMweb transaction")
        if (request.websocket is not None) != (route.judged == "channel"):
            raise _malformed("a WebSocket where there is none, or none where there is one")
        if route.query == "none" and not route.takes and not entry.extra and not entry.attribute:
            return self._plain(entry, rest, request)
        return self._rich(entry, rest, request)

    def _tail(self, rest: tuple[str, ...]) -> Mapping[str, _Entry]:
        if len(rest) > _TAIL and (methods := self._tails.get(rest[:_TAIL:2])):
            return methods
        if len(rest) > _APP and (methods := self._tails.get(rest[:_APP])):
            return methods
        return _NOWHERE

    def _plain(self, entry: _Entry, rest: tuple[str, ...], request: CleanRequest) -> RouteMatch:
        """The path of nearly every request: UIDs, perhaps frames, no query; its methods have no body (hygiene)."""
        route = entry.route
        if request.query:
            raise refused(request.query[0][0], "no key is known here")
        resource = self._resource(entry, rest)
        # The path is canonical and every part of it was just proven to have one spelling: it is its own rebuild.
        path = "/" + "/".join(rest)
        accept = entry.offers.choose(request.headers.fields.get("accept"))
        ask = Ask(
            route.method, "dicomweb", path, "", accept, entry.gzip, route.traffic, request.authority,
            retry=route.method == "GET",
        )  # fmt: skip
        return RouteMatch(route, entry.action, resource, ask)

    def _rich(self, entry: _Entry, rest: tuple[str, ...], request: CleanRequest) -> RouteMatch:
        route = entry.route
        for at, is_uid in entry.extra:
            _check_extra(rest[at], is_uid=is_uid)
        resource, path = self._resource(entry, rest), "/" + "/".join(rest)
        if route.type in WORKITEMS:
            resource = of_workitem(resource, route, rest)
        if entry.attribute:
            attribute, written = parse_attribute(rest[_TAIL:])
            resource = replace(resource, attribute=attribute)
            path = "/" + "/".join((*rest[: _TAIL - 1], self._kind.bulk or rest[_TAIL - 1], written))
        accept, search, query = request.headers.get("accept"), None, ""
        if route.query == "search":
            bound = {STUDY_UID: resource.study_uid, SERIES_UID: resource.series_uid}
            named = {known: uid for known, uid in bound.items() if uid is not None}
            search = parse_search(
                request.query, path=named, returned=entry.returned, needed=entry.needed,
                raw=self._kind.unencoded, order=entry.order, lists=self._kind.lists, from_first=self._kind.from_first,
            )  # fmt: skip
            resource, query = replace(resource, query=search.matching), search.text
        else:
            keys = parse_keys(route.query, request.query)
            if route.type in WORKITEMS:
                resource = keyed(resource, route, rest, keys)
            accept = keys.pop("accept", accept)  # PS3.18 section 8.3.3.1: the key stands for the field
            if entry.pictured:  # a rendered picture of that size is one
                path = f"{path.removesuffix('thumbnail')}rendered"
                keys.setdefault("viewport", _THUMBNAIL_SIZE)
            query = write_keys(keys)
            resource = _annotated(resource, keys)
        body = _body(route, request)
        ask = Ask(
            route.method,
            "dicomweb",
            path,
            query,
            entry.offers.choose(accept),
            entry.gzip,
            route.traffic,
            request.authority,
            content_type=body.text if body else None,
            length=request.length if request.has_body else None,
            retry=route.method == "GET",
        )
        return RouteMatch(route, entry.action, resource, ask, search, body)

    def _resource(self, entry: _Entry, rest: tuple[str, ...]) -> Resource:
        levels, kind = entry.levels, entry.route.type
        if levels == 0:
            return Resource(kind, upstream=self._upstream)
        study = check_uid(rest[1])
        series = check_uid(rest[3]) if levels > 1 else None
        instance = check_uid(rest[5]) if levels > 2 else None  # noqa: PLR2004 - three levels: study, series, instance
        frames = parse_frames(rest[7]) if entry.frames else None
        return Resource(kind, study, series, instance, frames, upstream=self._upstream)

    def _match_wado(self, request: CleanRequest) -> RouteMatch:
        """WADO-URI (PS3.18 chapter 9): everything is in the query, the three UIDs exactly once each."""
        if "range" in request.headers.fields:
            raise _malformed("Range on a DICOMweb transaction")
        keys = parse_keys("wado-uri", request.query)
        for key in ("requestType", "studyUID", "seriesUID", "objectUID"):
            if key not in keys:
                raise refused(key, "missing")
        # Without contentType an archive decides by the object; asked in so many words, the answer is always a picture.
        wanted = keys.setdefault("contentType", WADO_RENDERED.media[0])
        route = WADO_OBJECT if wanted == WADO_OBJECT.media[0] else WADO_RENDERED
        if wanted not in route.offers.known:
            raise refused("contentType", "not a media type of this service")
        entry = self._wado_rows[route]
        frame = keys.get("frameNumber")
        resource = Resource(
            route.type, keys["studyUID"], keys["seriesUID"], keys["objectUID"],
            None if frame is None else (int(frame),), upstream=self._upstream,
        )  # fmt: skip
        resource = _annotated(resource, keys)
        accept = Offers((wanted,)).choose(request.headers.get("accept"))
        ask = Ask(
            "GET", "wado-uri", "", write_keys(keys), accept, traffic=route.traffic, authority=request.authority
        )  # fmt: skip
        return RouteMatch(route, entry.action, resource, ask)


_NOWHERE: Final[Mapping[str, _Entry]] = {}


def _malformed(detail: str) -> Refusal:
    return refuse(Code.HTTP_MALFORMED, detail)


def _annotated(resource: Resource, keys: Mapping[str, str]) -> Resource:
    """A picture with the patient written into it (PS3.18 section 8.3.5.1.1) is judged like the Patient's Name."""
    if "patient" not in keys.get("annotation", "").split(","):
        return resource
    return replace(resource, attribute=KEYWORDS["PatientName"])


def _check_extra(part: str, *, is_uid: bool) -> None:
    if is_uid:
        check_uid(part)
    elif NAME.fullmatch(part) is None:
        raise _malformed("name in the path")


def _body(route: Route, request: CleanRequest) -> ContentType | None:
    if not route.takes:
        if request.length != 0:
            raise _malformed("a body where none is taken")
        return None
    content_type = parse_content_type(request.headers.get("content-type") or "")
    if content_type.canonical not in route.takes:
        raise refuse(Code.MEDIA_TYPE_REFUSED, f"{content_type.media[:80]} is not taken here")
    return content_type
