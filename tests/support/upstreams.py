"""Upstream objects and permits for tests."""

import datetime as dt
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from leadglass.model.decision import Decision
from leadglass.model.facts import Action, Context, Resource, Subject
from leadglass.model.permit import Permit
from leadglass.model.ports import Pausable
from leadglass.model.question import Question
from leadglass.tasks import Tasks
from leadglass.upstream.settings import UpstreamSettings
from leadglass.upstream.signer import Signer
from leadglass.upstream.upstream import Upstream
from support.clock import FakeClock


def permit(subject: str = "demo.reader", **resource: str | None) -> Permit:
    """Return a permit as policy would make it."""
    decision = Decision(id="01TEST", allow=True, valid_until=2e9, revision="r", engine="wasm")
    told: dict[str, Any] = {"upstream": "main", **resource}
    return Permit(decision, asked(Action("retrieve", "wado-rs.study"), Resource("study", **told), subject))


def asked(action: Action, resource: Resource, subject: str = "demo.reader", **context: str) -> Question:
    """Return the question that a permit answers."""
    who = Subject("person", subject, "https://idp.example.org", b"", 2e9)
    return Question(who, action, resource, (), None, Context("http", "127.0.0.1", 10, 3, **context))  # type: ignore[arg-type]  # likewise


class ListSink:
    """A sink that keeps what it gets, and who it may pause."""

    def __init__(self) -> None:
        self.pieces: list[bytes | memoryview] = []
        self.sources: list[Pausable | None] = []

    def write(self, chunk: bytes | memoryview) -> bool:
        self.pieces.append(chunk)
        return False

    def attach(self, source: Pausable | None) -> None:
        self.sources.append(source)

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


def self_signed(folder: Path, name: str = "archive") -> tuple[Path, Path]:
    """Write a self-signed certificate for localhost and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    common = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"demo {name}")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(common, common, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, secret


def settings(url: str, **values: Any) -> UpstreamSettings:  # noqa: ANN401 - settings as the file would give them
    return UpstreamSettings.model_validate_json(json.dumps({"kind": "orthanc", "url": url, **values}))


@asynccontextmanager
async def opened(
    url: str,
    *,
    clock: FakeClock | None = None,
    signer: Signer | None = None,
    public_urls: Sequence[str] = ("https://pacs.example.org",),
    **values: Any,  # noqa: ANN401 - likewise
) -> AsyncIterator[Upstream]:
    """Return an Upstream towards `url`, closed at the end of the block."""
    tasks = Tasks()
    upstream = Upstream(settings(url, **values), clock or FakeClock(), tasks, public_urls=public_urls, signer=signer)
    try:
        yield upstream
    finally:
        upstream.close()
        await tasks.close()
