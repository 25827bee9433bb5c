"""The gateway's own paths: exactly those of the table, and what each needs."""

import pytest

from leadglass.codec.control import PREFIX, ROUTES, ControlRoute, Needs, match

CASES = [
    ("/.leadglass/v1/enrol", "POST", Needs.NOTHING),
    ("/.leadglass/v1/renew", "POST", Needs.NOTHING),
    ("/.leadglass/v1/nonce", "GET", Needs.NOTHING),
    ("/.leadglass/v1/posture", "POST", Needs.DEVICE),
    ("/.leadglass/v1/jwks.json", "GET", Needs.NOTHING),
    ("/.leadglass/v1/login", "GET", Needs.NOTHING),
    ("/.leadglass/v1/callback", "GET", Needs.NOTHING),
    ("/.leadglass/v1/logout", "POST", Needs.NOTHING),
    ("/.leadglass/v1/session", "POST", Needs.NOTHING),
    ("/.leadglass/v1/backchannel-logout", "POST", Needs.NOTHING),
    ("/.leadglass/v1/callback", "POST", None),
    ("/.leadglass/v1/enrol", "GET", None),
    ("/.leadglass/v1/posture", "post", None),
    ("/.leadglass/v1/posture/", "POST", None),
    ("/.leadglass/v1/Posture", "POST", None),
    ("/.leadglass/v1", "GET", None),
    ("/.leadglass/admin", "GET", None),
]


@pytest.mark.parametrize(("path", "method", "needs"), CASES, ids=[f"{m} {p}" for p, m, _ in CASES])
def test_only_listed_paths_are_served(path: str, method: str, needs: Needs | None) -> None:
    route = match(path, method)
    assert (route.needs if route else None) == needs


def test_every_row_stands_below_the_prefix_and_once() -> None:
    assert all(route.path.startswith(PREFIX) for route in ROUTES)
    assert len({(route.path, route.method) for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize(
    ("needs", "device", "person"),
    [
        (Needs.NOTHING, False, False),
        (Needs.DEVICE, True, False),
        (Needs.PERSON, False, True),
        (Needs.BOTH, True, True),
    ],
)
def test_needs_say_what_must_be_established(needs: Needs, device: bool, person: bool) -> None:  # noqa: FBT001 - rows of a table
    route = ControlRoute("/x", "GET", needs)
    assert (route.device, route.person) == (device, person)
