"""Codes are bounded in number, and making one is recorded or does not happen."""

import pytest

from leadglass.devices import codes as module
from leadglass.model.errors import Refusal
from support.device import ADMIN, ISSUER, Site


async def test_there_are_only_so_many_at_a_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CODES_OPEN", 2)
    for _ in range(2):
        await site.devices.codes.make("dr.smith", ISSUER, ADMIN)
    with pytest.raises(Refusal, match="rate-limited"):
        await site.devices.codes.make("dr.smith", ISSUER, ADMIN)
    site.clock.advance(901)
    await site.devices.codes.make("dr.smith", ISSUER, ADMIN)


async def test_a_code_says_when_it_ends_and_who_made_it(site: Site) -> None:
    made = await site.devices.codes.make("dr.smith", ISSUER, ADMIN)
    assert made["ends"] == "2027-01-15T08:15:00.000000Z"
    assert site.events.lines == [
        (
            "device-code-issued",
            {
                "code_id": site.events.lines[0][1]["code_id"],
                "owner": "dr.smith",
                "owner_issuer": ISSUER,
                "ends": made["ends"],
                "by": ADMIN,
            },
        )
    ]


async def test_one_that_cannot_be_recorded_is_not_made(site: Site) -> None:
    site.events.broken = True
    with pytest.raises(Refusal, match="audit-unavailable"):
        await site.devices.codes.make("dr.smith", ISSUER, ADMIN)
    site.events.broken = False
    assert await site.devices.codes.attempt("0" * 32) is None
