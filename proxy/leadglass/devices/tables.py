"""The tables of devices, their certificates and their enrolment codes. Times are epoch seconds."""

from typing import Final

from sqlalchemy import Column, Double, ForeignKey, Integer, LargeBinary, Table, Text

from leadglass.store import metadata

DEVICES: Final = Table(
    "devices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("owner_issuer", Text, nullable=False),  # an id alone is no person: each issuer gives its own
    Column("os", Text, nullable=False),
    Column("key_protection", Text, nullable=False),
    Column("jwk", Text, nullable=False),
    Column("thumbprint", Text, nullable=False, unique=True),  # one key, one device, for ever
    Column("enrolled", Double, nullable=False),
    Column("revoked", Double),
    Column("revoked_reason", Text),
    Column("received", Double),  # of the newest statement, by the gateway's clock; None: never one
    Column("seq", Integer),
    Column("boot_id", Text),
    Column("uptime", Double),
    Column("agent", Text),
    Column("checks", Text),
)

CERTIFICATES: Final = Table(
    "device_certificates",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("device_id", Text, ForeignKey("devices.id"), nullable=False, index=True),
    Column("der", LargeBinary, nullable=False),
    Column("not_before", Double, nullable=False),
    Column("not_after", Double, nullable=False),
)

CODES: Final = Table(
    "enrolment_codes",
    metadata,
    Column("code_id", Text, primary_key=True),
    Column("request_key", LargeBinary, nullable=False),  # derived one way; the code itself is kept nowhere
    Column("reply_key", LargeBinary, nullable=False),
    Column("owner", Text, nullable=False),
    Column("owner_issuer", Text, nullable=False),
    Column("ends", Double, nullable=False),
    Column("tries", Integer, nullable=False),
)
