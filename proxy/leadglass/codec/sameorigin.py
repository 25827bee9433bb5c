"""The same-origin proof of a request that a cookie authorises (Fetch Metadata; RFC 6454 section 7).

Browsers send cookies with requests that other sites caused. A request that changes something must show that our own
origin caused it; one that reads must not be a subresource of another site, a sibling of our host included, and
frames count as one: pages elsewhere learn from how and when they load.
"""

from typing import Final

from leadglass.model.errors import refuse
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FOREIGN: Final = frozenset({"cross-site", "same-site"})
_VISIT: Final = ("navigate", "document")  # mode and destination of a link that was followed


def changes_from_elsewhere(request: CleanRequest, origin: str) -> bool:
    """Return whether a browser says that a page of another origin caused a request that changes something."""
    site, said = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    return request.method not in _SAFE and (site in _FOREIGN or said not in {None, origin})


def check(request: CleanRequest, origin: str) -> None:
    """Raise Refusal `origin-refused` unless `origin` (ours, as in public_url) caused the request."""
    get = request.headers.get
    site, said = get("sec-fetch-site"), get("origin")
    if request.method in _SAFE:
        if site in _FOREIGN and (get("sec-fetch-mode"), get("sec-fetch-dest") or "document") != _VISIT:
            raise refuse(Code.ORIGIN_REFUSED, f"{site} subresource")
        if said not in {None, origin}:  # browsers without Fetch Metadata say it in `cors` mode
            raise refuse(Code.ORIGIN_REFUSED, "Origin is another's")
        return
    if site is None and said is None:
        raise refuse(Code.ORIGIN_REFUSED, "neither Origin nor Sec-Fetch-Site")
    if site not in {None, "same-origin"}:
        raise refuse(Code.ORIGIN_REFUSED, "Sec-Fetch-Site is another's")
    if said not in {None, origin}:
        raise refuse(Code.ORIGIN_REFUSED, "Origin is another's")
