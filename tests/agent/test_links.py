import gzip
import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.links import BadEncoding, Links

OLD, NEW = "https://pacs.test", "http://127.0.0.1:8765/secret"


def led(data: bytes, *cuts: int, packed: bool = False) -> bytes:
    links = Links(OLD, NEW, gzip=packed)
    edges = [0, *sorted(cuts), len(data)]
    parts = [data[start:end] for start, end in pairwise(edges)]
    return b"".join(piece for part in parts for piece in links.feed(part)) + links.finish()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"https://pacs.test/dicom-web/x"', '"http://127.0.0.1:8765/secret/dicom-web/x"'),
        ('["https://pacs.test/a","https://pacs.test/b"]',) * 2,
        ('"https://pacs.test.evil/x"',) * 2,
        ('"https://pacs.test:444/x"',) * 2,
        ('"see https://pacs.test/x"',) * 2,
        ('"https://pacs.test"',) * 2,
        ('"https://pacs.tes',) * 2,
        ('""https://pacs.test/', '""http://127.0.0.1:8765/secret/'.replace('""', '"" ').replace(" ", "")),
        ("", ""),
    ],
)
def test_links_to_the_gateway_and_no_others_are_led(before: str, after: str) -> None:
    if before.startswith("["):
        after = before.replace(OLD, NEW)
    assert led(before.encode()).decode() == after


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([f'"{OLD}/', '"', '"https', OLD, "/", "x", '"https://pacs.test'])), st.data())
def test_pieces_of_any_size_give_the_same(words: list[str], data: st.DataObject) -> None:
    body = "".join(words).encode()
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=8))
    whole = body.replace(f'"{OLD}/'.encode(), f'"{NEW}/'.encode())
    assert led(body, *cuts) == whole
    assert led(body, *range(len(body))) == whole


def test_gzip_is_opened_whole_and_byte_by_byte() -> None:
    body = json.dumps([{"00081190": {"Value": [f"{OLD}/dicom-web/studies/{n}"]}} for n in range(5000)]).encode()
    packed = gzip.compress(body)
    wanted = body.replace(OLD.encode(), NEW.encode())
    assert led(packed, packed=True) == wanted
    assert led(packed, *range(len(packed)), packed=True) == wanted


def test_a_small_gzip_opens_in_pieces() -> None:
    links = Links(OLD, NEW, gzip=True)
    assert max(len(piece) for piece in links.feed(gzip.compress(bytes(50_000_000)))) <= 256 * 1024 + len(OLD)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(gzip.compress(b"{}")[:-1], id="cut"),
        pytest.param(b"", id="empty"),
        pytest.param(gzip.compress(b"{}") + b"x", id="trailing"),
        pytest.param(b"{}", id="no-gzip"),
        pytest.param(gzip.compress(b"{}")[:-5] + b"\x00" + gzip.compress(b"{}")[-4:], id="checksum"),
    ],
)
def test_a_gzip_that_is_not_whole_is_no_answer(data: bytes) -> None:
    with pytest.raises(BadEncoding):
        led(data, packed=True)
