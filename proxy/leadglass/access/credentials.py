"""What a request shows to say who asks and from where, taken from its fields, its connection and its session."""

from leadglass.access.services import Services
from leadglass.model.credentials import Evidence
from leadglass.model.facts import Device, Subject
from leadglass.model.request import CleanRequest, Peer


def credentials(services: Services, request: CleanRequest, peer: Peer) -> tuple[str | None, Evidence]:
    """Return the Authorization field and what may bear it out. `request` is clean, so its Host is one of ours."""
    fields = request.headers.fields
    url = services.authorities[request.authority] + request.path
    return fields.get("authorization"), Evidence(request.method, url, fields.get("dpop"), peer.certificate)


def device(services: Services, subject: Subject, peer: Peer) -> Device | None:
    """Return the device that a request comes from: its connection's, else the one that its session is proven open on.

    Raises Refusal `device-certificate-expired`, `statement-invalid`.
    """
    certificate = services.identity.device_certificate(peer.device_certificate)
    shown = services.registry.present(certificate, services.clock.now())
    if shown is None and subject.session is not None:
        return services.bindings.device(subject.session)
    return shown
