"""What the pages for people share: how they leave, where they send on to, and the forms that come back."""

from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from leadglass.access.signin import Turn
from leadglass.codec import strictjson
from leadglass.gateways.control.problems import JSON
from leadglass.gateways.shell import policy, shell
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code

_FORM: Final = "application/x-www-form-urlencoded"
_SEE_OTHER: Final = 303
_FIELDS: Final = 8


def page(title: str, content: str, status: int = 200, allowed: str | None = None) -> web.Response:
    """Return a page. `allowed` is its Content-Security-Policy; without it, forms lead to our own origin alone."""
    return web.Response(
        body=shell(title, content),
        status=status,
        headers={"Content-Security-Policy": policy() if allowed is None else allowed, "Referrer-Policy": "same-origin"},
        content_type="text/html",
        charset="utf-8",
    )


def go_to(turn: Turn) -> web.Response:
    """Send the browser on, with the cookies it takes along."""
    response = web.Response(status=_SEE_OTHER, headers={"Location": turn.location, "Referrer-Policy": "no-referrer"})
    for line in turn.cookies:
        response.headers.add("Set-Cookie", line)
    return response


async def form_of(request: web.Request) -> dict[str, str]:
    """Return a form, or a flat JSON object of strings. Raises Refusal."""
    try:
        if request.content_type == JSON:
            document = strictjson.loads(await request.read())
            if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
                raise refuse(Code.HTTP_MALFORMED, "the body is not an object of strings")
            return document
        if request.content_type != _FORM:
            raise refuse(Code.HTTP_MALFORMED, "the body is not a form")
        body = await request.text()
        pairs = parse_qsl(body, keep_blank_values=True, strict_parsing=True, max_num_fields=_FIELDS) if body else []
    except web.HTTPRequestEntityTooLarge:
        raise refuse(Code.BODY_TOO_LARGE) from None
    except (ValueError, LookupError):
        raise refuse(Code.HTTP_MALFORMED, "the body is not a form") from None
    if len(dict(pairs)) != len(pairs):
        raise refuse(Code.HTTP_MALFORMED, "a field more than once")
    return dict(pairs)
