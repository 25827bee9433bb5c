"""Doubts about trusted proxies: settings that are sound, and believe more machines than their writer may think."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from leadglass.codec.address import Network, block
from leadglass.config.settings import Settings

_WIDE_BITS: Final = 16  # the pods of a cluster
_ALONE: Final = "list the proxies alone"


class Doubt(NamedTuple):
    """One of them: the setting, what it means, and what to do."""

    path: tuple[str | int, ...]
    problem: str
    fix: str


def doubts(settings: Settings, named: Mapping[str, Sequence[str]]) -> Iterator[Doubt]:
    """Yield them; `named` is the table of named networks."""
    blocks = [(name, block(text)) for name, texts in named.items() for text in texts]
    for at, proxy in enumerate(settings.trusted_proxies):
        for place, trusted in enumerate(proxy.networks):
            path = ("trusted_proxies", at, "networks", place)
            covered = next((name for name, one in blocks if _covers(trusted, one)), None)
            if trusted.is_loopback:
                fix = "list loopback only where nobody but the gateway and its proxy runs"
                yield Doubt(path, "every program on this machine may say whose request it is", fix)
            elif covered is not None:
                problem = f"covers the network {covered}: each of its machines may say whose request it is"
                yield Doubt(path, problem, _ALONE)
            elif trusted.max_prefixlen - trusted.prefixlen > _WIDE_BITS:
                problem = f"is {trusted.num_addresses:,} addresses, each of which may say whose request it is"
                yield Doubt(path, problem, _ALONE)
    plain = settings.listen.http
    if plain is not None and not plain.loopback:
        fix = "let the proxy speak TLS 1.3 to listen.https, or keep that network to the two of them"
        yield Doubt(("listen", "http"), "images and tokens cross the network in plain text", fix)


def _covers(trusted: Network, one: Network) -> bool:
    return trusted.version == one.version and trusted.overlaps(one) and one.prefixlen >= trusted.prefixlen
