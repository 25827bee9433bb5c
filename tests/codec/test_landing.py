"""Where a person lands: every spelling of a foreign place is refused (E1), every address of a viewer passes."""

import itertools
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.landing import landing

GOOD = [
    "/",
    "/viewer/",
    "/viewer",
    "/viewer/?StudyInstanceUIDs=1.2.3",
    "/viewer/?StudyInstanceUIDs=1.2.3,4.5&hangingprotocolId=%40ohif%2Fhp",
    "/viewer/?next=https://evil.example",  # a value of ours: no browser goes there
    "/dicom-web/studies/1.2/metadata",
    "/a-b_c~d.html?x",
]
HOSTS = (
    "evil.example",
    "evil.example/",
    "evil.example:443",
    "1.1.1.1",
    "[::1]",
    "user@evil.example",
    "pacs.example.org.evil.example",
)
SEPARATORS = ("/", "\\", "//", "/\\", "\\/", "\\\\", "///", "%2f", "%2F", "%5c", "%5C", "%09", "%0a", "%0d%0a", "%00", "%20", "%252f", "\t", "\n", "\r", " ", "\0", "\u00a0", "\u2215", "\uff0f", ".", "..", "/.", "/..", "/./", "/../", ";", "@", ":", "%2e%2e/", "%c0%af")  # fmt: skip
SCHEMES = ("https:", "http:", "HTTPS:", "javascript:", "data:", "vbscript:", "file:", "blob:", "//", "https:/", "https:///", "java\tscript:", "ftp:")  # fmt: skip
BAD = sorted(
    {f"/{separator}{host}" for separator, host in itertools.product(SEPARATORS, HOSTS)}
    | {f"{separator}/{host}" for separator, host in itertools.product(SEPARATORS, HOSTS)}
    | {
        f"{scheme}{slashes}{host}"
        for scheme, slashes, host in itertools.product(SCHEMES, ("", "/", "//", "\\\\"), HOSTS)
    }
    | {f"/viewer/{separator}/{host}" for separator, host in itertools.product(SEPARATORS, HOSTS[:1])}
    | {"", "viewer", "?x=y", "#x", "/viewer#x", "/viewer?x=<", "/viewer?x=\\", "/viewer?x=%zz", "/viewer?x=y z"}
    | {"/.leadglass/v1/logout", "/.leadglass/v1/login?return=/", "/" + "a" * 3000, "/viewer?x=\u00e9", "/%76iewer"}
)


@pytest.mark.parametrize("target", GOOD)
def test_addresses_of_ours_pass(target: str) -> None:
    assert landing(target) == target


def test_every_spelling_of_a_foreign_place_is_refused() -> None:
    assert len(BAD) > 558  # as many as the table that oauth2-proxy keeps
    assert [target for target in BAD if landing(target) is not None and leaves(target)] == []
    assert landing(None) is None


def leaves(target: str) -> bool:
    """Return whether a careless reader of a Location could leave our origin, or reach the control side."""
    seen = {target, unquote(target), target.replace("\\", "/")}
    for one in seen:
        seen.add("".join(character for character in one if character > " "))
    for one in seen:
        path = one.partition("?")[0]
        if (
            "//" in path
            or "\\" in path
            or "%" in path
            or urlsplit(urljoin("https://us.example/", one)).netloc != "us.example"
        ):
            return True
    return not target.startswith("/") or target.startswith("/.leadglass")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="/\\.%:@?#&=;a2f \t\r\n\0-[]", max_size=24))
def test_whatever_passes_stays_with_us(target: str) -> None:
    passed = landing("/" + target)
    assert passed is None or not leaves(passed)


@pytest.mark.parametrize(
    ("target", "lands"),
    [
        ("/.leadglass/v1/break-glass", True),
        ("/.leadglass/v1/break-glass?return=%2Fviewer%2F%3Fx%3D1", True),
        ("/.leadglass/v1/break-glass?return=//evil.example\\", False),
        ("/.leadglass/v1/break-glass#x", False),
        ("/.leadglass/v1/break-glass/../logout", False),
        ("/.leadglass/v1/break-glassy", False),
        ("/.leadglass/v1/emergency", False),
        ("/.leadglass/v1/break-glass?x=" + "a" * 3000, False),
    ],
)
def test_of_the_control_side_the_form_to_break_the_glass_alone(target: str, lands: bool) -> None:  # noqa: FBT001 - a row of the table
    assert (landing(target) == target) is lands
