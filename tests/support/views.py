"""Occasions of treatments, for tests of views."""

from leadglass.codec.routes import RouteMatch
from leadglass.model.facts import Action, Context, Study, Subject
from leadglass.model.question import Question
from leadglass.obligations.occasion import NO_MEANS, Means, Occasion
from support.matches import placed

RESEARCHER = Subject("person", "rita", "https://idp.example.org", b"", 2e9, roles=("researcher",))


def asking(
    target: str, *studies: Study, method: str = "GET", means: Means = NO_MEANS, accept: str | None = None
) -> Occasion:
    """Return the occasion of a researcher's request about these studies."""
    match: RouteMatch = placed(target, accept, method)
    context = Context("http", "127.0.0.1", 12, 3, purpose="HRESCH")
    question = Question(
        RESEARCHER, Action(match.action.name, match.action.transaction), match.resource, studies, None, context
    )
    return Occasion(match, question, means, now=1.7e9)
