from pathlib import Path

import orjson
import pytest

from leadglass.attributes.files import read
from leadglass.model.errors import ConfigurationError


def write(folder: Path, text: str | bytes, name: str = "facts.yaml") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_yaml_1_2_and_json_become_the_same_data(tmp_path: Path) -> None:
    yaml = read(write(tmp_path, 'country: NO\nday: 2026-01-02\nlist: [1, 0o17, "é"]\n'), 1000, 1000)
    assert orjson.loads(yaml.json) == {"country": "NO", "day": "2026-01-02", "list": [1, 15, "é"]}
    same = read(write(tmp_path, '{"country": "NO"}', "facts.json"), 1000, 1000)
    assert orjson.loads(same.json) == {"country": "NO"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", ":3: found duplicate key"),
        ("a: [1\n", "facts.yaml:"),
        ("%YAML 1.1\n---\na: no\n", "directives"),
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("a: !!python/object:os.system {}\n", "facts.yaml"),
        ("a: !!binary aGk=\n", "facts.yaml:1: YAML tags"),
        ("1: a\n", "not usable YAML"),
        ("a: .nan\n? [x]\n: y\n", "facts.yaml"),
        (b"a: \xff\n", "not UTF-8"),
        ("a: " + "[" * 40 + "]" * 40, "nested too deeply"),
        ("a: " + "[" * 3000 + "]" * 3000, "facts.yaml"),
        ("a: 'x'\n" * 200, "is larger than 1000 bytes"),
        ("--- 1\n--- 2\n", "facts.yaml"),
    ],
    ids=str,
)
def test_yaml_that_two_readers_could_read_differently(tmp_path: Path, text: str | bytes, problem: str) -> None:
    limit = 1000 if "larger" in problem else 100_000
    with pytest.raises(ConfigurationError, match=problem):
        read(write(tmp_path, text), limit, 1000)


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', '{"a":NaN}', '{"a":1', "", '{"a":1} x', b'{"a":"\xff"}'], ids=str)
def test_json_that_two_readers_could_read_differently(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(ConfigurationError, match="not usable JSON"):
        read(write(tmp_path, text, "facts.json"), 1000, 1000)


def test_a_fault_names_file_and_line(tmp_path: Path) -> None:
    document = read(write(tmp_path, "a:\n  - x: 1\n  - x: 2\n    y: 3\n"), 1000, 1000)
    assert str(document.fault(("a", 1, "y"), "is odd")).endswith("facts.yaml:4: a.1.y: is odd")
    assert str(document.fault((), "is odd")).endswith("facts.yaml:1: is odd")
    assert str(document.fault(("a", 7), "is odd")).endswith("facts.yaml:1: a.7: is odd")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read(tmp_path / "none.yaml", 1000, 1000)
