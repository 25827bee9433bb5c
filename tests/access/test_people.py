"""People's side put together: a restart keeps sessions, and a lost key ends them."""

from pathlib import Path

from support.gateway import CT
from support.oidc import site

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"


async def test_a_restart_signs_nobody_out(tmp_path: Path) -> None:
    async with site(tmp_path) as place:
        browser = await place.signed_in()
        cookie = browser.cookies["__Host-leadglass"]
        again = type(place.run.gateway.browsers)
        gateway = place.run.gateway
        opened = await again.open(
            gateway.store, tmp_path / "var/session.key", gateway.audit,
            clock=place.run.clock, epochs=gateway._epochs, tasks=gateway._tasks, providers=lambda: gateway.parts.providers,
            devices=gateway.devices,
        )  # fmt: skip
        opened.sessions.configure(gateway.settings.sessions, gateway.parts.providers.names())
        subject = opened.sessions.cached(cookie)
        assert subject is not None
        assert subject.id == "dr.demo"
        other = await again.open(
            gateway.store, tmp_path / "var/another.key", gateway.audit,
            clock=place.run.clock, epochs=gateway._epochs, tasks=gateway._tasks, providers=lambda: gateway.parts.providers,
            devices=gateway.devices,
        )  # fmt: skip
        assert len(other.sessions) == 0
