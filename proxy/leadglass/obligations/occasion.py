"""What treatments are given beside their parameters: who asks for what, what the gateway has to treat it with, and the reply."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from leadglass.codec.multipart import ContentType
from leadglass.codec.routes import RouteMatch
from leadglass.model.facts import Study
from leadglass.model.question import Question


@dataclass(frozen=True, slots=True)
class Means:
    """What treatments are made with, from one reading of the settings; a reload makes another.

    `profiles` are by their names.
    """

    profiles: Mapping[str, Any] = field(default_factory=dict)


NO_MEANS: Final = Means()


@dataclass(frozen=True, slots=True)
class Occasion:
    """One request, as its treatments see it.

    `match` is the request as it was judged, pseudonyms in it mapped back; `asked` the request as the client spelt it.
    `project` is whose pseudonyms those were, None when there were none. `question` is what the decision answers: who asks,
    in what context, about which studies. `now` is epoch seconds.
    """

    match: RouteMatch
    question: Question | None = None
    means: Means = NO_MEANS
    asked: RouteMatch | None = None
    project: str | None = None
    now: float = 0.0

    def study(self, uid: str) -> Study | None:
        """Return what is known of a study that was judged."""
        studies = () if self.question is None else self.question.studies
        return next((study for study in studies if study.study_uid == uid), None)


class Content(NamedTuple):
    """A reply on its way from one treatment to the next: its media type, and its body as it comes, in no coding.

    Whoever makes another body out of `body` iterates it to its end, and says in `kind` what it made.
    """

    kind: ContentType
    body: AsyncIterator[bytes]
