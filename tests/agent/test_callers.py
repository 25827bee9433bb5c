import os
import socket
import sys
from pathlib import Path

import pytest

from leadglass_agent.callers import peer_uid

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
V4 = ("0100007F:D431", "0100007F:223D")
V6 = ("0000000000000000FFFF00000100007F:D431", "0000000000000000FFFF00000100007F:223D")
PEER, OWN = ("127.0.0.1", 0xD431), ("127.0.0.1", 0x223D)


def row(pair: tuple[str, str], *, uid: int = 1000, state: str = "01", inode: str = "98") -> str:
    return f"   1: {pair[0]} {pair[1]} {state} 00000000:00000000 00:00000000 00000000 {uid:5}        0 {inode} 1 0\n"


@pytest.mark.skipif(sys.byteorder != "little", reason="the rows are those of a little-endian machine")
@pytest.mark.parametrize(
    ("tcp", "tcp6", "uid"),
    [
        pytest.param(row(V4), "", 1000, id="established"),
        pytest.param("", row(V6, uid=7), 7, id="a-java-socket"),
        pytest.param(row(V4, uid=0), "", 0, id="root"),
        pytest.param(row(V4, uid=0, inode="0"), "", None, id="closed-by-its-process"),
        pytest.param(row(V4, uid=0, state="06", inode="0"), "", None, id="time-wait"),
        pytest.param(row(V4, state="05"), "", None, id="fin-wait"),
        pytest.param(row((V4[1], V4[0]), uid=3), "", None, id="our-own-end"),
        pytest.param(row((V4[0], "0100007F:223E")), "", None, id="another-port"),
        pytest.param(row(("0200007F:D431", V4[1])), "", None, id="another-address"),
        pytest.param(row((V4[1], V4[0]), uid=3) + row(V4, uid=5), "", 5, id="both-ends"),
        pytest.param("", None, None, id="no-ipv6"),
    ],
)
def test_whose_the_far_end_is(tmp_path: Path, tcp: str, tcp6: str | None, uid: int | None) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/tcp").write_text(HEAD + tcp)
    if tcp6 is not None:
        (tmp_path / "proc/net/tcp6").write_text(HEAD + tcp6)
    assert peer_uid(PEER, OWN, tmp_path) == uid


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["inet", "inet6-mapped"])
def test_the_kernel_of_this_machine_tells(family: socket.AddressFamily) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(family) as client:
        own: tuple[str, int] = server.getsockname()
        try:
            client.connect(own if family == socket.AF_INET else (f"::ffff:{own[0]}", own[1]))
        except OSError:
            pytest.skip("no IPv6 here")
        accepted, peer = server.accept()
        with accepted:
            assert peer_uid(peer, own) == os.getuid()
            client.close()
            assert peer_uid(peer, own) is None
