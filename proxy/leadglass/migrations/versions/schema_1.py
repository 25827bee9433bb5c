"""What the first release made. Tables that are there stay as they are: a store of it begins here, too."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    first = op.create_table("leadglass_schema", sa.Column("version", sa.Integer, nullable=False), if_not_exists=True)
    if not op.get_bind().execute(sa.select(sa.func.count()).select_from(sa.table("leadglass_schema"))).scalar():
        op.bulk_insert(first, [{"version": 1}])
    _devices()
    _people()
    op.create_table(
        "revocations",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("made", sa.Double, nullable=False),
        sa.Column("until", sa.Double),
        if_not_exists=True,
    )
    op.create_table(
        "emergency_codes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("made", sa.Double, nullable=False),
        sa.Column("ends", sa.Double, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("used", sa.Double),
        sa.Column("used_by", sa.Text),
        sa.Column("withdrawn", sa.Double),
        if_not_exists=True,
    )
    op.create_table(
        "signals",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("says", sa.Text, nullable=False),
        sa.Column("until", sa.Double),
        if_not_exists=True,
    )
    op.create_table(
        "signals_seen",
        sa.Column("transmitter", sa.Text, primary_key=True),
        sa.Column("jti", sa.Text, primary_key=True),
        sa.Column("until", sa.Double, nullable=False),
        if_not_exists=True,
    )


def _devices() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("name", "owner", "owner_issuer", "os", "key_protection", "jwk")
        ),
        sa.Column("thumbprint", sa.Text, nullable=False, unique=True),
        sa.Column("enrolled", sa.Double, nullable=False),
        sa.Column("revoked", sa.Double),
        sa.Column("revoked_reason", sa.Text),
        sa.Column("received", sa.Double),
        sa.Column("seq", sa.Integer),
        sa.Column("boot_id", sa.Text),
        sa.Column("uptime", sa.Double),
        sa.Column("agent", sa.Text),
        sa.Column("checks", sa.Text),
        if_not_exists=True,
    )
    op.create_table(
        "device_certificates",
        sa.Column("sha256", sa.LargeBinary, primary_key=True),
        sa.Column("device_id", sa.Text, sa.ForeignKey("devices.id"), nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
        sa.Column("not_before", sa.Double, nullable=False),
        sa.Column("not_after", sa.Double, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_device_certificates_device_id", "device_certificates", ["device_id"], if_not_exists=True)
    op.create_table(
        "enrolment_codes",
        sa.Column("code_id", sa.Text, primary_key=True),
        sa.Column("request_key", sa.LargeBinary, nullable=False),
        sa.Column("reply_key", sa.LargeBinary, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("owner_issuer", sa.Text, nullable=False),
        sa.Column("ends", sa.Double, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        if_not_exists=True,
    )


def _people() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("begun", sa.Double, nullable=False),
        sa.Column("used", sa.Double, nullable=False),
        sa.Column("ends", sa.Double, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "session_devices",
        sa.Column("session", sa.Text, primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("proven", sa.Double, nullable=False),
        if_not_exists=True,
    )
