"""What the pipeline stands on is one frozen value: a reload swaps everything or nothing."""

from dataclasses import FrozenInstanceError

import pytest

from leadglass.model.errors import ConfigurationError
from support.gateway import CT, HOST, Running


async def test_nothing_in_it_can_be_swapped_alone(run: Running) -> None:
    services = run.gateway.pipeline.services
    with pytest.raises(FrozenInstanceError):
        services.policy = None  # type: ignore[misc,assignment]  # that is the point


async def test_it_serves_the_public_urls_and_nothing_else(run: Running) -> None:
    assert run.gateway.pipeline.services.authorities == dict.fromkeys((HOST, f"{HOST}:443"), f"https://{HOST}")


async def test_a_reload_that_fails_swaps_nothing(run: Running) -> None:
    before = run.gateway.pipeline.services
    (run.folder / "leadglass.yaml").write_text("public_url: [http://evil.example]\n")
    with pytest.raises(ConfigurationError):
        await run.gateway.reload()
    assert run.gateway.pipeline.services is before
    assert (await run.ask(f"/dicom-web/studies/{CT.uid}/metadata")).status == 200


async def test_a_reload_that_changes_nothing_keeps_what_it_can(run: Running) -> None:
    before = run.gateway.pipeline.services
    await run.gateway.reload()
    after = run.gateway.pipeline.services
    assert after is not before
    assert (after.archives, after.identity) == (before.archives, before.identity)
