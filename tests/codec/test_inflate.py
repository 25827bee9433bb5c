import gzip

import pytest

from leadglass.codec.inflate import InflateError, inflate

BODY = gzip.compress(b"x" * 1000)


def test_within() -> None:
    assert inflate(BODY, 1000) == b"x" * 1000


@pytest.mark.parametrize(
    ("data", "limit"),
    [(BODY, 999), (BODY, 0), (BODY[:-1], 1000), (BODY + b"x", 1000), (BODY * 2, 5000), (b"", 9), (b"x" * 99, 9999)],
    ids=["too large", "nothing", "cut", "more", "two members", "empty", "no gzip"],
)
def test_refused(data: bytes, limit: int) -> None:
    with pytest.raises(InflateError):
        inflate(data, limit)
