"""Whose request it is, when a proxy that is trusted to say so stands between.

What a proxy says is read in the one way that `trusted_proxies` names for its address, and in no other: a proxy that sets
`X-Forwarded-For` mostly hands on a `Forwarded` that the client made up. Of everybody else such fields are not read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from leadglass.codec.address import canonical
from leadglass.codec.forwarded import client_cert, forwarded, malformed, x_forwarded_for
from leadglass.gateways.http.settings import PROXY_V2, ProxySettings
from leadglass.limits import CLIENT_ADDRESSES, FORWARDING_HOPS
from leadglass.model.request import Peer

_READ: Final = {"x-forwarded-for": x_forwarded_for, "forwarded": forwarded}
Fields = Sequence[tuple[bytes, bytes]]


class Proxies:
    """The trusted proxies in force."""

    def __init__(self, settings: Iterable[ProxySettings] = ()) -> None:
        self._blocks = [(network, proxy) for proxy in settings for network in proxy.networks]
        self._found: dict[str, ProxySettings | None] = {}

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def find(self, ip: str) -> ProxySettings | None:
        """Return the proxy at an address (in its one spelling), None when nobody trusted is there."""
        if not self._blocks:
            return None
        if ip not in self._found:
            if len(self._found) >= CLIENT_ADDRESSES:
                self._found.clear()
            address = canonical(ip)
            self._found[ip] = next(
                (proxy for block, proxy in self._blocks if block.version == address.version and address in block), None
            )
        return self._found[ip]

    def client(self, peer: Peer, fields: Fields) -> Peer:
        """Return whose request it is that came from `peer` with these fields: the last hop that is not trusted.

        Raises Refusal `forwarding-malformed` when a proxy does not say it: its own address must not stand for strangers.
        """
        proxy = self.find(peer.ip)
        if proxy is None or proxy.speaks == PROXY_V2:
            return peer
        name = proxy.speaks.encode()
        client = None
        for hops, ip in enumerate(_READ[proxy.speaks]([value for key, value in fields if key == name])):
            if hops >= FORWARDING_HOPS:
                raise malformed(f"more than {FORWARDING_HOPS} trusted hops")
            client = ip
            before = self.find(ip)
            if before is None or before.speaks != proxy.speaks:
                break
        if client is None:
            raise malformed(f"the proxy sent no {proxy.speaks}")
        # The proxy ends TLS, so the certificate of this connection is its own.
        shown = client_cert([value for key, value in fields if key == b"client-cert"]) if proxy.client_cert else None
        return replace(peer, ip=client, port=0, certificate=shown, attested=True, traced=proxy.traceparent)
