"""Query keys of everything but searches: each with the shape of its value (PS3.18 sections 8.3.5 and 9.1)."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from leadglass.codec.query import refused
from leadglass.codec.uid import is_uid

_NUMBER = r"-?[0-9]{1,7}(?:\.[0-9]{1,7})?"
_UID = r"[0-9.]{1,64}"
_MEDIA_TYPE = r"[a-z]{1,12}/[a-z0-9.+-]{1,40}"

_RENDER = {
    "accept": rf"{_MEDIA_TYPE}(?:,{_MEDIA_TYPE}){{0,7}}",
    "annotation": r"(?:patient|technique)(?:,(?:patient|technique))?",
    "charset": r"[A-Za-z0-9_-]{1,40}",
    "iccprofile": r"no|yes|srgb|adobergb|rommrgb|displayp3",
    "quality": r"[1-9][0-9]?|100",
    "viewport": rf"[0-9]{{1,5}},[0-9]{{1,5}}(?:,(?:{_NUMBER})?){{0,4}}",
    "window": rf"{_NUMBER},{_NUMBER},(?:linear|linear-exact|sigmoid)",
}
# Keys that name other objects (volumeinputreference, match, presentationUID) have no row: nobody would judge those.
_VOLUME = {
    **{key: _RENDER[key] for key in ("accept", "annotation", "charset", "iccprofile", "quality", "viewport", "window")},
    **dict.fromkeys(
        ("viewpointposition", "viewpointlookat", "viewpointup", "mprslab", "swivelrange"),
        rf"{_NUMBER}(?:,{_NUMBER}){{0,7}}",
    ),
    "animationrate": _NUMBER,
    "animationstepsize": _NUMBER,
    "orientation": r"[a-z0-9.,-]{1,64}",
    "renderingmethod": r"[a-z_-]{1,40}",
    "volumetriccurvepoint": rf"{_NUMBER}(?:,{_NUMBER}){{2,64}}",
}
_WADO_URI = {
    "requestType": "WADO",
    "studyUID": _UID,
    "seriesUID": _UID,
    "objectUID": _UID,
    "anonymize": "yes",
    "annotation": _RENDER["annotation"],
    "charset": _RENDER["charset"],
    "columns": r"[1-9][0-9]{0,4}",
    "contentType": _MEDIA_TYPE,
    "frameNumber": r"[1-9][0-9]{0,8}",
    "imageQuality": _RENDER["quality"],
    "region": rf"{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}",
    "rows": r"[1-9][0-9]{0,4}",
    "transferSyntax": _UID,
    "windowCenter": _NUMBER,
    "windowWidth": _NUMBER,
}

_SHAPES: Final[Mapping[str, Mapping[str, str]]] = {
    "none": {},
    "render": _RENDER,
    "thumbnail": {key: _RENDER[key] for key in ("accept", "viewport")},
    "volume": _VOLUME,
    "uid": {"workitem": _UID, "transaction": _UID},
    "subscription": {
        "deletionlock": "true|false",
        "filter": r"[^\x00-\x20\x7f-\x9f&#](?:[^\x00-\x1f\x7f-\x9f&#]{0,1022}[^\x00-\x20\x7f-\x9f&#])?",
    },
    "wado-uri": _WADO_URI,
}
RULES: Final[Mapping[str, Mapping[str, re.Pattern[str]]]] = MappingProxyType(
    {rule: {key: re.compile(shape) for key, shape in keys.items()} for rule, keys in _SHAPES.items()}
)


def parse_keys(rule: str, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the keys of a query under `rule`, each once and well-shaped. Raises Refusal `query-refused`."""
    shapes = RULES[rule]
    keys: dict[str, str] = {}
    for key, value in pairs:
        shape = shapes.get(key)
        if shape is None:
            raise refused(key, "unknown key")
        if key in keys:
            raise refused(key, "key more than once")
        if shape.fullmatch(value) is None or (shape.pattern == _UID and not is_uid(value)):
            raise refused(key, "value is not of its shape")
        keys[key] = value
    return keys


def write_keys(keys: Mapping[str, str]) -> str:
    """Return the query of these keys in canonical order, encoded."""
    return "&".join(f"{key}={quote(value, safe='*,/')}" for key, value in sorted(keys.items()))
