"""What the addresses and keys of UPS-RS name (PS3.18 sections 11.4 and 11.10): a workitem or the worklist, and who subscribes."""

from collections.abc import MutableMapping
from dataclasses import replace
from typing import Final

from leadglass.codec.query import parse_search, refused
from leadglass.codec.routes.row import Route
from leadglass.codec.workitem import FILTERED, WORKLIST
from leadglass.model.errors import refuse
from leadglass.model.facts import Resource
from leadglass.model.reasons import Code

WORKITEMS: Final = frozenset({"workitem", "worklist"})
WELL_KNOWN: Final = frozenset({WORKLIST, FILTERED})
_AET: Final = 3  # where it stands in workitems/{uid}/subscribers/{aet}


def of_workitem(resource: Resource, route: Route, rest: tuple[str, ...]) -> Resource:
    """Name the workitem, by the UID of the instance that it is, and who subscribes. Raises Refusal `route-unknown`."""
    uid = rest[1] if rest[0] == "workitems" and len(rest) > 1 else None
    aet = rest[1] if rest[0] == "subscribers" else rest[_AET] if len(rest) > _AET else None
    if (uid in WELL_KNOWN) != (route.type == "worklist"):
        raise refuse(Code.ROUTE_UNKNOWN, "the worklist is no workitem, and a workitem is no worklist")
    return replace(resource, instance_uid=None if uid in WELL_KNOWN else uid, aet=aet)


def keyed(resource: Resource, route: Route, rest: tuple[str, ...], keys: MutableMapping[str, str]) -> Resource:
    """Take from the keys which workitem is made, and which ones are subscribed to; the filter in them is written anew.

    Raises Refusal `query-refused`.
    """
    if route.transaction == "ups-rs.create":
        if "workitem" not in keys:
            raise refused("workitem", "missing: what is made is judged, so it must be named")
        return replace(resource, instance_uid=keys["workitem"])
    if route.query == "subscription" and (FILTERED in rest) != ("filter" in keys):
        raise refused("filter", "goes with the filtered worklist alone")
    if "filter" not in keys:
        return resource
    pairs = [(name, value) for name, _, value in (part.partition("=") for part in keys["filter"].split(","))]
    matching = parse_search(pairs, path={}, returned=frozenset(), needed=()).matching
    if len(matching) != len(pairs):
        raise refused("filter", "holds what is no matching key")
    keys["filter"] = ",".join(f"{tag}={chr(92).join(values)}" for tag, values in sorted(matching.items()))
    return replace(resource, query=matching)
