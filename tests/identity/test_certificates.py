"""Services by their certificate: rules, time and CRL on every request."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from leadglass.epochs import Epochs
from leadglass.identity.identity import Identity
from leadglass.identity.settings import CertificateRule, IdentitySettings
from leadglass.model.credentials import Evidence
from leadglass.model.errors import ConfigurationError, Refusal
from support.clock import FakeClock
from support.idp import NOW
from support.servicecert import DNS, URI, Leaf, SiteCa

CA, OTHER = SiteCa(), SiteCa("Other CA")
LEAF = CA.leaf()
RULE = {"san_uri": "urn:example:modality:*", "id": "modality-*", "roles": ["modality"]}
Make = Callable[..., Identity]


@pytest.fixture
async def make(tmp_path: Path, clock: FakeClock, epochs: Epochs) -> AsyncIterator[Make]:
    made: list[Identity] = []
    (tmp_path / "ca.pem").write_bytes(CA.pem)

    def build(*rules: dict[str, object], crl: bytes | None = None) -> Identity:
        if crl is not None:
            (tmp_path / "crl.pem").write_bytes(crl)
        listed = {"ca": "ca.pem", "crl": None if crl is None else "crl.pem", "rules": rules or (RULE,)}
        issuers = [{"issuer": "https://idp.example", "audience": "x", "jwks": "keys.json"}]
        settings = IdentitySettings.model_validate_json(
            json.dumps({"issuers": issuers, "certificates": listed}), context={"base": tmp_path, "environ": {}}
        )
        made.append(Identity(settings, clock=clock, epochs=epochs))
        return made[-1]

    yield build
    for identity in made:
        await identity.close()


def shown(leaf: Leaf) -> Evidence:
    return Evidence(certificate=leaf.der)


async def refused(identity: Identity, leaf: Leaf) -> str:
    assert identity.cached(None, shown(leaf)) is None
    with pytest.raises(Refusal) as caught:
        await identity.authenticate(None, shown(leaf))
    assert caught.value.causes[0].reason.code == "user-unauthenticated"
    return caught.value.detail


async def test_a_service_needs_no_token(make: Make) -> None:
    identity = make()
    await identity.start()
    who = await identity.authenticate(None, shown(LEAF))
    assert (who.type, who.id, who.roles, who.mfa, who.expires) == (
        "service", "modality-ct-2", ("modality",), False, NOW + 86_400,
    )  # fmt: skip
    assert identity.cached(None, shown(LEAF)) is who
    assert who.issuer.startswith("urn:leadglass:ca:")
    assert identity.device_certificate(LEAF.der) is None
    assert identity.service_cas.encode() == CA.pem
    assert (await refused(identity, OTHER.leaf())).startswith("no Authorization")
    with pytest.raises(Refusal):  # a token that is no good is not made good by a certificate
        await identity.authenticate("Bearer a.b.c", shown(LEAF))
    with pytest.raises(Refusal):
        await identity.authenticate(None, Evidence("GET", "", "a.b.c", LEAF.der))


async def test_a_device_certificate_is_no_identity(make: Make) -> None:
    identity = make({"san_uri": "urn:leadglass:device:*", "id": "evil-*", "roles": ["admin"]})
    await identity.start()
    device = CA.leaf(uris=("urn:leadglass:device:01J",))
    assert (await refused(identity, device)).startswith("no Authorization")
    assert identity.device_certificate(device.der) == device.der


@pytest.mark.parametrize(
    ("rules", "leaf", "found"),
    [
        ([{"san_uri": URI, "id": "a"}], LEAF, "a"),
        ([{"san_dns": DNS, "id": "a"}], LEAF, "a"),
        ([{"san_dns": "*.modality.example.org", "id": "*"}], LEAF, "ct-2"),
        ([{"subject": "CN=*", "id": "s-*"}], LEAF, "s-ct-2"),
        ([{"san_uri": URI, "id": "a"}, {"san_dns": DNS, "id": "a"}], LEAF, "a"),
        ([{"san_uri": URI, "id": "a"}, {"san_dns": DNS, "id": "b"}], LEAF, "fits several"),
        ([{"san_uri": URI, "id": "a"}, {"san_dns": DNS, "id": "a", "roles": ["x"]}], LEAF, "fits several"),
        ([{"san_dns": "*.example.org", "id": "a"}], LEAF, "fits no"),
        ([{"san_dns": "*", "id": "a"}], LEAF, "fits no"),
        ([{"san_uri": URI[:-1], "id": "a"}], LEAF, "fits no"),
        ([{"san_uri": URI.upper(), "id": "a"}], LEAF, "fits no"),
        ([{"san_uri": URI.replace("example", "ex.mple"), "id": "a"}], LEAF, "fits no"),
        ([{"san_dns": DNS, "id": "a"}], CA.leaf(dns=(f"{DNS}.evil.org",)), "fits no"),
        ([{"san_dns": DNS, "id": "a"}], CA.leaf(dns=(f"x{DNS}",)), "fits no"),
        ([{"san_dns": DNS, "id": "a"}], CA.leaf(DNS, dns=()), "fits no"),
        ([{"san_uri": "urn:example:modality:*", "id": "*"}], CA.leaf(uris=(URI, f"{URI}x")), "fits several"),
        ([{"san_uri": "urn:example:modality:*", "id": "*"}], CA.leaf(uris=("urn:example:modality:",)), "fits no"),
        ([{"san_uri": "urn:example:modality:*", "id": "*"}], CA.leaf(uris=("urn:example:modality:a\nb",)), "fits no"),
        ([{"san_uri": "urn:example:modality:*", "id": "*"}], CA.leaf(uris=("urn:example:modality:a\0b",)), "fits no"),
        ([{"san_dns": DNS, "id": "a"}], CA.leaf(dns=(f"{DNS}\0.evil.org",)), "fits no"),
        ([{"subject": "CN=ct-2", "id": "a"}], CA.leaf("ct-2,O=x"), "fits no"),
    ],
    ids=str,
)
async def test_rules_match_whole_names_and_one_service(
    make: Make, rules: list[dict[str, object]], leaf: Leaf, found: str
) -> None:
    identity = make(*rules)
    await identity.start()
    if found.startswith("fits"):
        assert (await refused(identity, leaf)).startswith(f"certificate: {found}")
    else:
        assert (await identity.authenticate(None, shown(leaf))).id == found


@pytest.mark.parametrize(
    ("leaf", "cause"),
    [
        (CA.leaf(end=0), "certificate: expired"),
        (CA.leaf(start=1), "certificate: not yet valid"),
        (CA.leaf(usage=None), "certificate: not for client"),
        (CA.leaf(ca=True), "certificate: a CA"),
    ],
    ids=["expired", "early", "usage", "CA"],
)
async def test_a_certificate_that_does_not_count_is_told_to_the_record(make: Make, leaf: Leaf, cause: str) -> None:
    identity = make()
    await identity.start()
    assert (await refused(identity, leaf)).startswith(cause)
    assert identity.device_certificate(leaf.der) is None


async def test_time_is_judged_on_every_request(make: Make, clock: FakeClock) -> None:
    identity = make(crl=CA.crl(end=100))
    await identity.start()
    who = await identity.authenticate(None, shown(LEAF))
    assert who.expires == NOW + 100
    clock.advance(100)
    assert await refused(identity, LEAF) == "certificate: no CRL of its CA that holds now"
    with pytest.raises(Refusal):
        identity.check(who)


async def test_a_changed_crl_counts_at_once(make: Make, tmp_path: Path, clock: FakeClock, epochs: Epochs) -> None:
    identity = make(crl=CA.crl(1))
    await identity.start()
    held = identity._certificates
    assert held is not None
    who = await identity.authenticate(None, shown(LEAF))
    identity.check(who)
    before = epochs.snapshot((identity.epoch(who),))
    await held.maintain()
    assert epochs.current(before)
    (tmp_path / "crl.pem").write_bytes(b"garbage")
    await held.maintain()
    assert identity.cached(None, shown(LEAF)) is who  # the old one is in force
    (tmp_path / "crl.pem").write_bytes(CA.crl(LEAF.serial, start=-61))
    await held.maintain()
    assert identity.cached(None, shown(LEAF)) is who  # an older one does not replace it
    (tmp_path / "crl.pem").write_bytes(CA.crl(LEAF.serial, start=0))
    await held.maintain()
    assert not epochs.current(before)
    assert await refused(identity, LEAF) == "certificate: revoked"
    with pytest.raises(Refusal):
        identity.check(who)
    (tmp_path / "crl.pem").unlink()
    await held.maintain()
    assert await refused(identity, LEAF) == "certificate: revoked"


@pytest.mark.parametrize(
    "crl", [b"", b"x", OTHER.crl(), CA.crl(delta=True)], ids=["empty", "garbage", "foreign", "delta"]
)
async def test_a_crl_that_cannot_be_used_stops_the_start(make: Make, crl: bytes) -> None:
    with pytest.raises(ConfigurationError, match="crl"):
        await make(crl=crl).start()


async def test_a_ca_that_cannot_be_used_stops_the_start(make: Make, tmp_path: Path) -> None:
    identity = make()
    for content in (b"", LEAF.pem):
        (tmp_path / "ca.pem").write_bytes(content)
        with pytest.raises(ConfigurationError, match="ca"):
            await identity.start()
    (tmp_path / "ca.pem").unlink()
    with pytest.raises(ConfigurationError, match="ca"):
        await identity.start()


@pytest.mark.parametrize(
    "rule",
    [
        {"id": "a"}, {"san_uri": "x", "san_dns": "y", "id": "a"}, {"san_uri": "*:*", "id": "a"}, {"san_uri": "x", "id": "*"},
        {"san_dns": "CT.example", "id": "a"}, {"san_uri": "", "id": "a"}, {"san_uri": "x", "id": ""},
    ],
    ids=str,
)  # fmt: skip
def test_a_rule_says_one_thing(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CertificateRule.model_validate(rule)
