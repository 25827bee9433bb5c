import pytest

from leadglass import limits
from leadglass.model.errors import ConfigurationError
from leadglass.policy.yamlfile import YamlFile


def test_plain_values_are_read() -> None:
    text = b"a: [1, 2.5, text, true, null]\nb: {c: 'x'}\n"
    assert YamlFile("t.yaml", text).value == {"a": [1, 2.5, "text", True, None], "b": {"c": "x"}}


def test_words_that_yaml_1_1_took_for_booleans_are_text() -> None:
    assert YamlFile("t.yaml", b"country: NO\nyes: on\n").value == {"country": "NO", "yes": "on"}


def test_octal_and_sexagesimal_are_not_guessed() -> None:
    assert YamlFile("t.yaml", b"a: 22:30\n").value == {"a": "22:30"}


FAULTS = [
    pytest.param(b"a: 1\nb: 2\na: 3\n", r"t\.yaml:3", id="duplicate key"),
    pytest.param(b"a: &x [1]\nb: *x\n", "aliases", id="alias"),
    pytest.param(b"a: &x {b: 1}\nc:\n  <<: *x\n", "t.yaml", id="merge key"),
    pytest.param(b"%YAML 1.1\n---\na: NO\n", "directives", id="directive"),
    pytest.param(b"a: 2026-11-23\n", "quote", id="date"),
    pytest.param(b"a: !!binary aGk=\n", "t.yaml:1", id="binary"),
    pytest.param(b"a: !!python/object:os.system x\n", "t.yaml:1", id="tag"),
    pytest.param(b"1: a\n", "a key must be text", id="number as key"),
    pytest.param(b"a: .inf\n", "t.yaml:1", id="infinity"),
    pytest.param(b"a: .nan\n", "t.yaml:1", id="not a number"),
    pytest.param(b"a: 9007199254740993\n", "t.yaml:1", id="number beyond 2^53"),
    pytest.param(b'a: "\\ud800"\n', "t.yaml:1", id="lone surrogate"),
    pytest.param(b"a: [\n", "t.yaml:", id="open bracket"),
    pytest.param(b"\xff", "UTF-8", id="not UTF-8"),
    pytest.param(b"a: 1\n---\nb: 2\n", "t.yaml", id="two documents"),
    pytest.param(b"a: " + b"[" * 60 + b"]" * 60, "deep", id="deep"),
]


@pytest.mark.parametrize(("text", "said"), FAULTS)
def test_anything_else_is_an_error_with_its_line(text: bytes, said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        YamlFile("t.yaml", text)
    assert __import__("re").search(said, f"{error.value} {error.value.hint}")


def test_a_file_beyond_the_limit_is_not_read() -> None:
    with pytest.raises(ConfigurationError, match="larger"):
        YamlFile("t.yaml", b"#" * (limits.TABLE_BYTES + 1))


def test_lines_are_found() -> None:
    file = YamlFile("t.yaml", b"a:\n  - x\n  - b: 1\n    c: 2\n")
    assert [file.line(path) for path in ((), ("a",), ("a", 1), ("a", 1, "c"), ("a", 1, "gone"))] == [1, 1, 3, 4, 3]
