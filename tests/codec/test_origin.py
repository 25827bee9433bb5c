import pytest

from leadglass.codec.origin import check_origin, check_sent

GOOD = ["https://a.example", "https://a.example:8443", "https://10.0.0.1", "https://[fd00::1]:8443", "http://localhost:3000", "http://127.0.0.1", "http://[::1]:8080"]  # fmt: skip
BAD = [
    ("", "lower case"),
    ("null", "lower case"),
    ("*", "lower case"),
    ("https://*.example.org", "lower case"),
    ("https://a.example/", "lower case"),
    ("https://a.example?", "lower case"),
    ("https://a.example#", "lower case"),
    ("https://a.example/x?y#z", "lower case"),
    ("https://A.example", "lower case"),
    ("HTTPS://a.example", "lower case"),
    ("https://u@a.example", "lower case"),
    ("https://a.example:0443", "lower case"),
    ("https://a.example:", "lower case"),
    ("https://a.example https://b.example", "lower case"),
    ("\thttps://a.example", "lower case"),
    ("https://a.ex\nample", "lower case"),
    ("https://bücher.example", "lower case"),
    ("file:///x", "lower case"),
    ("chrome-extension://abcdef", "lower case"),
    ("http://a.example", "plain http"),
    ("http://localhost.evil.example", "plain http"),
    ("http://127.0.0.1.evil.example", "plain http"),
]


@pytest.mark.parametrize("origin", GOOD)
def test_an_origin(origin: str) -> None:
    assert check_sent(origin) == check_origin(origin) == origin


@pytest.mark.parametrize(("origin", "problem"), BAD)
def test_not_an_origin(origin: str, problem: str) -> None:
    for check in (check_origin, check_sent):
        with pytest.raises(ValueError, match=problem):
            check(origin)


@pytest.mark.parametrize("origin", ["https://a.example:443", "http://localhost:80"])
def test_browsers_leave_the_default_port_out(origin: str) -> None:
    assert check_origin(origin) == origin
    with pytest.raises(ValueError, match="default port"):
        check_sent(origin)
