"""A refusal as HTTP: problem documents (RFC 9457), challenges (RFC 6750, RFC 9449 and RFC 9470), or a page for a browser."""

import re
from typing import Final, TypeAlias

import orjson

from leadglass.codec import navigation
from leadglass.gateways.http.page import page
from leadglass.gateways.shell import policy
from leadglass.model.credentials import PROOF_ALGORITHMS
from leadglass.model.disclosure import Said, say
from leadglass.model.errors import Refusal, StepUp
from leadglass.model.request import RawHead

Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]

_UNAUTHORIZED: Final = 401
_BEARER: Final = b'Bearer realm="leadglass"'
_DPOP: Final = b'DPoP realm="leadglass", algs="' + " ".join(PROOF_ALGORITHMS).encode("ascii") + b'"'
_UNQUOTABLE: Final = re.compile(r'[^\x20-\x7e]|["\\]')


def refusal_reply(refusal: Refusal, decision_id: str, head: RawHead) -> tuple[int, Fields, bytes]:
    """Return status, header fields and body of the reply to a refused request."""
    said = say(refusal)
    if wants_page(head):
        media, body = b"text/html; charset=utf-8", page(said, decision_id)
    else:
        media, body = b"application/problem+json", _document(said, decision_id)
    fields = [(b"Content-Type", media)]
    if media.startswith(b"text/html"):
        fields.append((b"Content-Security-Policy", policy().encode("ascii")))
        fields.append((b"Referrer-Policy", b"same-origin"))
    if said.status == _UNAUTHORIZED:
        fields.append((b"WWW-Authenticate", challenge(said, head)))
    for name, value in said.headers.items():
        if name.lower() != "www-authenticate":
            fields.append((name.encode("latin-1", "replace"), value.encode("latin-1", "replace")))
    return said.status, tuple(fields), body


def _document(said: Said, decision_id: str) -> bytes:
    ways = {"ways": [{"path": path, "words": words} for path, words in said.ways]} if said.ways else {}
    return orjson.dumps(
        {
            "type": f"urn:leadglass:reason:{said.codes[0]}",
            "title": said.title,
            "status": said.status,
            "detail": said.detail,
            "reasons": said.codes,
            "decision_id": decision_id,
            "remediation": said.remediation,
            **ways,
        }
    )


def challenge(said: Said, head: RawHead) -> bytes:
    """Return the WWW-Authenticate of a 401, in the scheme that was used, or in both when none was.

    RFC 6750 section 3.1: no error code when no token was sent. RFC 9449 section 7.1: `algs` with DPoP.
    """
    sent = next((value for name, value in head.fields if name == b"authorization"), None)
    bound = sent is not None and sent[:5].lower() == b"dpop "
    if said.step_up is not None:
        return (_DPOP if bound else _BEARER) + b", " + _step_up(said.step_up)
    if sent is None:
        return _BEARER + b", " + _DPOP
    if bound or said.challenge:  # a fault of a proof, or a bound token that came as Bearer
        return _DPOP + b', error="' + (said.challenge or "invalid_token").encode("ascii") + b'"'
    return _BEARER + b', error="invalid_token"'


def _step_up(step_up: StepUp) -> bytes:
    parts = ['error="insufficient_user_authentication"']
    if step_up.acr_values:
        parts.append(f'acr_values="{_UNQUOTABLE.sub("", " ".join(step_up.acr_values))}"')
    if step_up.max_age is not None:
        parts.append(f'max_age="{int(step_up.max_age)}"')
    return ", ".join(parts).encode("ascii")


def wants_page(head: RawHead) -> bool:
    """Return whether a person looks at this."""
    if head.method != "GET":
        return False
    fields = dict(head.fields)
    mode = fields.get(b"sec-fetch-mode")
    accept = fields.get(b"accept", b"").decode("latin-1")
    return navigation.wants_page(head.method, None if mode is None else mode.decode("latin-1"), accept)
