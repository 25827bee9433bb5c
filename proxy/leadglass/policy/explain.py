"""Why a decision came out as it did: which rules granted and denied, on which facts, and what would have changed it.

The judged input is asked again: once for the decision, once for what each rule says by itself, and then with one fact
removed or altered at a time. A fact counts as used by what a rule says when altering it alone unsays it; where either of
two facts would do, neither does. The smallest change is looked for in the closed list of `changes`.

Nothing here is asked while a request waits for its answer.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import orjson

from leadglass.limits import EXPLAIN_EVALUATIONS, EXPLAIN_ROWS, EXPLAIN_SHOWN
from leadglass.model.disclosure import say
from leadglass.model.errors import Cause, Refusal
from leadglass.model.reasons import REASONS, Code, Disclose, Reason
from leadglass.policy import document
from leadglass.policy.changes import Change, Document, candidates
from leadglass.policy.engine import NoAnswer
from leadglass.policy.sources import PolicySet
from leadglass.policy.wasm import EXPLAIN, WasmEngine

_OTHER: Final = "(another)"
_FAR: Final = 10**6
_ENUMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "status": ("pass", "fail"),
        "type": ("person", "service"),
        "key_protection": ("tpm",),
        "binding": ("mtls", "proof"),
    }
)

Key: TypeAlias = tuple[str, str, str, int | None, bytes]
"""Kind, rule, code, row, and the parameters as JSON."""


@dataclass(frozen=True, slots=True)
class Saying:
    """One thing that one rule says: `rule` is area/rule. `facts` maps the paths of the input that it hangs on to values."""

    rule: str
    kind: Literal["grant", "deny"]
    code: str
    row: int | None
    params: Mapping[str, str]
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why. `causes` are the whole's, `rows` pairs of study index and cause.

    `smallest` are the changes that would each have been enough, as few parts as any; empty when none on the list is.
    `wanted` says what they would have brought about: to allow it, or to show the studies that a search left out.
    """

    allow: bool
    sayings: tuple[Saying, ...]
    causes: tuple[Cause, ...]
    rows: tuple[tuple[int, Cause], ...]
    wanted: Literal["allow", "show"] | None
    smallest: tuple[tuple[Change, ...], ...]
    tried: int


@dataclass(frozen=True, slots=True)
class Personal:
    """The same for the person refused: sentences they may read, and what they can do. Tells nothing of any study."""

    codes: tuple[str, ...]
    sentences: tuple[str, ...]
    steps: tuple[str, ...]


class Explainer:
    """Explains decisions under one policy set. Takes milliseconds for one study, up to seconds for a page of 200."""

    def __init__(self, files: PolicySet, engine: WasmEngine) -> None:
        self._files, self._engine = files, engine
        self._asked = 0

    def explain(self, judged: Document) -> Explanation:
        """Explain the decision on an input (valid under schemas/input.json). Raises NoAnswer when there is none."""
        self._asked = 0
        search = judged["action"]["name"] == "search"
        answer = document.read(
            self._decide(judged), self._files.schemas["schemas/decision.json"], self._files.reasons,
            studies=len(judged["studies"]), search=search,
        )  # fmt: skip
        rows = tuple((row.row, row.cause) for row in answer.rows)
        changes = candidates(judged, self._files.tables)
        sayings = self._sayings(judged, changes, {row for row, _ in rows})
        wanted: Literal["allow", "show"] | None = None if answer.allow else "allow"
        if answer.allow and rows:
            wanted = "show"
        found = (
            () if wanted is None else self._smallest(judged, changes, _Goal(self._files.reasons, rows=wanted == "show"))
        )
        return Explanation(answer.allow, sayings, answer.causes, rows, wanted, found, self._asked)

    def personal(self, judged: Document) -> Personal:
        """Explain a refusal to the person refused. Raises NoAnswer.

        What a person reads is made from reasons that may be disclosed alone: a study that a rule hides and one that is
        not there give the same text, and so does the search for what would help.
        """
        self._asked = 0
        said = self._decide(judged)
        causes = [
            Cause(reason, one["params"]) for one in _reasons(said) if (reason := self._files.reasons.get(one["code"]))
        ]
        told = [cause for cause in causes if cause.reason.disclose is Disclose.SUBJECT]
        words = say(Refusal(*(told or [Cause(REASONS[Code.STUDY_NOT_VISIBLE])])))
        if not told:
            return Personal(words.codes, (words.detail,), ())
        changes = [change for change in candidates(judged, self._files.tables) if change.personal is not None]
        found = self._smallest(judged, changes, _Goal(self._files.reasons, personal=True))
        steps = dict.fromkeys("; ".join(dict.fromkeys(str(part.personal) for part in one)) for one in found)
        sentences = tuple(dict.fromkeys(say(Refusal(cause)).detail for cause in told))
        return Personal(words.codes, sentences, tuple(steps))

    def _decide(self, judged: Document) -> Document:
        self._asked += 1
        said = self._engine.evaluate_now(orjson.dumps(judged))
        return said if isinstance(said, dict) else {}

    def _says(self, judged: Document) -> dict[Key, Mapping[str, Any]]:
        """Return what each rule says by itself. Raises NoAnswer."""
        self._asked += 1
        found: dict[Key, Mapping[str, Any]] = {}
        said: Any = self._engine.evaluate_now(orjson.dumps(judged), EXPLAIN)
        for kind in ("grant", "deny"):
            for area, rule, elements in said[kind]:
                for one in elements:
                    params = orjson.dumps(one.get("params", {}), option=orjson.OPT_SORT_KEYS)
                    found[kind, f"{area}/{rule}", one["code"], one.get("row"), params] = one
        return found

    def _sayings(self, judged: Document, changes: Sequence[Change], denied: set[int]) -> tuple[Saying, ...]:
        said = self._says(judged)
        rows = sorted(denied or set(range(len(judged["studies"]))))[:EXPLAIN_ROWS]
        used: dict[Key, dict[str, object]] = {key: {} for key in said}
        for path, value, altered in itertools.chain(_alterations(judged, rows), _changed(judged, changes)):
            try:
                left = self._says(altered)
            except NoAnswer:
                continue  # without this fact it is no question at all
            for key in _unsaid(said, left):
                used[key].setdefault(path, value)
        return tuple(
            Saying(key[1], "grant" if key[0] == "grant" else "deny", key[2], key[3], one.get("params", {}), used[key])
            for key, one in sorted(said.items(), key=lambda item: (item[0][0] == "deny", item[0][3] or 0, item[0][1:3]))
        )

    def _smallest(self, judged: Document, changes: Sequence[Change], goal: "_Goal") -> tuple[tuple[Change, ...], ...]:
        for size in (1, 2):
            found = []
            for some in itertools.combinations(changes, size):
                if self._asked >= EXPLAIN_EVALUATIONS:
                    break
                if goal.left(self._with(judged, some)) == 0:
                    found.append(some)
                if len(found) >= EXPLAIN_SHOWN:
                    break
            if found:
                return tuple(found)
        together = self._together(judged, changes, goal)
        return (together,) if together else ()

    def _together(self, judged: Document, changes: Sequence[Change], goal: "_Goal") -> tuple[Change, ...]:
        """Return changes that are enough together and of which none can be left out; empty when there are none."""
        taken: tuple[Change, ...] = ()
        left = goal.left(self._with(judged, ()))
        while left:
            tried = [(goal.left(self._with(judged, (*taken, one))), number, one) for number, one in enumerate(changes)]
            best = min(tried, key=lambda one: one[:2], default=None)
            if best is None or best[0] >= left:
                return ()
            left, taken = best[0], (*taken, best[2])
        for one in taken:
            fewer = tuple(other for other in taken if other is not one)
            if goal.left(self._with(judged, fewer)) == 0:
                taken = fewer
        return taken

    def _with(self, judged: Document, changes: Iterable[Change]) -> Document | None:
        """Return the decision with these changes, None when there is none."""
        altered = _copy(judged)
        for change in changes:
            change.apply(altered)
        try:
            return self._decide(altered)
        except NoAnswer:
            return None


@dataclass(frozen=True, slots=True)
class _Goal:
    """What is wanted of a decision: that it allows, that it denies no `rows` either, or nothing a person may be told."""

    reasons: Mapping[str, Reason]
    rows: bool = False
    personal: bool = False

    def left(self, said: Document | None) -> int:
        """Return how many denials stand in the way."""
        if said is None:
            return _FAR
        if self.personal:
            told = [self.reasons.get(one["code"]) for one in said["reasons"]]
            return sum(reason is not None and reason.disclose is Disclose.SUBJECT for reason in told)
        against = len(said["reasons"]) + len(said["rows"])
        return 0 if said["allow"] and not (self.rows and said["rows"]) else max(against, 1)


def _unsaid(before: Iterable[Key], after: Iterable[Key]) -> Iterator[Key]:
    """Yield what is said no more. What is said still, with other parameters alone, is said."""
    now = set(after)
    was, still = Counter(key[:4] for key in before), Counter(key[:4] for key in now)
    return (key for key in before if key not in now and still[key[:4]] < was[key[:4]])


def _reasons(said: Document) -> list[Document]:
    """Return what a refusal is told by: the whole's reasons, or the rows' when there are none."""
    return list(said.get("reasons") or said.get("rows") or ())


def _copy(judged: Document) -> Document:
    copied: Document = orjson.loads(orjson.dumps(judged))
    return copied


def _changed(judged: Document, changes: Iterable[Change]) -> Iterator[tuple[str, object, Document]]:
    for change in changes:
        altered = _copy(judged)
        change.apply(altered)
        yield change.path, value_at(judged, change.path), altered


def _alterations(judged: Document, rows: Sequence[int]) -> Iterator[tuple[str, object, Document]]:
    """Yield (path, value, input with that fact altered) for every fact but those of studies outside `rows`."""
    for part in ("subject", "action", "resource", "device", "context", "missing"):
        yield from _altered(judged, (part,))
    for row in rows:
        yield from _altered(judged, ("studies", row))


def _altered(judged: Document, path: tuple[str | int, ...]) -> Iterator[tuple[str, object, Document]]:
    value = _at(judged, path)
    if value is None:
        return
    if isinstance(value, dict):
        for key in value:
            yield from _altered(judged, (*path, key))
        return
    if isinstance(value, list):
        for index in range(len(value)):
            altered = _copy(judged)
            del _at(altered, path)[index]
            yield _spelt((*path, index)), value[index], altered
        others: tuple[object, ...] = ([],) if value else ()
    elif isinstance(value, bool):
        others = (not value,)
    elif isinstance(value, int | float):
        others = (0, _FAR)
    else:
        others = (_OTHER, *_ENUMS.get(str(path[-1]), ()))
    for other in others:
        altered = _copy(judged)
        _at(altered, path[:-1])[path[-1]] = other
        yield _spelt(path), value, altered
    if len(path) > 1:
        altered = _copy(judged)
        del _at(altered, path[:-1])[path[-1]]
        yield _spelt(path), value, altered


def _at(judged: Any, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - JSON
    for key in path:
        judged = judged[key]
    return judged


def _spelt(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def value_at(judged: Document, path: str) -> object:
    """Return the value at a dotted path of objects, None when there is none."""
    value: Any = judged
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    found: object = value
    return found
