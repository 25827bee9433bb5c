"""A look names the place of what it finds: file, line and setting."""

from pathlib import Path

from leadglass.config.load import Document, parse
from leadglass.config.look import Finding, Look
from leadglass.config.settings import Settings
from leadglass.model.errors import ConfigurationError, ConfigurationErrors
from support.clock import FakeClock
from support.gateway import idp_key, write_site


def look(folder: Path) -> Look:
    file = write_site(folder, "http://127.0.0.1:9", idp_key(), FakeClock().now())
    settings = parse(file)
    assert isinstance(settings, Settings)
    return Look(Document(file), settings, FakeClock())


def test_where_a_setting_stands(tmp_path: Path) -> None:
    here = look(tmp_path)
    line = (tmp_path / "leadglass.yaml").read_text().splitlines().index("store: sqlite:var/leadglass.db") + 1
    assert here.at("store") == f"{tmp_path}/leadglass.yaml:{line}: store"
    assert here.good("is well", "store") == Finding("ok", here.at("store"), "is well")


def test_each_fault_of_an_error_is_one(tmp_path: Path) -> None:
    here = look(tmp_path)
    both = ConfigurationErrors([ConfigurationError("a", hint="do"), ConfigurationError("b", where="x.yaml:1")])
    found = here.bad(both, "store")
    assert [(one.level, one.where) for one in found] == [("error", here.at("store"))] * 2
    assert (found[0].problem, found[0].fix) == ("a", "do")
    assert "b" in found[1].problem
    assert found[1].fix
