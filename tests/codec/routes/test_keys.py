import pytest

from leadglass.codec.routes.keys import RULES, parse_keys, write_keys
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code

GOOD = [
    ("render", [("window", "-600.5,1500,linear-exact"), ("annotation", "patient,technique")]),
    ("render", [("viewport", "512,512"), ("accept", "image/png,image/jpeg"), ("iccprofile", "srgb")]),
    ("render", [("viewport", "512,512,,,-10,20.5")]),
    ("thumbnail", [("viewport", "64,64")]),
    ("volume", [("viewpointposition", "1,2,3"), ("renderingmethod", "volume_rendered"), ("swivelrange", "90")]),
    ("uid", [("workitem", "1.2.3")]),
    ("wado-uri", [("requestType", "WADO"), ("studyUID", "1.2"), ("contentType", "image/jpeg"), ("region", "0,0,1,1")]),
]


@pytest.mark.parametrize(("rule", "pairs"), GOOD, ids=[f"{row[0]} {row[1][0][0]}" for row in GOOD])
def test_keys_are_written_in_one_order(rule: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_keys(rule, pairs) == dict(pairs)
    assert write_keys(parse_keys(rule, pairs)) == write_keys(parse_keys(rule, reversed(pairs)))


BAD = [
    ("none", "x", "1"),
    ("render", "x", "1"),
    ("render", "Window", "1,2,linear"),
    ("render", "window", "1,2"),
    ("render", "window", "1,2,LINEAR"),
    ("render", "window", "1e9,2,linear"),
    ("render", "window", "\u0661,2,linear"),
    ("render", "quality", "0"),
    ("render", "quality", "101"),
    ("render", "quality", "090"),
    ("render", "annotation", "everything"),
    ("render", "viewport", "512"),
    ("render", "viewport", "512,512,1,1,1,1,1"),
    ("render", "iccprofile", ""),
    ("render", "accept", "image/png;q=1"),
    ("volume", "volumeinputreference", "1.2.3"),
    ("volume", "match", "00100020"),
    ("uid", "workitem", "01.2"),
    ("wado-uri", "requestType", "wado"),
    ("wado-uri", "studyUID", "1.2,1.3"),
    ("wado-uri", "presentationUID", "1.2"),
    ("wado-uri", "anonymize", "no"),
    ("wado-uri", "frameNumber", "0"),
]


@pytest.mark.parametrize(("rule", "key", "value"), BAD, ids=[" ".join(row) for row in BAD])
def test_another_key_or_value_is_refused(rule: str, key: str, value: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_keys(rule, [(key, value)])
    assert caught.value.causes[0].reason.code == Code.QUERY_REFUSED
    assert caught.value.causes[0].params == {"key": key}


def test_no_key_comes_twice() -> None:
    with pytest.raises(Refusal):
        parse_keys("render", [("quality", "9"), ("quality", "9")])


def test_no_shape_lets_a_separator_through() -> None:
    for rule, keys in RULES.items():
        for key, shape in keys.items():
            assert not any(shape.fullmatch(text) for text in ("", "&", "a&b=c", "1&x=1", "1#", "1 ", "1\n")), (
                rule,
                key,
            )
