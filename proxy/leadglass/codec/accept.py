"""Accept (RFC 9110 section 12.5.1) against what a transaction offers (PS3.18 section 8.7), down to one media type.

The upstream is asked for exactly one media type in one spelling: archives read lists, weights and wildcards
differently (Orthanc answers 400 to a list), and what the policy saw must be what is asked for.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from leadglass.codec.uid import is_uid
from leadglass.limits import ACCEPT_BYTES, ACCEPT_CACHE
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the token of RFC 9110, not a secret
# Values may hold a slash without quotes: viewers send type=application/octet-stream.
_PARAMETER = rf'[ \t]*;[ \t]*({_TOKEN})=("[^"\\]*"|[!#$%&\'*+.^_`|~0-9A-Za-z/-]+)'
_RANGE = re.compile(rf"[ \t]*({_TOKEN})/({_TOKEN})((?:{_PARAMETER})*)[ \t]*(?:,|$)")
_PARAMETERS = re.compile(_PARAMETER)
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")

JSON: Final = "application/dicom+json"
_ALIASES = {"application/json": JSON}
_MULTIPART = "multipart/related"


def related(media_type: str) -> str:
    """Return the canonical multipart type that carries parts of `media_type`."""
    return f'{_MULTIPART}; type="{media_type}"'


@dataclass(frozen=True, eq=False, slots=True)
class Offers:
    """The media types of a transaction in canonical spelling, the default first. Compared by identity."""

    media: tuple[str, ...]
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", frozenset(self.media))

    def choose(self, accept: str | None) -> str:
        """Return the one media type to ask the upstream for, its transfer-syntax parameter kept.

        `accept` is the field value, None when absent. Raises Refusal `not-acceptable`.
        """
        if accept is None or not self.media:
            return self.media[0] if self.media else "*/*"
        return _choose(self, accept)


@dataclass(frozen=True, slots=True)
class _Range:
    kind: str
    subtype: str
    parameters: dict[str, str]
    weight: float

    @property
    def wildness(self) -> int:
        return (self.kind == "*") + (self.subtype == "*")


def _refused(detail: str) -> Refusal:
    return refuse(Code.NOT_ACCEPTABLE, detail)


@lru_cache(maxsize=ACCEPT_CACHE)
def _choose(offers: Offers, accept: str) -> str:
    if len(accept) > ACCEPT_BYTES:
        raise _refused("Accept too long")
    # A higher weight wins, then the more specific range, then the client's order.
    ranges = _parse(accept)
    banned = {_offer(offers, wanted) for wanted in ranges if not wanted.weight and not wanted.wildness}
    for wanted in sorted(ranges, key=lambda r: (-r.weight, r.wildness)):
        if wanted.weight and (offer := _offer(offers, wanted)) is not None and offer not in banned:
            return _with_transfer_syntax(offer, wanted.parameters.get("transfer-syntax"))
    raise _refused("nothing offered is accepted")


def _parse(accept: str) -> list[_Range]:
    ranges, at = [], 0
    while at < len(accept):
        found = _RANGE.match(accept, at)
        if found is None:
            raise _refused("Accept is malformed")
        kind, subtype = found[1].lower(), found[2].lower()
        if kind == "*" and subtype != "*":
            raise _refused("Accept is malformed")
        parameters: dict[str, str] = {}
        for name, value in _PARAMETERS.findall(found[3]):
            if name.lower() in parameters:
                raise _refused("Accept repeats a parameter")
            parameters[name.lower()] = value.strip('"')
        weight = parameters.pop("q", "1")
        if _WEIGHT.fullmatch(weight) is None:
            raise _refused("Accept has a malformed weight")
        ranges.append(_Range(kind, subtype, parameters, float(weight)))
        at = found.end()
    if not ranges or accept.rstrip(" \t").endswith(","):
        raise _refused("Accept is malformed")
    return ranges


def _offer(offers: Offers, wanted: _Range) -> str | None:
    if wanted.kind == "*":
        return offers.media[0]
    name = f"{wanted.kind}/{wanted.subtype}"
    inner = wanted.parameters.get("type", "*/*").lower()  # dicomweb-client spells "whatever there is" as type="*/*"
    if name == _MULTIPART and inner != "*/*":
        name = related(_ALIASES.get(inner, inner))
    name = name if name in offers.known else _ALIASES.get(name, name)
    if name in offers.known:
        return name
    # image/*, multipart/related without a type, multipart/related; type="image/*"
    stem = name.rstrip('"').removesuffix("*") if name.rstrip('"').endswith("/*") else None
    if name == _MULTIPART:
        stem = _MULTIPART
    return None if stem is None else next((offer for offer in offers.media if offer.startswith(stem)), None)


def _with_transfer_syntax(offer: str, transfer_syntax: str | None) -> str:
    if transfer_syntax is None:
        return offer
    if transfer_syntax != "*" and not is_uid(transfer_syntax):
        raise _refused("transfer-syntax is neither a UID nor *")
    return f"{offer}; transfer-syntax={transfer_syntax}"
