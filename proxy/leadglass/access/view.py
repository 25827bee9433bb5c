"""Pseudonyms in a request are read as what they stand for, before anything is judged: policy always judges real studies.

Whether this person may spell it so is decided after that: the decision must show them the view of the same project
(`Exchange.plan`), and the address must be the view's own spelling (`obligations.view`).
"""

from leadglass.access.exchange import Exchange
from leadglass.codec.kinds import KINDS
from leadglass.codec.routes import RouteMatch
from leadglass.codec.routes.paths import parse_attribute
from leadglass.codec.routes.spelling import handle, opened, respelt, uids
from leadglass.codec.uid import is_uid
from leadglass.hazmat.pseudonym import PREFIX, is_made
from leadglass.model.errors import Refusal, refuse
from leadglass.model.project import Project
from leadglass.model.reasons import Code
from leadglass.obligations.occasion import ProjectsDoor


def concerns(match: RouteMatch) -> bool:
    """Return whether there may be pseudonyms in a request. Quick: in most there are none."""
    resource = match.resource
    return (
        match.search is not None
        or (resource.study_uid or "").startswith(PREFIX)
        or (resource.series_uid or "").startswith(PREFIX)
        or (resource.instance_uid or "").startswith(PREFIX)
        or handle(match) is not None
    )


async def enter(exchange: Exchange) -> None:
    """Map pseudonyms of the request back. Raises Refusal `study-not-visible`, `store-unavailable`."""
    match, projects = exchange.match, exchange.services.means.projects
    named = handle(match)
    if named is not None and projects is None:
        raise _hidden("a handle of bulk data, and no project")
    if projects is None:
        return
    made = {uid for _, uid in uids(match) if is_made(uid)}
    if not made and named is None:
        return
    whose: set[str] = set()
    real: dict[str, str] = {}
    for uid in made:
        found = await projects.original(uid)
        if found is not None and is_uid(found[1]):  # a handle of bulk data is no UID of anything
            real[uid] = found[1]
            whose.add(found[0].name)
    asked = match
    if real:
        match = respelt(match, real)
    if named is not None:
        project, path = await _attribute(projects, named, match.resource.instance_uid or "")
        whose.add(project.name)
        tags, written = parse_attribute(tuple(path.split("/")))
        kind = KINDS[exchange.archive.upstream.kind]
        match = opened(match, kind.bulk or "bulkdata", written, tags)
    if len(whose) > 1:
        raise _hidden("pseudonyms of several projects in one request")
    if whose:
        exchange.asked, exchange.match, exchange.project = asked, match, whose.pop()


async def _attribute(projects: ProjectsDoor, named: str, instance: str) -> tuple[Project, str]:
    """Return whose handle it is, and the path of the attribute. Raises Refusal `study-not-visible`."""
    found = await projects.original(named) if is_made(named) else None
    if found is None:
        raise _hidden("no handle of bulk data")
    project, told = found
    of, _, path = told.partition("/")
    if of != instance or not path:
        raise _hidden("a handle of another instance's bulk data")
    return project, path


def _hidden(detail: str) -> Refusal:
    return refuse(Code.STUDY_NOT_VISIBLE, detail)
