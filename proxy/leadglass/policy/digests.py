"""Lease keys of questions that are put again with the very same parts, as most of a viewer's are.

A lease key is a digest over immutable values (`Question.lease_key`), so the same objects give the same key. Each entry
holds its objects, so that none of their identities can be taken by another one while the entry stands. Only the plain
question is remembered: at most one study, nothing missing, and a resource that says no more than where it is and its study.
"""

from collections.abc import Callable
from typing import TypeAlias

from leadglass import limits
from leadglass.model.facts import Action, Context, Device, Study, Subject
from leadglass.model.question import Question

_Key: TypeAlias = tuple[int, int, int, int, str, str, str | None, str | None, str | None]
_Parts: TypeAlias = tuple[Subject, Action, tuple[Study, ...], Device | None, Context]


class Digests:
    """The keys of one process, at most `limits.DIGESTS_HELD`; all are dropped when there are more."""

    def __init__(self, of: Callable[[Question], bytes] = Question.lease_key) -> None:
        self._of = of
        self._held: dict[_Key, tuple[_Parts, bytes]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def key(self, question: Question) -> bytes:
        """Return the lease key of a question. Raises TypeError when it holds what JSON cannot say."""
        resource, studies = question.resource, question.studies
        if (
            question.missing
            or len(studies) > 1
            or resource.query is not None
            or resource.attribute is not None
            or resource.sop_class is not None
            or resource.exists is not None
        ):
            return self._of(question)
        subject, action, device, context = question.subject, question.action, question.device, question.context
        key = (
            id(subject), id(studies[0]) if studies else 0, id(device), id(context),
            action.transaction, resource.type, resource.study_uid, resource.upstream, resource.mount,
        )  # fmt: skip
        known = self._held.get(key)
        if known is not None and known[0][1].name == action.name:
            return known[1]
        digest = self._of(question)
        if len(self._held) >= limits.DIGESTS_HELD:
            self._held.clear()
        self._held[key] = ((subject, action, studies, device, context), digest)
        return digest
