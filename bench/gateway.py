"""The gateway under test: `leadglass serve`, and one thing that only the bench has.

wrk shows no client certificate over plain text. So that plaintext rows judge a device too, every plaintext connection
counts as one over which the bench's device has proven its certificate; all judging of it still happens per request.
"""

import socket
import sys
from pathlib import Path
from unittest import mock

import uvloop

from leadglass import app, process
from leadglass.gateways.http.listener import HttpListener
from leadglass.gateways.http.settings import ProxySettings
from leadglass.model.request import Peer
from leadglass.telemetry.log import configure

CERTIFICATE = "device.der"


def _read(certificate: Path) -> bytes | None:
    return certificate.read_bytes() if certificate.exists() else None  # none before the device is enrolled


def _listener(certificate: Path) -> type[HttpListener]:
    class ListenerOfOneDevice(HttpListener):
        async def _serve(self, client: socket.socket, peer: Peer, proxy: ProxySettings | None) -> None:
            if not peer.tls:
                peer = Peer(peer.ip, peer.port, tls=False, certificate=_read(certificate))
            await super()._serve(client, peer, proxy)

    return ListenerOfOneDevice


def main(file: Path) -> None:
    configure()
    with mock.patch.object(app, "HttpListener", _listener(file.with_name(CERTIFICATE))):
        uvloop.run(process.serve(file))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
