import pytest

from leadglass.model.signals import Event, Name, SignalRefused, Whom

A, B = "https://a.example", "https://b.example"
USER: frozenset[Name] = frozenset({("sub", "s")})
SESSION: frozenset[Name] = frozenset({("sid", "1")})
DEVICE: frozenset[Name] = frozenset({("device", "D1")})
EITHER = USER | SESSION

ROWS: list[tuple[tuple[frozenset[Name], ...], frozenset[Name], bool]] = [
    ((USER,), USER, True),
    ((USER,), frozenset({("sub", "t")}), False),
    ((USER,), SESSION, False),  # nothing known of the only part is no match
    ((USER,), frozenset(), False),
    ((EITHER,), SESSION, True),
    ((USER, SESSION), USER | SESSION, True),
    ((USER, SESSION), USER | {("sid", "2")}, False),
    ((USER, SESSION), USER, True),  # a token without sid may be of that session
    ((USER, SESSION), frozenset({("sub", "t"), ("sid", "1")}), False),
    ((USER, DEVICE), USER | {("device", "D2")}, False),
    ((USER, DEVICE), USER, True),
    ((USER, SESSION, DEVICE), frozenset(), False),
    ((), USER, False),
]


@pytest.mark.parametrize(("parts", "names", "met"), ROWS, ids=str)
def test_who_is_meant(parts: tuple[frozenset[Name], ...], names: frozenset[Name], *, met: bool) -> None:
    assert Whom(A, parts).meets(A, names) is met


def test_another_issuer_s_same_name_is_another_person_and_a_device_is_the_same() -> None:
    assert not Whom(A, (USER,)).meets(B, USER)
    assert Whom(A, (DEVICE,)).meets(B, USER | DEVICE)
    assert Whom(A, (DEVICE,)).key() == Whom(B, (DEVICE,)).key()
    assert Whom(A, (USER,)).key() != Whom(B, (USER,)).key()


def test_events_go_by_the_names_of_the_specifications() -> None:
    assert Event("session-revoked") is Event.SESSION_REVOKED
    assert str(SignalRefused("invalid_key", "why")) == "invalid_key: why"
