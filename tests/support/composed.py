"""nginx before a gateway, and Keycloak beside it: what is shown of the gateway alone is shown of the whole from outside."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from support.clock import FakeClock
from support.door import QUICK
from support.examples import EXAMPLES, proxy
from support.gateway import Running, running
from support.keycloak import SECRET, Keycloak
from support.orthanc import Orthanc

TRUSTED: Final = "trusted_proxies: [{networks: [127.0.0.1/32], speaks: proxy-v2}]\n"
# The header of PROXY v2 comes with a client's first bytes, whenever a busy machine lets nginx send them.
PATIENT: Final = replace(QUICK, proxy_header_seconds=10.0)
_KEPT_SECONDS: Final = 120.0  # of the 300 that Keycloak's tokens live
_PASSTHROUGH: Final = next(example for example in EXAMPLES if example.file == "nginx-passthrough.conf")


def trust(folder: Path) -> None:
    """Say in the configuration that what comes from loopback comes from nginx."""
    file = folder / "leadglass.yaml"
    file.write_text(TRUSTED + file.read_text())


@contextmanager
def behind_nginx(run: Running, folder: Path) -> Iterator[None]:
    """Put nginx before both ports, as docs/examples/proxies has it; whoever asks goes through it."""
    with (
        proxy(_PASSTHROUGH, folder / "https", run.https, {}) as https,
        proxy(_PASSTHROUGH, folder / "http", run.plain, {}) as plain,
    ):
        run.doors = {"https": https, "http": plain}
        yield


def _people_of(keycloak: Keycloak) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        trust(folder)
        (folder / "secret").touch(mode=0o600)
        (folder / "secret").write_text(SECRET)
        file = folder / "leadglass.yaml"
        head, _, rest = file.read_text().partition("    - issuer:")
        _, _, rest = rest.partition("attributes:")
        file.write_text(f"{head}    - {keycloak.settings()}\nattributes:{rest}")

    return change


@asynccontextmanager
async def composed(folder: Path, keycloak: Keycloak, orthanc: Orthanc) -> AsyncIterator[Running]:
    """Open a gateway between nginx and Orthanc, at which people of Keycloak ask."""
    clock = FakeClock(time.time())

    kept: dict[tuple[str, ...], tuple[float, str]] = {}

    def token(*roles: str) -> str:
        clock.step(max(0.0, time.time() - clock.now()))  # Keycloak's is the real one
        made, access = kept.get(roles, (0.0, ""))
        if clock.now() - made > _KEPT_SECONDS:
            access = keycloak.token(*roles)
            clock.step(max(0.0, time.time() - clock.now()))
            kept[roles] = clock.now(), access
        return access

    async with running(
        folder / "site", upstream=orthanc.url, kind="orthanc", clock=clock, change=_people_of(keycloak),
        owner_issuer=keycloak.issuer, bounds=PATIENT,
    ) as run:  # fmt: skip
        run.issuer = token
        with behind_nginx(run, folder):
            yield run
