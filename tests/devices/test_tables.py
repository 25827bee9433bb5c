"""The tables hold keys and facts; no code and no private key has a column."""

from leadglass.devices.tables import CERTIFICATES, CODES, DEVICES
from leadglass.store import metadata


def test_they_belong_to_the_one_metadata() -> None:
    assert {table.name for table in (DEVICES, CERTIFICATES, CODES)} <= set(metadata.tables)


def test_a_key_enrols_one_device() -> None:
    assert DEVICES.c.thumbprint.unique


def test_codes_are_kept_derived() -> None:
    assert set(CODES.c.keys()) == {"code_id", "request_key", "reply_key", "owner", "owner_issuer", "ends", "tries"}
