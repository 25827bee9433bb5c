"""Reading leadglass.yaml: strict YAML 1.2, no conversions, secrets by reference, and lines that are true."""

import json
from pathlib import Path

import pytest

from leadglass.config.load import Document, Fault, load, parse
from leadglass.config.settings import Settings
from leadglass.limits import MIB
from leadglass.model.errors import ConfigurationError
from support.gateway import idp_key, write_site


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_site(tmp_path, "http://127.0.0.1:9", idp_key(), 1_800_000_000)


def test_paths_are_relative_to_the_file(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = load(file)
    assert settings.audit.file == file.parent / "var/decisions.jsonl"
    assert settings.store == file.parent / "var/leadglass.db"
    assert settings.admin.unix == file.parent / "var/admin.sock"


def test_secrets_come_from_files_and_from_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LG_PACS", "user:pa55")
    text = file.read_text()
    file.write_text(text.replace('url: "http', 'auth: {basic: "env:LG_PACS"}, url: "http'))
    settings = load(file)
    assert "pa55" not in repr(settings)
    (file.parent / "pacs").write_text("user:pa55\n")
    file.write_text(text.replace('url: "http', 'auth: {basic: "file:pacs"}, url: "http'))
    assert load(file).upstreams == settings.upstreams


def test_a_secret_that_is_refused_is_not_repeated(file: Path) -> None:
    file.write_text(file.read_text().replace('url: "http', 'auth: {basic: "user:hunter2"}, url: "http'))
    faults = parse(file)
    assert isinstance(faults, list)
    assert "hunter2" not in " ".join(map(str, faults))


def test_load_names_the_first_fault_and_counts_the_rest(file: Path) -> None:
    file.write_text(file.read_text().replace("kind: generic", "kind: x").replace("10000/s", "x"))
    with pytest.raises(ConfigurationError, match=r"leadglass.yaml:5: upstreams.main.kind: .* \(and 2 more\)") as caught:
        load(file)
    assert "config check" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: NO", "NO"),
        ("a: off", "off"),
        ("a: 010", 10),
        ("a: 12:30", "12:30"),
        ("a: ~", None),
        ("a: 'true'", "true"),
        ("a: true", True),
    ],
)
def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    (tmp_path / "f.yaml").write_text(text)
    read = json.loads(Document(tmp_path / "f.yaml").json)
    assert read in ({"a": value}, {"a": str(text)[3:]})
    assert read["a"] is not False


def test_lines_are_those_of_the_deepest_part_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("# head\na:\n  b:\n    - c: 1\n    - d: 2\n")
    document = Document(tmp_path / "f.yaml")
    assert [document.line(path) for path in ((), ("a",), ("a", "b", 1), ("a", "b", 1, "d", "x"), ("z",))] == [
        1,
        2,
        5,
        5,
        1,
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"a: 1\na: 2\n", "duplicate"),
        (b"%YAML 1.1\n---\na: NO\n", "directives"),
        (b"\xff", "not UTF-8"),
        (b"a: {", ""),
        (b"#" * (MIB + 1), "larger"),
    ],
    ids=["duplicate", "directive", "bytes", "open", "large"],
)
def test_what_is_no_configuration_is_refused_in_words(tmp_path: Path, text: bytes, problem: str) -> None:
    (tmp_path / "f.yaml").write_bytes(text)

    def read() -> bytes:
        return Document(tmp_path / "f.yaml").json

    with pytest.raises(ConfigurationError) as caught:
        read()
    assert problem in str(caught.value)
    assert caught.value.hint


def test_a_fault_reads_as_editors_jump_to_it() -> None:
    assert str(Fault("a.yaml", 3, "x.y", "is missing")) == "a.yaml:3: x.y: is missing"
    assert str(Fault("a.yaml", 3, "", "is twice")) == "a.yaml:3: is twice"


def test_settings_cannot_be_changed_once_read(file: Path) -> None:
    settings = load(file)
    assert isinstance(settings, Settings)
    with pytest.raises(ValueError, match="frozen"):
        settings.time_zone = "UTC"
