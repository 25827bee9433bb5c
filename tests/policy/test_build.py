import io
import tarfile
from pathlib import Path
from typing import Any

import orjson
import pytest

from leadglass.model.errors import ConfigurationError
from leadglass.policy import build, sources
from support.policy import FIXTURE, copy, files


def forge(folder: Path, **changed: Any) -> None:  # noqa: ANN401 - JSON values
    manifest = folder / "build/manifest.json"
    manifest.write_bytes(orjson.dumps({**orjson.loads(manifest.read_bytes()), **changed}))


def test_the_committed_module_fits_its_rules() -> None:
    assert "sprintf" in build.load(files()).builtins


def test_rules_that_changed_need_a_build(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    with (folder / "leadglass/main.rego").open("ab") as rule:
        rule.write(b"\n# changed\n")
    with pytest.raises(ConfigurationError, match="not compiled") as error:
        build.load(sources.read(None, folder))
    assert "policy build" in error.value.hint


def test_a_forged_module_is_refused(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    module = folder / "build/policy.wasm"
    module.write_bytes(module.read_bytes() + b"\0")
    with pytest.raises(ConfigurationError, match="not the module"):
        build.load(sources.read(None, folder))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"wasm_sha256": "0" * 64}, "not the module"),
        ({"wasm_sha256": None}, "not the module"),
        ({"source_sha256": "0" * 64}, "not compiled"),
        ({"checked": 0}, "not checked"),
        ({"entrypoints": ["leadglass/decision"]}, "not checked"),
    ],
    ids=str,
)
def test_a_forged_manifest_is_refused(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    folder = copy(tmp_path)
    forge(folder, **changed)
    with pytest.raises(ConfigurationError, match=said):
        build.load(sources.read(None, folder))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null"])
def test_a_broken_manifest_is_no_manifest(tmp_path: Path, content: bytes) -> None:
    folder = copy(tmp_path)
    (folder / "build/manifest.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match="not compiled"):
        build.load(sources.read(None, folder))


def test_a_module_that_is_gone_is_said(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    (folder / "build/policy.wasm").unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        build.load(sources.read(None, folder))


def test_a_bundle_carries_rules_tables_and_revision() -> None:
    with tarfile.open(fileobj=io.BytesIO(build.bundle(files()))) as bundle:
        content = {member.name: bundle.extractfile(member) for member in bundle}
        manifest = content[".manifest"]
        assert manifest is not None
        assert orjson.loads(manifest.read())["revision"] == files().revision
    assert set(content) == {*files().rules, "data.json", ".manifest"}


@pytest.mark.system
def test_a_build_can_be_repeated(tmp_path: Path) -> None:
    made = build.write(tmp_path / "build", files())
    assert (tmp_path / "build/policy.wasm").read_bytes() == (FIXTURE / "build/policy.wasm").read_bytes()
    assert made["source_sha256"] == files().source


@pytest.mark.system
def test_rules_that_do_not_compile_are_said(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    (folder / "leadglass/main.rego").write_bytes(b"package leadglass\n\ndecision := nothing_such\n")
    with pytest.raises(ConfigurationError, match="do not compile"):
        build.compile_rules(sources.read(None, folder))
