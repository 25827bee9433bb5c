import pytest

from leadglass.codec import strictyaml
from leadglass.model.errors import ConfigurationError

FAULTS = {
    "a-key-twice": (b"a: 1\nb: 2\na: secret\n", "f.yaml:3: found duplicate key"),
    "directive": (b"%YAML 1.1\n---\na: NO\n", "directives"),
    "directive-further-down": (b"a: 1\n---\n%YAML 1.1\n---\na: NO\n", "directives|another document"),
    "directive-behind-a-byte-order-mark": (b"\xef\xbb\xbf%YAML 1.1\n---\na: NO\n", "f.yaml:1: YAML directives"),
    "directive-behind-a-carriage-return": (b"# a\r%YAML 1.1\r---\ra: NO\r", "f.yaml:2: YAML directives"),
    "directive-behind-a-document-end": (b"a: NO\n...\n%YAML 1.1\n", "f.yaml:3: YAML directives"),
    "tag-that-makes-NO-false": (b"a: !!bool NO\n", "f.yaml:1: YAML tags"),
    "tag-of-a-list": (b"a: 1\nb: !!python/object/apply:os.system [id]\n", "f.yaml:2: YAML tags"),
    "tag-of-a-mapping": (b"a: !own {b: 1}\n", "tags"),
    "tag-of-nothing": (b"a: ! 1\n", "tags"),
    "two-documents": (b"a: 1\n---\nb: 2\n", "f.yaml"),
    "open": (b"a: [1\n", "f.yaml:"),
    "bytes": (b"a: \xff\n", "not UTF-8"),
    "too-deep": (b"a: " + b"[" * 3000 + b"]" * 3000, "not YAML"),
}


@pytest.mark.parametrize("lines", [True, False], ids=["lines", "plain"])
@pytest.mark.parametrize(("text", "said"), FAULTS.values(), ids=FAULTS)
def test_what_two_readers_could_read_differently_is_refused(text: bytes, said: str, *, lines: bool) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        strictyaml.load("f.yaml", text, lines=lines)
    assert caught.value.hint
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("lines", [True, False], ids=["lines", "plain"])
def test_words_are_those_of_yaml_1_2(*, lines: bool) -> None:
    assert strictyaml.load("f.yaml", b"[NO, on, 22:30, 0o17]", lines=lines) == ["NO", "on", "22:30", 15]


@pytest.mark.parametrize("lines", [True, False], ids=["lines", "plain"])
def test_what_looks_like_a_directive_and_is_none_is_text(*, lines: bool) -> None:
    text = b"a: |\n  %YAML 1.1\nb: '!!bool NO'\nc: 50%\n"
    assert strictyaml.load("f.yaml", text, lines=lines) == {"a": "%YAML 1.1\n", "b": "!!bool NO", "c": "50%"}


def test_lines_are_those_of_the_deepest_part_that_is_there() -> None:
    tree = strictyaml.load("f.yaml", b"# head\na:\n  b:\n    - c: 1\n    - d: 2\n")
    paths: list[tuple[str | int, ...]] = [(), ("a",), ("a", "b", 1), ("a", "b", 1, "d", "x"), ("z",)]
    assert [strictyaml.line(tree, path) for path in paths] == [1, 2, 5, 5, 1]


@pytest.mark.parametrize(
    ("text", "problem"), [(b"a: &x [1]\nb: *x\n", "aliases"), (b"a: [[1]]\n", "nested too deeply")]
)
def test_a_tree_is_spelt_out_within_a_depth(text: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        strictyaml.spelt_out(strictyaml.load("f.yaml", text), 2)
    strictyaml.spelt_out(strictyaml.load("f.yaml", b"a: [1]\nb: [1]\n"), 2)
