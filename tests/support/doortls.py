"""Certificates for a door with TLS, and clients that show theirs."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from leadglass.clock import SystemClock
from leadglass.gateways.http.bounds import Bounds
from leadglass.gateways.http.listener import HttpListener
from leadglass.gateways.http.settings import Address, ListenSettings, ProxySettings, TlsSettings
from leadglass.hazmat.servercert import make_server_files
from leadglass.hazmat.statement import DeviceKey
from leadglass.hazmat.x509 import DeviceAuthority, make_ca
from support.device import Key
from support.door import QUICK, FakePipeline, RawClient


@dataclass(frozen=True)
class Identity:
    """A client certificate with its key, in files."""

    certificate: Path
    key: Path
    der: bytes


def tls_files(folder: Path) -> TlsSettings:
    files = make_server_files(folder, ("localhost", "127.0.0.1"), SystemClock().now())
    return TlsSettings.model_construct(certificate=files.certificate, key=files.key)


def authority(name: str = "Device CA") -> DeviceAuthority:
    return DeviceAuthority(*make_ca(name, SystemClock().now() - 86_400))


def identity(ca: DeviceAuthority, folder: Path, *, issued: float = 0.0) -> Identity:
    """Have `ca` issue a certificate of one hour, `issued` seconds from now."""
    key = Key()
    certificate = ca.issue(DeviceKey(key.jwk), "device-1", SystemClock().now() + issued)
    folder.mkdir(exist_ok=True)
    shown = Identity(folder / "client.pem", folder / "client.key", certificate.der)
    shown.certificate.write_text(certificate.pem)
    shown.key.write_bytes(key.pem)
    return shown


class TlsDoor:
    """A door that listens with TLS on a port of its own."""

    def __init__(self, listener: HttpListener, pipeline: FakePipeline, folder: Path) -> None:
        self.listener, self.pipeline, self.folder = listener, pipeline, folder

    @property
    def address(self) -> Address:
        return self.listener.addresses["https"]

    def context(self, shown: Identity | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if shown is not None:
            context.load_cert_chain(shown.certificate, shown.key)
        return context

    @asynccontextmanager
    async def client(self, context: ssl.SSLContext) -> AsyncIterator[RawClient]:
        client = RawClient(
            *await asyncio.open_connection(
                self.address.host, self.address.port, ssl=context, server_hostname="localhost"
            )
        )
        try:
            yield client
        finally:
            await client.close()


@asynccontextmanager
async def tls_door(
    folder: Path, ca: DeviceAuthority | None = None, bounds: Bounds = QUICK, proxies: Iterable[ProxySettings] = ()
) -> AsyncIterator[TlsDoor]:
    """Run a door with TLS for the time of the block."""
    pipeline = FakePipeline()
    settings = ListenSettings.model_construct(https=Address("127.0.0.1", 0), http=None, tls=tls_files(folder))
    listener = HttpListener(settings, pipeline, SystemClock(), lambda: None if ca is None else ca.pem, bounds, proxies)
    await listener.start()
    try:
        yield TlsDoor(listener, pipeline, folder)
    finally:
        await listener.stop()
