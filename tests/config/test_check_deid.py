"""Faults of profiles and masks are found before the gateway starts."""

from pathlib import Path
from unittest.mock import patch

from leadglass.config import check as checker
from leadglass.config.check import Finding, check
from support import gateway
from support.clock import FakeClock
from support.gateway import idp_key, write_site

CLOCK = FakeClock()


async def errors(file: Path) -> list[Finding]:
    with patch.object(checker, "prepare", gateway.quick_prepare):
        return [one for one in await check(file, CLOCK, offline=True) if one.level == "error"]


async def test_profiles_and_masks_of_research_views(tmp_path: Path) -> None:
    file = write_site(tmp_path, "http://127.0.0.1:9", idp_key(), CLOCK.now())
    file.write_text(f"{file.read_text()}deid: {{profiles: profiles, masks: masks.yaml}}\n")
    folder = file.parent
    found = {one.problem for one in await errors(file)}
    assert len([one for one in found if "No such file" in one]) == 2
    (folder / "profiles").mkdir()
    (folder / "profiles/liver.yaml").write_text("title: Liver\noptions: [retain-everything]\n")
    (folder / "masks.yaml").write_text("version: 1\nmasks: [{manufacturer: A}]\n")
    said = " ".join(one.problem for one in await errors(file))
    assert "liver.yaml:2" in said
    assert "masks.yaml:2" in said
    (folder / "profiles/liver.yaml").write_text("title: Liver\n")
    (folder / "masks.yaml").write_text("version: 1\nmasks: []\n")
    assert await errors(file) == []
