"""Which pages of other origins may read what the gateway answers (the CORS protocol of the Fetch standard, section 3.3).

The origins are those of a list, compared letter by letter; what a request says is looked up there and never repeated. A
page that is not listed is told nothing, and its browser keeps the answer from it.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias, get_args

from leadglass.codec.routes.row import Method
from leadglass.model.request import CleanRequest

Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]

_VARY: Final = ((b"Vary", b"Origin"),)
# What pages may read of an answer beyond what Fetch lets them (section 4.6, CORS-safelisted response-header names).
_EXPOSED: Final = b"Leadglass-Decision-Id, WWW-Authenticate, DPoP-Nonce, Retry-After, Warning, Location, Content-Location, Link, Content-Disposition, ETag"
# What pages may say. Accept is asked about when it holds a quote, as that of every DICOM part does.
_TAKEN: Final = b"Accept, Authorization, Content-Type, DPoP, Leadglass-Purpose, Leadglass-Break-Glass"
_METHODS: Final = ", ".join(get_args(Method)).encode("ascii")


class Cors:
    """The list in force. `credentials` lets browsers send certificates and cookies along; `seconds` keep a preflight."""

    def __init__(self, origins: Iterable[str], *, credentials: bool = False, seconds: int = 600) -> None:
        allowed = ((b"Access-Control-Allow-Credentials", b"true"),) if credentials else ()
        self._shared: Mapping[str, Fields] = {
            origin: (
                *_VARY,
                (b"Access-Control-Allow-Origin", origin.encode("ascii")),
                (b"Access-Control-Expose-Headers", _EXPOSED),
                *allowed,
            )
            for origin in origins
        }
        self._granted: Fields = (
            (b"Access-Control-Allow-Methods", _METHODS),
            (b"Access-Control-Allow-Headers", _TAKEN),
            (b"Access-Control-Max-Age", b"%d" % seconds),
        )

    def lists(self, request: CleanRequest) -> bool:
        """Return whether a page of a listed origin asks."""
        return request.headers.get("origin") in self._shared

    def shared(self, request: CleanRequest) -> Fields:
        """Return the fields of whatever answers this request."""
        return self._shared.get(request.headers.get("origin") or "", _VARY)

    def granted(self, request: CleanRequest) -> Fields:
        """Return the further fields of the answer to a preflight of a listed page."""
        if request.headers.get("access-control-request-private-network") == "true":  # a list is what that asks for
            return (*self._granted, (b"Access-Control-Allow-Private-Network", b"true"))
        return self._granted


def is_preflight(request: CleanRequest) -> bool:
    """Return whether a browser asks if a page may ask (Fetch section 3.3.2): no other OPTIONS has both fields."""
    fields = request.headers.fields
    return request.method == "OPTIONS" and "origin" in fields and "access-control-request-method" in fields
