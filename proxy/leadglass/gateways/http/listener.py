"""The DICOMweb door's listener: accepts, shakes hands, sweeps for deadlines, renews its certificate, and drains.

Connections are accepted here rather than by the loop, so that bounds hold before the handshake costs anything, a
failed handshake is counted, and each handshake uses the certificate in force.
"""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from leadglass.audit.noise import source_of
from leadglass.clock import Clock
from leadglass.codec.address import canonical
from leadglass.codec.proxyv2 import ProxyHeaderError
from leadglass.gateways.http.bounds import Bounds
from leadglass.gateways.http.connection import Connection
from leadglass.gateways.http.hub import Counts, Hub
from leadglass.gateways.http.preface import NothingSaidError, read_preface
from leadglass.gateways.http.proxies import Proxies
from leadglass.gateways.http.settings import PROXY_V2, Address, ListenSettings, ProxySettings
from leadglass.gateways.http.tls import Certificates, DeviceCa
from leadglass.model.errors import ConfigurationError
from leadglass.model.ports import Pipeline
from leadglass.model.request import Peer
from leadglass.tasks import Tasks

_log = logging.getLogger("leadglass.gateways.http")

_BACKLOG: Final = 1_024  # the kernel caps it at net.core.somaxconn
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_EXHAUSTED_SECONDS: Final = 0.2


class HttpListener:
    """Serves a pipeline over HTTP/1.1. `device_ca` gives the PEM that client certificates must chain to."""

    def __init__(
        self,
        settings: ListenSettings,
        pipeline: Pipeline,
        clock: Clock,
        device_ca: DeviceCa = lambda: None,
        bounds: Bounds | None = None,
        proxies: Iterable[ProxySettings] = (),
    ) -> None:
        """Read certificate and key. Raises ConfigurationError."""
        self._settings = settings
        self._hub = Hub(pipeline, clock, bounds if bounds is not None else Bounds(), Proxies(proxies))
        self._certificates = None if settings.tls is None else Certificates(settings.tls, device_ca)
        self._tasks = Tasks()
        self._accepting: list[asyncio.Task[None]] = []
        self._serving: set[asyncio.Task[None]] = set()
        self._sockets: list[socket.socket] = []
        self.addresses: dict[str, Address] = {}  # "https" and "http" -> where it listens, the port filled in

    @property
    def counts(self) -> Counts:
        """What has happened since the start."""
        return self._hub.counts

    @property
    def open(self) -> int:
        """How many connections are open, half-open ones among them."""
        return self._hub.open

    async def start(self) -> None:
        """Listen. Raises ConfigurationError when an address cannot be had."""
        for scheme, address in (("https", self._settings.https), ("http", self._settings.http)):
            if address is None:
                continue
            listening = await self._bind(scheme, address)
            self._sockets.append(listening)
            host, port = listening.getsockname()[:2]
            self.addresses[scheme] = Address(host, port)
            accepting = self._accept(
                listening, secure=scheme == "https", closed=scheme == "http" and not address.loopback
            )
            self._accepting.append(self._tasks.spawn(accepting, name=f"accept {scheme}"))
            _log.info("listening on %s://%s", scheme, self.addresses[scheme])
        self._tasks.spawn(self._sweep(), name="sweep connections")

    async def _bind(self, scheme: str, address: Address) -> socket.socket:
        loop = asyncio.get_running_loop()
        try:
            infos = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
            family, kind, protocol, _, where = infos[0]
            listening = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        except OSError as error:
            raise self._unusable(scheme, address, error) from None
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6 and address.host == "::":
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listening.bind(where)
            listening.listen(_BACKLOG)
        except OSError as error:
            listening.close()
            raise self._unusable(scheme, address, error) from None
        return listening

    @staticmethod
    def _unusable(scheme: str, address: Address, error: OSError) -> ConfigurationError:
        return ConfigurationError(
            f"cannot listen on {address}: {error.strerror}",
            hint="is another program listening there, or the port below 1024?",
            where=f"listen.{scheme}",
        )

    async def _accept(self, listening: socket.socket, *, secure: bool, closed: bool) -> None:
        """Take connections; where it is `closed`, those of trusted proxies alone."""
        loop, hub = asyncio.get_running_loop(), self._hub
        while True:
            try:
                client, address = await loop.sock_accept(listening)
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    _log.warning("cannot accept: %s", error.strerror)
                    await asyncio.sleep(_EXHAUSTED_SECONDS)
                continue
            peer = Peer(str(canonical(address[0])), address[1], tls=secure)
            proxy = hub.proxies.find(peer.ip)
            # A proxy carries everybody: what it carries is counted when it says for whom.
            if proxy is None and closed:
                _log.debug("turned away: %s is no trusted proxy, and this is plain text", peer.ip)
                hub.counts.turned_away += 1
                client.close()
            elif hub.admit(None if proxy else source_of(peer.ip)):
                task = self._tasks.spawn(self._serve(client, peer, proxy), name="http connection")
                self._serving.add(task)
                task.add_done_callback(self._serving.discard)
            else:
                client.close()

    async def _serve(self, client: socket.socket, peer: Peer, proxy: ProxySettings | None) -> None:
        hub = self._hub
        counted = None if proxy else source_of(peer.ip)
        connection: Connection | None = None
        try:
            if proxy is not None and proxy.speaks == PROXY_V2:
                said = await self._preface(client, peer)
                counted = None if said is None else hub.source(said)
                if said is None or not hub.charge(counted):
                    counted = None
                    client.close()
                    return
                peer = said
            connection = Connection(hub, peer, counted)
            if await self._connect(client, connection, peer):
                await connection.live()
        finally:
            hub.dismiss(counted if connection is None else connection.counted)

    async def _preface(self, client: socket.socket, peer: Peer) -> Peer | None:
        """Return whom the proxy `peer` speaks for, itself for its checks; None when it does not say so as it must."""
        try:
            source = await read_preface(client, self._hub.bounds.proxy_header_seconds)
        except NothingSaidError:
            return None
        except (ProxyHeaderError, OSError) as error:
            self._hub.counts.prefaces_refused += 1
            problem = "no PROXY v2 header in time" if isinstance(error, TimeoutError) else str(error)
            _log.warning("no connection with the proxy %s: %s", peer.ip, problem)
            return None
        return peer if source is None else replace(peer, ip=source.ip, port=source.port)

    async def _connect(self, client: socket.socket, connection: Connection, peer: Peer) -> bool:
        """Hand the socket to its connection, past the handshake where there is one; return whether that was done."""
        hub, context, wait = self._hub, None, None
        if peer.tls and self._certificates is not None:
            context, wait = self._certificates.context, hub.bounds.handshake_seconds
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, client, ssl=context, ssl_handshake_timeout=wait
            )
        except (TimeoutError, OSError, ssl.SSLError) as error:
            hub.counts.handshakes_failed += peer.tls
            _log.debug("no connection with %s: %s", peer.ip, type(error).__name__)
            client.close()
            return False
        return True

    async def _sweep(self) -> None:
        hub = self._hub
        pause = hub.bounds.sweep_seconds
        since_renewal = 0.0
        while True:
            await asyncio.sleep(pause)
            since_renewal += pause
            if since_renewal >= min(1.0, pause * 4):
                since_renewal = 0.0
                self.reload(force=False)
            now = hub.clock.monotonic()
            for connection in list(hub.connections):
                connection.sweep(now)

    def reload(self, *, force: bool = True) -> bool:
        """Read certificate, key and device CA again, for new connections; return whether they are in force.

        Called by the sweep when a file or the CA has changed, and on SIGHUP. A broken pair leaves the old one.
        """
        return self._certificates is not None and self._certificates.renew(force=force)

    def trust(self, proxies: Iterable[ProxySettings]) -> None:
        """Believe these proxies from now on. What is connected ends with the exchange that runs: who it is may differ."""
        self._hub.proxies = Proxies(proxies)
        for connection in list(self._hub.connections):
            connection.retire()

    async def drain(self) -> None:
        """Accept nothing more, let running exchanges end for up to the bound, then cut what is left."""
        hub = self._hub
        hub.draining = True
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        for listening in self._sockets:
            listening.close()
        for connection in list(hub.connections):
            connection.drain()
        if self._serving:
            await asyncio.wait(self._serving, timeout=hub.bounds.drain_seconds)
        for connection in list(hub.connections):
            connection.reset("drained", cancel=True)

    async def stop(self) -> None:
        """Drain, then end everything."""
        await self.drain()
        await self._tasks.close()
