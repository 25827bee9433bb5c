"""Refusals of the control side as problem documents (RFC 9457)."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from leadglass.model.disclosure import say
from leadglass.model.errors import Refusal

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
REASON: Final = "Leadglass-Reason"
"""Reason and detail, for the record, of an answer whose body is in a form of others. Never leaves the gateway."""


def tell(answer: web.Response, code: str, detail: str) -> web.Response:
    """Let the record know why this is the answer. What others sent may stand in `detail`."""
    plain = "".join(character for character in detail if character.isascii() and character.isprintable())
    answer.headers[REASON] = f"{code} {plain}"
    return answer


def reply(document: object, status: int = 200) -> web.Response:
    """Return a JSON reply."""
    return web.Response(body=orjson.dumps(document), status=status, content_type=JSON)


def problem(refusal: Refusal, decision_id: str | None, more: Mapping[str, Any]) -> web.Response:
    """Return a refusal in words, with the members of `more` beside the standard ones."""
    said = say(refusal)
    document: dict[str, Any] = {
        "type": f"urn:leadglass:reason:{said.codes[0]}",
        "title": said.title,
        "status": said.status,
        "detail": said.detail,
        "reasons": said.codes,
        "remediation": said.remediation,
        **more,
    }
    if decision_id is not None:
        document["decision_id"] = decision_id
    return web.Response(
        body=orjson.dumps(document), status=said.status, headers=dict(said.headers), content_type=PROBLEM
    )


def fault(status: int, title: str, detail: str, hint: str = "") -> web.Response:
    """Return a refusal that is told to an administrator alone: plain words, and the way to fix it."""
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail, "hint": hint}
    return web.Response(body=orjson.dumps(document), status=status, content_type=PROBLEM)
