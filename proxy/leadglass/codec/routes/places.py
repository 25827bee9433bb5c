"""Where a request belongs: to an archive by its mounts, to a viewer by its own, or nowhere.

No two mounts overlap (`config.settings`), so the order in which they are looked at decides nothing.
"""

from collections.abc import Collection, Iterable
from typing import Final

from leadglass.codec.routes.row import RouteMatch
from leadglass.codec.routes.rows import STATIC_FILE
from leadglass.codec.routes.table import Table, path_segments
from leadglass.model.ask import Ask
from leadglass.model.errors import refuse
from leadglass.model.facts import Action, Resource
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest

_ACTION: Final = Action(STATIC_FILE.act, STATIC_FILE.transaction)


class Places:
    """The route tables of all archives, and the static mounts.

    `folders` are the paths with a slash at their end that stand for those.
    """

    def __init__(self, tables: Iterable[Table], static: Collection[str] = ()) -> None:
        known = tuple(tables)
        self._mounts = {table.mount: table for table in known}
        self._wado = {table.wado: table for table in known}
        self.channels = any(table.channels for table in known)  # whether any of them serves WebSockets
        self._depths = tuple(sorted({len(mount) for mount in self._mounts}))
        self._static = tuple(sorted(((path_segments(name), name) for name in static), key=lambda one: -len(one[0])))
        self.folders = frozenset(f"{name}/" for name in static if name != "/")

    def match(self, request: CleanRequest) -> RouteMatch:
        """Place a request. Raises Refusal as `Table.match` does."""
        segments = request.segments
        for depth in self._depths:
            table = self._mounts.get(segments[:depth])
            if table is not None:
                return table.match(request)
        table = self._wado.get(segments) if request.method == "GET" else None
        return self._file(request) if table is None else table.match(request)

    def _file(self, request: CleanRequest) -> RouteMatch:
        """Place a request for a file. Its query is for the viewer's own script to read, and no part of the question."""
        segments = request.segments
        for mount, name in self._static:
            if segments[: len(mount)] == mount and request.method == STATIC_FILE.method and request.websocket is None:
                path = "/".join(segments[len(mount) :])
                ask = Ask("GET", "static", path, authority=request.authority)
                return RouteMatch(STATIC_FILE, _ACTION, Resource(STATIC_FILE.type, mount=name), ask)
        raise refuse(Code.ROUTE_UNKNOWN, "outside the mounts")
