"""What a refused person may know (law 12): the one place that turns a refusal into what is said.

A reason with `disclose: log` comes from facts about a study or a patient. It is left out of what is said, and a
refusal with no other reason is answered exactly as one for a study that does not exist.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from leadglass.model.errors import Cause, Refusal, StepUp
from leadglass.model.reasons import REASONS, Code, Disclose

_NONE: Mapping[str, str] = MappingProxyType({})
_NOT_VISIBLE: Final = Cause(REASONS[Code.STUDY_NOT_VISIBLE])
_PARAMETER: Final = re.compile(r"\{([a-z][a-z0-9_]{0,31})\}")
_UNKNOWN: Final = "(unknown)"
_VALUE_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Said:
    """A refusal in words, fit for the person. `detail` is one sentence; `remediation` one sentence for each code."""

    status: int
    title: str
    detail: str
    codes: tuple[str, ...]
    remediation: tuple[str, ...]
    headers: Mapping[str, str]
    step_up: StepUp | None
    challenge: str = ""
    sign_in: str | None = None
    ways: tuple[tuple[str, str], ...] = ()


def sentence(template: str, params: Mapping[str, str]) -> str:
    """Put parameters into a sentence. A missing one is `(unknown)`; controls and overlong values are cut."""
    return _PARAMETER.sub(lambda match: _plain(params.get(match[1], _UNKNOWN)), template)


def _plain(value: object) -> str:
    text = str(value)[:_VALUE_CHARS]
    # Controls, format characters (bidirectional overrides), surrogates, and line and paragraph separators.
    kept = "".join(char for char in text if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"})
    return kept or _UNKNOWN


def say(refusal: Refusal) -> Said:
    """Return what may be said about a refusal. The first reason that may be told decides the status."""
    causes = tuple(cause for cause in refusal.causes if cause.reason.disclose is Disclose.SUBJECT)
    told = bool(causes) and causes[0].reason.code != Code.STUDY_NOT_VISIBLE
    if not told:
        causes = (_NOT_VISIBLE,)
    first = causes[0]
    return Said(
        status=first.reason.status,
        title=first.reason.title,
        detail=sentence(first.reason.sentence, first.params),
        codes=tuple(dict.fromkeys(str(cause.reason.code) for cause in causes)),
        remediation=tuple(dict.fromkeys(sentence(cause.reason.fix, cause.params) for cause in causes)),
        headers=refusal.headers if told else _NONE,
        step_up=refusal.step_up if told else None,
        challenge=refusal.challenge if told else "",
        sign_in=refusal.sign_in if told else None,
        ways=refusal.ways,  # made for what is told, so they tell no more than that
    )
