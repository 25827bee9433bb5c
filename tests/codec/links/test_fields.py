import pytest

from leadglass.codec.links.fields import led_fields
from support.links import ARCHIVE, EVIL, PUBLIC, Led


@pytest.mark.parametrize("name", ["location", "content-location"])
def test_fields_with_one_link(name: str) -> None:
    field = name.title().encode()
    assert led_fields({name: f"{ARCHIVE}/workitems/1"}, Led()) == ((field, f"{PUBLIC}/workitems/1".encode()),)
    assert led_fields({name: f"{ARCHIVE.replace('http', 'ws')}/x"}, Led()) == (
        (field, f"{PUBLIC.replace('http', 'ws')}/x".encode()),
    )
    for foreign in (EVIL, "", "//evil", f"{ARCHIVE}/1, {EVIL}", f"{ARCHIVE}/\r\nX: y", f"{ARCHIVE}/\u00e9"):
        assert led_fields({name: foreign}, Led()) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f'<{ARCHIVE}/1>; rel="next"', f'<{PUBLIC}/1>; rel="next"'),
        (f'<{ARCHIVE}/1>; rel=a, <{EVIL}>; rel=b ,<{ARCHIVE}/2>;title="a, <b>"', f'<{PUBLIC}/1>; rel=a, <{PUBLIC}/2>;title="a, <b>"'),
        (f"<{EVIL}>", None),
        (f"{ARCHIVE}/1", None),
        (f"<{ARCHIVE}/1", None),
        (f"<{ARCHIVE}/1>; rel=a <{EVIL}>", None),
        (f'<{ARCHIVE}/1>; anchor="{EVIL}"', None),
        (f'<{ARCHIVE}/1>; title="\u00e9"', None),
        (f'<{ARCHIVE}/1>; title="x\r\ny"', None),
        ("", None),
    ],
)  # fmt: skip
def test_fields_with_several(before: str, after: str | None) -> None:
    assert led_fields({"link": before}, Led()) == (() if after is None else ((b"Link", after.encode()),))


def test_no_other_field_is_of_interest() -> None:
    assert led_fields({"content-type": ARCHIVE, "content-length": "1"}, Led()) == ()
