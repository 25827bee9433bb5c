"""What a reload replaces, what is told of it to others, and how it is closed once nothing that began under it runs."""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from leadglass.access.services import Archive
from leadglass.attributes import network
from leadglass.attributes.geo import Geo, Note
from leadglass.attributes.network import Networks
from leadglass.attributes.sources import Sources
from leadglass.attributes.studies import Begun, StudyFacts
from leadglass.clock import Clock
from leadglass.codec.cors import Cors
from leadglass.codec.routes import Places, Table
from leadglass.config.settings import Settings
from leadglass.deid.masks import Masks, load_masks
from leadglass.deid.profile import load_profiles
from leadglass.epochs import Epochs
from leadglass.gateways.http.settings import TlsSettings
from leadglass.hazmat.servercert import trust_anchors
from leadglass.identity.identity import Identity
from leadglass.identity.providers import Providers
from leadglass.identity.transmitters import Transmitters
from leadglass.model.errors import ConfigurationError
from leadglass.obligations.lens import Lens
from leadglass.policy.decide import Active
from leadglass.static.mounts import Mount, Mounts
from leadglass.tasks import Tasks
from leadglass.telemetry import metrics
from leadglass.traces.tracer import Tracer
from leadglass.upstream.signer import Signer
from leadglass.upstream.upstream import Upstream

_RETIRE_SECONDS: Final = 3600  # the longest reply that a reload waits for before it closes what it replaced


# A reload leaves these as they are: they are open, and what runs stands on them.
_FIXED: Final = ("listen", "metrics", "admin", "audit", "notices", "store")


def refuse_fixed(old: Settings, new: Settings) -> None:
    """Hold a reload to what can change while the gateway runs. Raises ConfigurationError."""
    for name in _FIXED:
        if getattr(old, name) != getattr(new, name):
            raise ConfigurationError(f"{name} cannot change while the gateway runs", hint="restart it")


@dataclass(frozen=True, slots=True)
class Reloadable:
    """The parts that a reload replaces, built from one reading of the settings."""

    settings: Settings
    identity: Identity
    providers: Providers
    transmitters: Transmitters
    geo: Geo
    networks: Networks
    sources: Sources
    archives: Mapping[str, Archive]
    routes: Places
    files: Mounts
    lenses: Mapping[str, Lens]
    tracer: Tracer | None = None


class Trust:
    """The CAs in the door's certificate file as it is now; as it was, while it cannot be read."""

    def __init__(self, files: TlsSettings | None) -> None:
        self._files = files
        self._known: tuple[str, ...] = ()

    def __call__(self) -> tuple[str, ...]:
        """Return the CA certificates, PEM."""
        if self._files is not None:
            with contextlib.suppress(OSError, ValueError):
                self._known = trust_anchors(self._files.certificate.read_bytes())
        return self._known


def networks_of(settings: Settings, active: Active) -> Mapping[str, list[str]]:
    """Return the table of named networks: the file that the settings name, else that of the policy set."""
    if settings.networks is not None:
        return network.load(settings.networks)
    table = active.files.tables.get("networks")
    names = table.get("networks") if isinstance(table, dict) else None
    return names if isinstance(names, dict) else {}


def cors_of(settings: Settings) -> Cors | None:
    """Return the list of pages of other origins; None when there is none."""
    if (cors := settings.cors) is None:
        return None
    return Cors(cors.origins, credentials=cors.credentials, seconds=cors.max_age_seconds)


async def geo_of(settings: Settings, old: Reloadable | None, epochs: Epochs, note: Note) -> Geo:
    """Return the source of countries: that in force where its settings did not change."""
    if old is not None and old.settings.geo == settings.geo:
        return old.geo
    geo = Geo(settings.geo, epochs, note)
    await geo.start()
    return geo


def mounts_of(settings: Settings) -> Mounts:
    """List the folders of the static mounts. Raises ConfigurationError."""
    roots, connect = settings.roots, (settings.sessions.agent,)
    return Mounts({path: Mount(path, folder, roots=roots, connect=connect) for path, folder in settings.static.items()})


def lenses_of(settings: Settings, old: Reloadable | None) -> Mapping[str, Lens]:
    """Make the profiles of research views ready; equal ones stay as they are. Raises ConfigurationError."""
    deid, before = settings.deid, {} if old is None else old.lenses
    masks, told = Masks(), ""
    if deid.masks is not None:
        masks = load_masks(deid.masks)
        told = hashlib.sha256(deid.masks.read_bytes()).hexdigest()
    lenses: dict[str, Lens] = {}
    for name, profile in load_profiles(deid.profiles).items():
        kept = before.get(name)
        lenses[name] = kept if kept is not None and kept.made_of == (profile, told) else Lens.of(profile, masks, told)
    return lenses


def routes_of(settings: Settings) -> Places:
    """Return the addresses of all archives and viewers. Raises ConfigurationError."""
    return Places(
        (
            Table(one.mount, one.wado_mount, frozenset(one.enable), one.kind, name)
            for name, one in settings.upstreams.items()
        ),
        settings.static,
    )


def upstreams_of(
    settings: Settings, old: Reloadable | None, clock: Clock, tasks: Tasks, signer: Signer
) -> Mapping[str, Upstream]:
    """Return the ways to all archives; those whose settings did not change stay. Raises ConfigurationError.

    Where links are led, the settings of the archives beside it are its own too: links may lead to them.
    """
    before = old.settings if old is not None and old.settings.public_url == settings.public_url else None
    ways: dict[str, Upstream] = {}
    try:
        for name, one in settings.upstreams.items():
            stands_on = settings.upstreams if one.rewrites else {name: one}
            if old is not None and before is not None and stands_on.items() <= before.upstreams.items():
                ways[name] = old.archives[name].upstream
            else:
                ways[name] = Upstream(
                    one, clock, tasks, name=name, public_urls=settings.public_url, beside=settings.upstreams.values(),
                    signer=signer,
                )  # fmt: skip
    except ConfigurationError:
        for name, way in ways.items():
            if old is None or name not in old.archives or old.archives[name].upstream is not way:
                way.close()
        raise
    return ways


def archives_of(
    upstreams: Mapping[str, Upstream], sources: Sources, old: Reloadable | None, clock: Clock
) -> Mapping[str, Archive]:
    """Return the archives, each with facts of its own; those of whom nothing changed stay.

    What is being stored is one for all names of an archive and outlasts a reload: two stores would begin a study twice.
    """
    before = old.archives if old is not None else {}
    kept = before if old is not None and old.sources is sources else {}
    begun: dict[str, Begun] = {one.upstream.root: one.studies.begun for one in before.values()}
    return {
        name: kept[name]
        if name in kept and kept[name].upstream is upstream
        else Archive(upstream, StudyFacts(upstream.facts, clock, sources, begun.setdefault(upstream.root, {})))
        for name, upstream in upstreams.items()
    }


def told_of(archives: Mapping[str, Archive]) -> Mapping[str, Mapping[str, object]]:
    """Say how each archive is, for administrators."""
    return {
        name: {
            "kind": way.kind,
            "running": way.pool.running,
            "waiting": way.pool.waiting,
            "state": way.trouble or "ok",
        }
        for name, (way, _) in archives.items()
    }


def watch_archives(now: Callable[[], Mapping[str, Archive]]) -> None:
    """Let metrics tell of the archives that `now` returns."""
    metrics.POOL.watch_each(lambda: {(name, "running"): way.pool.running for name, (way, _) in now().items()})
    metrics.POOL_WAITING.watch_each(lambda: {(name,): way.pool.waiting for name, (way, _) in now().items()})
    metrics.UPSTREAM_UP.watch_each(lambda: {(name,): way.trouble is None for name, (way, _) in now().items()})


def tracer_of(settings: Settings, old: Reloadable | None, clock: Clock) -> Tracer | None:
    """Return what traces exchanges by these settings: what did so before where nothing changed. Raises ConfigurationError."""
    wanted = settings.telemetry.traces
    if old is not None and old.settings.telemetry.traces == wanted:
        return old.tracer
    queue = None if old is None or old.tracer is None else old.tracer.queue
    return None if wanted is None else Tracer(wanted, clock, queue)


async def close(parts: Reloadable, kept: Reloadable | None = None) -> None:
    """Close these parts but for those that `kept` shares."""
    if kept is None or parts.identity is not kept.identity:
        await parts.identity.close()
        await parts.providers.close()
        await parts.transmitters.close()
    archives = [] if kept is None else kept.archives.values()
    studies, upstreams = [one.studies for one in archives], [one.upstream for one in archives]
    for archive in parts.archives.values():
        if archive.studies not in studies:
            await archive.studies.close()
    if kept is None or parts.sources is not kept.sources:
        await parts.sources.close()
    if kept is None or parts.geo is not kept.geo:
        await parts.geo.close()
    for archive in parts.archives.values():
        if archive.upstream not in upstreams:
            archive.upstream.close()
    if parts.tracer is not None and (kept is None or parts.tracer is not kept.tracer):
        await parts.tracer.close()


async def retire(old: Reloadable, new: Reloadable) -> None:
    """Close what a reload replaced once no exchange that began under it runs any more."""
    staying = [one.upstream for one in new.archives.values()]
    leaving = [one.upstream for one in old.archives.values() if one.upstream not in staying]
    for _ in range(_RETIRE_SECONDS):
        if not any(upstream.pool.running for upstream in leaving):
            break
        await asyncio.sleep(1)
    await close(old, new)
