"""What a row of the route table says, and what a matched one gives."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from leadglass.codec.accept import Offers
from leadglass.codec.multipart import ContentType
from leadglass.codec.query import Search
from leadglass.model.ask import Ask
from leadglass.model.facts import Action, ActionName, Resource

Judged: TypeAlias = Literal["study", "rows", "parts", "none", "file", "workitem", "worklist", "channel"]
QueryRule: TypeAlias = Literal["none", "search", "render", "thumbnail", "volume", "uid", "subscription", "wado-uri"]
Method: TypeAlias = Literal["GET", "POST", "PUT", "DELETE", "OPTIONS"]


@dataclass(frozen=True, eq=False, slots=True)
class Route:
    """One transaction at one address.

    `template` is relative to the mount; `{study}`, `{series}`, `{instance}` and `{uid}` are UIDs, `{frames}` a list of
    frame numbers, `{attribute}` the rest of the path as an attribute path, `{aet}`, `{name}` a plain name, `{rest}`
    the rest of the path as it is. `offers` are the media types of its reply, the default first; none means that it
    answers with a status. `takes` are the media types of its body.
    `judged` says against what: `study` (the one in the path), `rows` (each row of the reply), `parts` (each part of the
    body), `workitem` (each study that the workitem in the path or the body names), `worklist` (likewise each row of the reply),
    `channel` (the request, and then each message of a WebSocket), `none` (the request alone), `file` (likewise, and a static mount answers). `traffic` is the share of upstream connections it may take.
    """

    transaction: str
    method: Method
    template: str
    act: ActionName
    type: str
    says: str
    offers: Offers = Offers(())  # noqa: RUF009 - frozen and compared by identity: sharing one empty offer is meant
    query: QueryRule = "none"
    judged: Judged = "study"
    traffic: Literal["bulk", "interactive"] = "interactive"
    takes: tuple[str, ...] = ()
    on: bool = True

    @property
    def media(self) -> tuple[str, ...]:
        """The media types of the reply, the default first."""
        return self.offers.media


class RouteMatch(NamedTuple):
    """A request placed: its row, what is asked for, and the request to put to the archive.

    `search` is set for rows with the query rule `search`; its `added` names the tags to cut from every row.
    `body` is the parsed Content-Type of a store.
    """

    route: Route
    action: Action
    resource: Resource
    ask: Ask
    search: Search | None = None
    body: ContentType | None = None
