"""Where the links of one archive lead, and what is said of those that lead past the gateway.

A viewer that follows such a link asks a stranger for a study, with what the link says of it, and no policy is asked. So
it is taken out of the reply, counted, and its host is named in the log, once each.
"""

import logging
from collections.abc import Iterable

from leadglass.codec.head import authorities
from leadglass.codec.links.bases import Bases, host_of, parse_base
from leadglass.limits import LINK_HOSTS
from leadglass.telemetry.metrics import LINKS_REMOVED
from leadglass.upstream.settings import UpstreamSettings

_log = logging.getLogger("leadglass.upstream")


def bases_of(
    settings: UpstreamSettings, public: str, public_urls: Iterable[str], beside: Iterable[UpstreamSettings] = ()
) -> Bases:
    """Return the bases of an archive, led to the gateway's origin `public`.

    Links that name an origin of the gateway already are led too: an archive may have been told its public address. So are
    those to the archives `beside` it, which are asked through the gateway as well.
    """
    urls = tuple(public_urls)
    return Bases([pair for one in (settings, *beside) for pair in _led(one, public, urls)])


def _led(settings: UpstreamSettings, public: str, public_urls: Iterable[str]) -> list[tuple[str, str]]:
    """Return each base of one archive with what stands for it."""
    dicomweb, wado = f"{public}{settings.mount}", f"{public}{settings.wado_mount}"
    led = [(f"{settings.url}{settings.dicomweb}", dicomweb), (f"{settings.url}{settings.wado_uri}", wado)]
    for base in settings.link_bases:
        if parse_base(base)[1]:
            led.append((base, dicomweb))
        else:
            origin = base.removesuffix("/")
            led += [(f"{origin}{settings.dicomweb}", dicomweb), (f"{origin}{settings.wado_uri}", wado)]
    for url in public_urls:
        led += [(f"{url}{settings.mount}", dicomweb), (f"{url}{settings.wado_mount}", wado)]
    return led


class LedLinks:
    """A `model.ports.Links` that tells of what it takes out."""

    def __init__(self, bases: Bases, told: set[str]) -> None:
        self._bases, self._told = bases, told

    def lead(self, link: str, *, data: bool = False) -> str | None:
        """Return the link as a client may have it, None for one that leads elsewhere."""
        led = self._bases.lead(link)
        if led is not None:
            return led
        if data:
            return link
        LINKS_REMOVED.add()
        host = host_of(link)
        if host not in self._told and len(self._told) < LINK_HOSTS:
            self._told.add(host)
            _log.warning(
                "a link of the archive leads to %s and was removed; upstreams.*.link_bases names its own addresses",
                host,
            )
        return None


def links_of(
    settings: UpstreamSettings, public_urls: Iterable[str], beside: Iterable[UpstreamSettings] = ()
) -> dict[str, LedLinks]:
    """Return where links lead for clients of each authority of the gateway; none where the archive writes them itself."""
    if not settings.rewrites:
        return {}
    urls, others, told = tuple(public_urls), tuple(one for one in beside if one is not settings), set[str]()
    return {name: LedLinks(bases_of(settings, url, urls, others), told) for name, url in authorities(urls).items()}
