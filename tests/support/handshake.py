"""A TLS handshake in memory."""

import ssl


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> bytes | None:
    """Run a handshake and return the client's certificate (DER). Raises ssl.SSLError, whichever side it is on."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(down, up, server_hostname=name)
    serving = server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (asking, serving):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return serving.getpeercert(binary_form=True)
