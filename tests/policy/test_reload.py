import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from leadglass.epochs import Epochs
from leadglass.model.errors import ConfigurationError
from leadglass.policy import reload, sources
from leadglass.policy.decide import Policy
from leadglass.policy.settings import PolicySettings
from support.clock import FakeClock
from support.policy import ID, copy, question

NOBODY = "roles: {}\nlease_seconds: 5\nlease_scope: study\n"


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the fixture that stands for the shipped set."""
    folder = copy(tmp_path)
    monkeypatch.setattr(sources, "shipped", lambda: folder)
    return folder


@pytest.fixture
def site(tmp_path: Path, base: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "data").mkdir(parents=True)
    return folder


def settings(site: Path) -> PolicySettings:
    return PolicySettings.model_validate_json(orjson.dumps({"path": str(site)}))


class Events(list[tuple[str, Mapping[str, Any]]]):
    def __call__(self, kind: str, fields: Mapping[str, Any]) -> None:
        self.append((kind, fields))


def start(site: Path, epochs: Epochs) -> tuple[Policy, reload.Reloader, Events]:
    judge = Policy(reload.prepare(settings(site)), FakeClock(), epochs)
    events = Events()
    return judge, reload.Reloader(settings(site), judge, events), events


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("data/roles.yaml", "roles: ["),
        ("data/roles.yaml", "roles: NO\n"),
        ("leadglass/rules/site/mine/mine.rego", "package leadglass.rules.site.mine\n"),
        ("cases/mine.yaml", "cases: [{note: x}]"),
        ("stray.rego", ""),
    ],
)
def test_a_broken_folder_refuses_to_start(site: Path, path: str, content: str) -> None:
    (site / path).parent.mkdir(parents=True, exist_ok=True)
    (site / path).write_text(content)
    with pytest.raises(ConfigurationError):
        reload.prepare(settings(site))


async def test_a_good_set_is_put_in_force(site: Path) -> None:
    epochs = Epochs()
    judge, reloader, events = start(site, epochs)
    asked, before = question(FakeClock()), judge.revision
    assert (await judge.decide(asked, ID)).allow
    (site / "data/roles.yaml").write_text(NOBODY)
    revision = await reloader.reload()
    assert revision == judge.revision != before
    assert judge.cached(asked, ID) is None
    decision = await judge.decide(asked, ID)
    assert not decision.allow
    assert decision.revision == revision
    assert events == [("policy-loaded", {"revision": revision, "was": before})]


@pytest.mark.parametrize("text", ["roles: [", "roles: NO\n", "roles: {}\nroles: {}\n"])
async def test_a_bad_set_leaves_the_old_in_force(site: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    epochs = Epochs()
    judge, reloader, events = start(site, epochs)
    asked, before = question(FakeClock()), judge.revision
    assert (await judge.decide(asked, ID)).allow
    (site / "data/roles.yaml").write_text(text)
    with caplog.at_level(logging.ERROR), pytest.raises(ConfigurationError):
        await reloader.reload()
    assert "the old one stays in force" in caplog.text
    assert judge.revision == before
    assert judge.cached(asked, ID) is not None
    assert [kind for kind, _ in events] == ["policy-refused"]


async def test_a_set_whose_cases_fail_is_refused(site: Path, base: Path) -> None:
    judge, reloader, _ = start(site, Epochs())
    before = judge.revision
    (site / "cases").mkdir()
    text = (base / "cases/basic.yaml").read_text().replace("note: ", "note: site, ")
    (site / "cases/site.yaml").write_text(text)
    await reloader.reload()
    assert judge.revision == before  # cases are no part of what decides
    (site / "data/roles.yaml").write_text(NOBODY)
    with pytest.raises(ConfigurationError, match="policy cases fail"):
        await reloader.reload()
    assert judge.revision == before


async def test_rules_that_are_not_compiled_are_refused(site: Path) -> None:
    judge, reloader, _ = start(site, Epochs())
    rule = site / "leadglass/rules/site/mine/mine.rego"
    rule.parent.mkdir(parents=True)
    rule.write_text('package leadglass.rules.site.mine\n\ngrant contains {"code": "all"} if true\n')
    before = judge.revision
    with pytest.raises(ConfigurationError, match="not compiled"):
        await reloader.reload()
    assert judge.revision == before


def test_the_opa_engine_is_made_for_the_revision(site: Path, tmp_path: Path) -> None:
    asked = PolicySettings.model_validate_json(
        orjson.dumps({"engine": "opa", "path": str(site), "opa": {"socket": str(tmp_path / "opa.sock")}})
    )
    assert reload.prepare(asked).engine.name == "opa"
