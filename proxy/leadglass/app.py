"""The composition root: settings become objects, objects are joined, listeners open. The only place that wires.

What can change while the gateway runs (`Reloadable`) is built whole and tested before any of it is put in force; what a
reload cannot change (addresses, store, record) says so.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from leadglass.access.cursors import Cursors
from leadglass.access.degraded import Degraded
from leadglass.access.glass import BreakGlass
from leadglass.access.live import Live
from leadglass.access.people import Browsers
from leadglass.access.pipeline import AccessPipeline
from leadglass.access.rates import RateLimit, Strangers
from leadglass.access.reidentify import Reidentify
from leadglass.access.services import Services
from leadglass.access.signals import Signals
from leadglass.access.why import Why
from leadglass.attributes.context import ContextFacts
from leadglass.attributes.network import Networks
from leadglass.attributes.sources import Sources
from leadglass.audit.service import Audit
from leadglass.clock import Clock, SystemClock
from leadglass.codec.head import authorities
from leadglass.config.load import load
from leadglass.config.settings import Settings
from leadglass.devices.service import Devices
from leadglass.epochs import Epochs
from leadglass.gateways.control.admin.app import admin_app
from leadglass.gateways.control.admin.projects import ProjectDesk
from leadglass.gateways.control.metrics import TcpServer, metrics_app
from leadglass.gateways.control.peer import PeerSeal
from leadglass.gateways.control.public.app import public_app
from leadglass.gateways.control.public.confirming import Confirming
from leadglass.gateways.control.public.people import People
from leadglass.gateways.control.public.signals import Receiver
from leadglass.gateways.control.public.urgent import Urgent
from leadglass.gateways.control.relay import ControlRelay
from leadglass.gateways.control.sockets import PUBLIC, UnixServer
from leadglass.gateways.http.bounds import Bounds
from leadglass.gateways.http.listener import HttpListener
from leadglass.hazmat.authority import load_or_make_authority
from leadglass.identity.identity import Identity
from leadglass.identity.providers import Providers
from leadglass.identity.transmitters import Transmitters
from leadglass.model.errors import ConfigurationError
from leadglass.model.ports import ControlDoor
from leadglass.obligations.occasion import Means
from leadglass.observation.window import Observation
from leadglass.parts import (
    Reloadable,
    Trust,
    archives_of,
    close,
    cors_of,
    geo_of,
    lenses_of,
    mounts_of,
    networks_of,
    refuse_fixed,
    retire,
    routes_of,
    told_of,
    tracer_of,
    upstreams_of,
    watch_archives,
)
from leadglass.policy import reload as policy_reload
from leadglass.policy.decide import Active, Policy
from leadglass.projects.projects import Projects
from leadglass.recovery.journal import finish_interrupted
from leadglass.recovery.places import Places
from leadglass.revocation.revocations import Revocations
from leadglass.signals.standing import Standings
from leadglass.skew import Skew
from leadglass.store import Store
from leadglass.tasks import Tasks
from leadglass.telemetry import metrics
from leadglass.upstream.signer import ASSERTION_KEY, Signer

_log = logging.getLogger("leadglass")

_SWEEP_SECONDS = 1.0


class Gateway:
    """The gateway of one configuration file. `open`, then `start`; `stop` drains and closes."""

    def __init__(self, file: Path, settings: Settings, clock: Clock, bounds: Bounds) -> None:
        self._file, self._clock, self._bounds = file, clock, bounds
        self._epochs, self._tasks, self._stack = Epochs(), Tasks(), AsyncExitStack()
        self._skew = Skew(clock)
        self._reload_lock = asyncio.Lock()
        self._draining = False
        self.parts: Reloadable
        self.settings = settings
        self.audit: Audit
        self.signer: Signer
        self.degraded: Degraded
        self.store: Store
        self.observation: Observation
        self.projects: Projects
        self.devices: Devices
        self.browsers: Browsers
        self.policy: Policy
        self.revocations: Revocations
        self.standings: Standings
        self.signals: Signals
        self.live: Live
        self.pipeline: AccessPipeline
        self.listener: HttpListener
        self._reloader: policy_reload.Reloader
        self._control: ControlDoor
        self._glass: BreakGlass
        self._why: Why
        self._reidentify: Reidentify

    @classmethod
    async def open(
        cls, file: Path, *, settings: Settings | None = None, clock: Clock | None = None, bounds: Bounds | None = None
    ) -> "Gateway":
        """Build everything, without listening. Raises ConfigurationError, with nothing left open."""
        gateway = cls(file, settings or load(file), clock or SystemClock(), bounds or Bounds())
        try:
            await gateway._open()
        except BaseException:
            await gateway._stack.aclose()
            raise
        return gateway

    async def _open(self) -> None:
        settings, clock, stack = self.settings, self._clock, self._stack
        await asyncio.to_thread(finish_interrupted, Places(settings.store, settings.audit.file))
        active = await asyncio.to_thread(policy_reload.prepare, settings.policy)
        self.audit = Audit.open(settings.audit, clock=clock)
        stack.push_async_callback(self.audit.close)
        self.audit.start(settings.notices)
        self.signer = Signer(settings.store.parent / ASSERTION_KEY, clock, self.audit)
        self.degraded = Degraded(lambda: self.audit.pressure, self._skew, self._epochs, self.audit.note)
        self.degraded.look()
        self.store = await Store.open(settings.store)
        stack.push_async_callback(self.store.close)
        self.observation = await Observation.open(self.store, settings.mode, clock, self._epochs, self.audit.note)
        self.audit.observes = self.observation
        self.projects = await Projects.open(
            self.store, settings.store.parent, self.audit, clock=clock, epochs=self._epochs
        )
        self.policy = Policy(active, clock, self._epochs, self.observation)
        stack.push_async_callback(self.policy.close)
        self._reloader = policy_reload.Reloader(settings.policy, self.policy, self.audit.note)
        authority = load_or_make_authority(settings.store.parent / "device-ca", clock.now())
        self.devices = await Devices.open(
            store=self.store, authority=authority, epochs=self._epochs, events=self.audit, clock=clock,
            trust=Trust(settings.listen.tls),
        )  # fmt: skip
        self.revocations = await Revocations.open(self.store, self.audit, clock, self._epochs)
        self.standings = await Standings.open(self.store, self.audit, clock)
        self.browsers = await Browsers.open(
            self.store, settings.store.parent / "session.key", self.audit,
            clock=clock, epochs=self._epochs, tasks=self._tasks, providers=lambda: self.parts.providers,
            devices=self.devices,
        )  # fmt: skip
        stack.push_async_callback(self.browsers.close)
        await self._open_control()
        stack.push_async_callback(self._tasks.close)
        self.parts = await self._build(settings, active, None)
        stack.push_async_callback(lambda: close(self.parts))
        self.live = Live(self._epochs, self._tasks, lambda: self.pipeline.services)
        self.pipeline = AccessPipeline(self._services(self.parts))
        self._tasks.spawn(self.live.watch(), name="watch what is running")
        self.listener = HttpListener(
            settings.listen, self.pipeline, clock,
            lambda: authority.trust(clock.now()) + self.parts.identity.service_cas, self._bounds, settings.trusted_proxies,
        )  # fmt: skip
        self.devices.rotation.changed = lambda: self.listener.reload(force=False)
        stack.push_async_callback(self.listener.stop)
        self._tasks.spawn(self._sweep(), name="sweep leases")
        self._watch()

    async def _open_control(self) -> None:
        """Open the control side that is reached through the door."""
        seal = PeerSeal()
        socket, stack = self.settings.admin.unix.with_name(PUBLIC), self._stack
        self.signals = Signals(
            lambda: self.parts.transmitters, self.standings, self.browsers.sessions, self.devices.registry, self._epochs
        )
        self._glass = BreakGlass(self.browsers.sessions, self.policy, self._clock)
        self._why = Why(self.policy, self._clock)
        urgent = Urgent(self.browsers.emergency, self._glass, self._why)
        self._reidentify = Reidentify(self.projects, lambda: self.pipeline.services, self.audit)
        people = People(self.browsers.sign_in, self.browsers.proving, urgent, Confirming(self._reidentify))
        receiver = Receiver(self.signals)
        public = UnixServer(public_app(self.devices, seal, self.audit, self._keys, people, receiver), socket)
        await public.start()
        stack.push_async_callback(public.close)
        relay = ControlRelay(socket, seal)
        stack.push_async_callback(relay.close)
        self._control = relay

    async def _sweep(self) -> None:
        """Let go of the leases whose time is over, and look how the gateway is."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self.policy.leases.sweep(self._clock.monotonic())
            self.degraded.look()
            self.observation.look()

    async def start(self) -> None:
        """Begin to listen. Raises ConfigurationError."""
        settings, stack = self.settings, self._stack
        rotations = {
            "record": self.audit.rotate_key,
            "assertion": self.signer.rotate,
            "projects": self.projects.rotate_seal,
        }
        app = admin_app(
            self.devices, self.revocations, self.browsers, self.audit,
            ProjectDesk(self.projects, self._reidentify, lambda: self.parts.lenses),
            reload=self.reload, status=self.status, rotations=rotations,
        )  # fmt: skip
        admin = UnixServer(app, settings.admin.unix)
        await admin.start()
        stack.push_async_callback(admin.close)
        await self.listener.start()
        at = settings.metrics.http
        probes = TcpServer(
            metrics_app(self.ready, metrics.render, metrics.CONTENT_TYPE, self.observation.document), at.host, at.port
        )
        try:
            await probes.start()
        except OSError as error:
            raise ConfigurationError(f"cannot listen on {at}: {error.strerror}", where="metrics.http") from None
        stack.push_async_callback(probes.close)
        said = {"revision": self.policy.revision, "engine": self.policy.active.engine.name}
        await self.audit.record_event("started", {**said, **self.observation.document()})

    async def stop(self) -> None:
        """Drain, and close everything in reverse order."""
        self._draining = True
        try:
            await self.listener.drain()
        finally:  # whatever became of the connections, the record gets its end
            self.audit.note("stopped", {})
            await self._stack.aclose()

    # --- parts that a reload replaces ------------------------------------------------------------------------------
    async def _build(self, settings: Settings, active: Active, old: Reloadable | None) -> Reloadable:
        """Build the reloadable parts; one whose settings did not change stays. Raises ConfigurationError."""
        before = old.settings if old else None
        geo = await geo_of(settings, old, self._epochs, self.audit.note)
        networks, routes = Networks(networks_of(settings, active), geo.find), routes_of(settings)
        files = await asyncio.to_thread(mounts_of, settings)
        lenses = await asyncio.to_thread(lenses_of, settings, old)
        if old and before and before.identity == settings.identity:
            identity, providers, transmitters = old.identity, old.providers, old.transmitters
        else:
            identity = Identity(settings.identity, clock=self._clock, epochs=self._epochs, skew=self._skew)
            providers = Providers(settings.identity, identity, clock=self._clock)
            transmitters = Transmitters(settings.identity, clock=self._clock, epochs=self._epochs)
            await identity.start()
            await transmitters.start()
        only = settings.identity.only_issuer
        same = before is not None and (before.attributes, before.time_zone, before.identity.only_issuer) == (
            settings.attributes, settings.time_zone, only,
        )  # fmt: skip
        if old and same:
            sources = old.sources
        else:
            zone = ZoneInfo(settings.time_zone)
            sources = Sources(settings.attributes.files, issuer=only, clock=self._clock, epochs=self._epochs, zone=zone)
            await sources.start()
        tracer = tracer_of(settings, old, self._clock)
        # Last, because archives watch their files from now on: what fails before leaves none of them behind.
        upstreams = upstreams_of(settings, old, self._clock, self._tasks, self.signer)
        archives = archives_of(upstreams, sources, old, self._clock)
        return Reloadable(
            settings, identity, providers, transmitters, geo, networks, sources, archives, routes, files, lenses, tracer
        )

    def _services(self, parts: Reloadable) -> Services:
        limits, issuers = parts.settings.limits, parts.providers.names()
        self.browsers.sessions.configure(parts.settings.sessions, issuers)
        self.standings.believe(parts.transmitters.problems())
        parts.geo.changed, self.audit.locate = parts.networks.forget, parts.networks.whereabouts
        return Services(
            clock=self._clock,
            audit=self.audit,
            authorities=authorities(parts.settings.public_url),
            cors=cors_of(parts.settings),
            routes=parts.routes,
            files=parts.files,
            identity=parts.identity,
            sessions=self.browsers.sessions,
            bindings=self.browsers.bindings,
            sign_in=bool(issuers),
            registry=self.devices.registry,
            archives=parts.archives,
            contexts=ContextFacts(parts.networks, self._clock, parts.settings.time_zone),
            policy=self.policy,
            revocations=self.revocations,
            standings=self.standings,
            live=self.live,
            control=self._control,
            subjects=RateLimit(self._clock, limits.per_subject.per_second),
            strangers=Strangers(self._clock, limits.per_source_unauthenticated.per_second),
            preflights=RateLimit(self._clock, limits.per_source_preflights.per_second),
            degraded=self.degraded,
            glass=self._glass,
            why=self._why,
            cursors=Cursors(self._clock),
            observes=self.observation,
            tracer=parts.tracer,
            means=Means(parts.lenses, self.projects),
        )

    async def reload(self) -> Mapping[str, Any]:
        """Read file, policy and certificate again: all valid and tested, or nothing. Raises ConfigurationError."""
        async with self._reload_lock:
            try:
                settings = load(self._file)
                refuse_fixed(self.settings, settings)
                self.observation.may_become(settings.mode)
                active = await self._reloader.prepare(settings.policy)
                parts = await self._build(settings, active, self.parts)
            except ConfigurationError as error:
                _log.error("not reloaded, all stays as it was: %s", error)
                metrics.POLICY_LOADS.add(("refused",))
                self.audit.note("reload-refused", {"problem": str(error)})
                raise
            before, self.settings = self.settings, settings
            old, self.parts = self.parts, parts
            was = await self._reloader.put(active, settings.policy)
            self.pipeline.services = self._services(parts)
            if before.trusted_proxies != settings.trusted_proxies:
                self.listener.trust(settings.trusted_proxies)
            self.observation.become(settings.mode)
            self._epochs.bump("config")
            metrics.POLICY_LOADS.add(("loaded",))
            if active.files.revision != was:
                self.audit.note("policy-loaded", {"revision": active.files.revision, "was": was})
            certificate = self.listener.reload()
            self._tasks.spawn(retire(old, parts), name="retire what a reload replaced")
            done = {"revision": self.policy.revision, "certificate": "in force" if certificate else "unchanged"}
            _log.info("reloaded, policy %s", self.policy.revision)
            self.audit.note("reloaded", done)
            return done

    # --- how it is -------------------------------------------------------------------------------------------------
    async def ready(self) -> Mapping[str, bool]:
        """Name what must hold to serve, and whether it does."""
        return {
            "policy": bool(self.policy.revision),
            "record": self.audit.available,
            "store": await self.store.usable(),
            "accepting": not self._draining,
        }

    def status(self) -> Mapping[str, Any]:
        """Say how the gateway is, for administrators."""
        counts = self.listener.counts
        return {
            **self.observation.document(),
            "policy": {"revision": self.policy.revision, "engine": self.policy.active.engine.name},
            "record": {"available": self.audit.available, "pressure": self.audit.pressure},
            "degraded": self.degraded(),
            "upstreams": told_of(self.parts.archives),
            "geo": self.parts.geo.source,
            "issuers": {
                issuer.issuer: self.parts.identity.problems().get(issuer.issuer, "ok")
                for issuer in self.settings.identity.issuers
            },
            "transmitters": self.signals.status(),
            "sessions": len(self.browsers.sessions),
            "devices": len(self.devices.registry),
            "leases": len(self.policy.leases),
            "running": len(self.live),
            "revocations": len(self.revocations.all()),
            "connections": self.listener.open,
            "requests": counts.requests,
            "listening": {scheme: str(address) for scheme, address in self.listener.addresses.items()},
        }

    def _keys(self) -> list[dict[str, object]]:
        return [self.audit.public_jwk(), *self.signer.jwks()]

    def _watch(self) -> None:
        listener = self.listener
        metrics.CONNECTIONS.watch(("http",), lambda: listener.open)
        metrics.HANDSHAKE_FAILURES.watch(("tls",), lambda: listener.counts.handshakes_failed)
        metrics.HANDSHAKE_FAILURES.watch(("proxy",), lambda: listener.counts.prefaces_refused)
        metrics.LEASES.watch((), lambda: len(self.policy.leases))
        watch_archives(lambda: self.parts.archives)
