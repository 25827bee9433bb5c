import copy
from typing import Any

import pytest

from leadglass_agent import __version__
from release import sbom, stage

DOCUMENT: dict[str, Any] = {
    "metadata": {"component": {"bom-ref": "root", "name": "leadglass"}},
    "dependencies": [
        {"ref": "root", "dependsOn": ["SQLAlchemy==2.1", "aiohttp==3.14"]},
        {"ref": "aiohttp==3.14", "dependsOn": ["yarl==1.0"]},
    ],
}


def test_the_agent_asks_for_less_than_the_gateway() -> None:
    agent, gateway = (sbom.named(copy.deepcopy(DOCUMENT), one) for one in ("agent", "gateway"))
    assert agent["dependencies"][0]["dependsOn"] == ["aiohttp==3.14"]
    assert gateway["dependencies"] == DOCUMENT["dependencies"]
    assert agent["dependencies"][1] == DOCUMENT["dependencies"][1]
    assert agent["metadata"]["component"]["purl"] == f"pkg:generic/leadglass-agent@{__version__}"


def test_a_failure_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(*_: object) -> None:
        raise stage.Failed("no wheel")

    monkeypatch.setattr(stage, "wheel", fails)
    assert sbom.main([]) == 1
    assert capsys.readouterr().err == "no wheel\n"
