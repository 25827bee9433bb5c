"""What `config check` asks of the archives, told at the line of each, and whether roles name them as they are called."""

from collections.abc import Iterator, Mapping
from typing import Any

from leadglass.config.look import Finding, Look
from leadglass.config.settings import Settings
from leadglass.upstream.finding import Finding as Found
from leadglass.upstream.probe import probe
from leadglass.upstream.signer import ASSERTION_KEY, Signer


def unknown(settings: Settings, roles: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the archives that roles name and nobody knows, each with its place in the table."""
    for role, said in roles.items():
        for entry, allowed in enumerate(said["allow"]):
            for at, name in enumerate(allowed.get("upstreams", ())):
                if name not in settings.upstreams:
                    yield ("roles", role, "allow", entry, "upstreams", at), name


async def asked(look: Look) -> list[Finding]:
    """Ask every archive what it is and how it answers. Nothing is changed by it."""
    settings = look.settings
    signer = Signer(settings.store.parent / ASSERTION_KEY, look.clock)
    return [
        _told(look, name, found)
        for name, upstream in settings.upstreams.items()
        for found in await probe(upstream, settings.public_url, signer)
    ]


def _told(look: Look, name: str, found: Found) -> Finding:
    where = look.at("upstreams", name)
    said = {"archive": name, "of": found.name, "found": found.found or found.problem or "ok", "chosen": found.chosen}
    if found.ok:
        return Finding("ok", where, f"archive: {found.words}", said=said)
    return Finding("warning" if found.warning else "error", where, found.problem, found.hint, said)
