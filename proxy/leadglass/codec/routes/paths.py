"""The variable parts of a path: frame lists and attribute paths, canonical or refused."""

import re

from leadglass.codec.dictionary import KEYWORDS
from leadglass.limits import FRAMES_LISTED, NESTING_DEPTH
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code

# Frame numbers count from 1 (PS3.18 section 10.4.1.1.6) and are written one way: no sign, no leading zero.
_FRAMES = re.compile(rf"[1-9][0-9]{{0,8}}(?:,[1-9][0-9]{{0,8}}){{0,{FRAMES_LISTED - 1}}}")
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_ITEM = re.compile(r"[1-9][0-9]{0,5}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _malformed(detail: str) -> Refusal:
    return refuse(Code.HTTP_MALFORMED, detail)


def parse_frames(text: str) -> tuple[int, ...]:
    """Return the frame numbers of a list. Raises Refusal `http-malformed` unless canonical, distinct and bounded."""
    if _FRAMES.fullmatch(text) is None:
        raise _malformed(f"not a list of at most {FRAMES_LISTED} frame numbers")
    frames = tuple(map(int, text.split(",")))
    if len(frames) > 1 and len(set(frames)) != len(frames):
        raise _malformed("frame listed twice")
    return frames


def parse_attribute(parts: tuple[str, ...]) -> tuple[str, str]:
    """Return (canonical tag path, canonical path) of a bulk data URI's tail: tag [ "/" item "/" tag ]...

    `("300a00b0", "1", "BeamName")` is (`300A00B0.300A00C2`, `300A00B0/1/300A00C2`): items count from 1, and the tag
    path leaves them out, because a rule about an attribute is about it in every item.
    Raises Refusal `http-malformed`.
    """
    if len(parts) % 2 == 0 or len(parts) > 2 * NESTING_DEPTH:
        raise _malformed("attribute path does not end with an attribute")
    tags, written = [], []
    for at, part in enumerate(parts):
        if at % 2:
            if _ITEM.fullmatch(part) is None:
                raise _malformed("item number in the attribute path")
            written.append(part)
            continue
        tag = KEYWORDS.get(part) or (part.upper() if _TAG.fullmatch(part) else None)
        if tag is None or tag < "0008":
            raise _malformed("unknown attribute in the path")
        tags.append(tag)
        written.append(tag)
    return ".".join(tags), "/".join(written)
