"""What passes while the gateway observes although a stage before policy says no (law 2, docs/adr/0016).

Only what says that somebody or something is not known well enough. What is malformed, unknown to the routes, too much, of
another web site, or withdrawn by name is refused as ever.
"""

from typing import Final

from leadglass.access.services import Services
from leadglass.audit.noise import source_of
from leadglass.codec.sameorigin import changes_from_elsewhere
from leadglass.identity.dpop import USE_NONCE
from leadglass.model.errors import Refusal, refuse
from leadglass.model.facts import ANONYMOUS, Subject
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest

_PASS: Final = frozenset(
    {
        Code.USER_UNAUTHENTICATED,
        Code.SIGN_IN_UNAVAILABLE,
        Code.DEVICE_CERTIFICATE_EXPIRED,
        Code.STATEMENT_INVALID,
        Code.DEVICE_CHANGED,
        Code.STUDY_AMBIGUOUS,
        Code.PATIENT_CONFLICT,
    }
)


def passes(services: Services, refusal: Refusal) -> Refusal:
    """Return a refusal to go on in spite of, for the record. Raises it where it stands."""
    if services.observes() is None or refusal.withdrawn or refusal.causes[0].reason.code not in _PASS:
        raise refusal
    if (
        refusal.challenge == USE_NONCE
    ):  # a step of the handshake: token and proof are good, and the client asks again at once
        raise refusal
    return refusal.with_traceback(
        None
    )  # it is kept as long as the exchange, and must not keep every frame it came through


def charge(services: Services, ip: str) -> None:
    """Count a failure of this source to say who it is; none while nobody has to, or a viewer's burst would shut its door."""
    if services.observes() is None:
        services.strangers.charge(ip)


def nobody(services: Services, request: CleanRequest, ip: str) -> Subject:
    """Return who stands for those of this source that are not known.

    Whatever they showed counts for nothing: a forged token gives no more than none. Raises Refusal `rate-limited`, and
    `origin-refused` for what an unlisted page would change: browsers keep back the cookie that would have told of it.
    """
    if changes_from_elsewhere(request, services.authorities[request.authority]) and not (
        services.cors is not None and services.cors.lists(request)
    ):
        raise refuse(Code.ORIGIN_REFUSED, "a page of another origin, and nobody signed in")
    name = f"{ANONYMOUS} {source_of(ip)}"
    services.subjects.spend(name)
    return Subject("person", name, ANONYMOUS, b"", float("inf"))
