"""The closed list of reasons the gateway itself refuses with.

A reason is the spine of a refusal: status, sentence, fix, record and tests all follow from its code. Rules declare
theirs in `policies/data/reasons.yaml` with the same fields. `disclose` says who may know: a reason that comes from
facts about a study or a patient is `log` alone, and the person is answered `study-not-visible` (law 12).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from leadglass.model.codes import Code
from leadglass.model.reason import ADMIN, Disclose, Reason
from leadglass.model.viewreasons import VIEWS

__all__ = ["REASONS", "Code", "Disclose", "Reason"]


_ROWS: Final = (
    Reason(
        Code.AUDIT_UNAVAILABLE,
        503,
        "The record cannot be written",
        "Nothing is shown while the record of who sees what cannot be written.",
        ADMIN,
    ),
    Reason(
        Code.INTERNAL_FAULT,
        500,
        "The gateway failed",
        "The gateway met a fault of its own and let nothing through.",
        ADMIN,
    ),
    Reason(
        Code.HTTP_MALFORMED,
        400,
        "Malformed request",
        "The request is not one that every party would read alike, so it was not read at all.",
        "Use a current viewer; if this one is current, report it with the decision id.",
    ),
    Reason(
        Code.HEAD_TOO_LARGE,
        431,
        "Request head too large",
        "The head of the request is larger than the gateway reads.",
        "Send fewer or shorter header fields.",
    ),
    Reason(
        Code.HEAD_TOO_SLOW,
        408,
        "Request head too slow",
        "The head of the request did not arrive in time.",
        "Try again on a better connection.",
    ),
    Reason(
        Code.BODY_TOO_LARGE,
        413,
        "Request body too large",
        "The body of the request is larger than the gateway takes.",
        "Send it in several requests.",
    ),
    Reason(
        Code.BODY_TOO_SLOW,
        408,
        "Request body too slow",
        "The body of the request did not arrive in time.",
        "Try again on a better connection.",
    ),
    Reason(
        Code.CONTENT_ENCODING_REFUSED,
        415,
        "Content encoding refused",
        "Compressed request bodies are not taken.",
        "Send the body without Content-Encoding.",
    ),
    Reason(
        Code.HOST_UNKNOWN,
        400,
        "Unknown host",
        "The gateway does not serve the host name that was asked for.",
        "Use the address in public_url; an administrator can add another there.",
    ),
    Reason(
        Code.FORWARDING_MALFORMED,
        400,
        "Sender unknown",
        "The proxy before the gateway did not say in the agreed way whose request this is.",
        "Send no forwarding fields of your own; an administrator can compare the proxy with trusted_proxies.",
    ),
    Reason(
        Code.RATE_LIMITED,
        429,
        "Too many requests",
        "More requests came than the limit allows.",
        "Wait a moment and try again.",
    ),
    Reason(
        Code.DRAINING,
        503,
        "Restarting",
        "The gateway is stopping and takes no new request.",
        "Try again in a few seconds.",
    ),
    Reason(
        Code.ROUTE_UNKNOWN,
        403,
        "Unknown address",
        "The gateway knows no DICOMweb transaction at this address.",
        "Check the address and the method.",
    ),
    Reason(
        Code.TRANSACTION_DISABLED,
        403,
        "Transaction disabled",
        "The transaction {transaction} is switched off here.",
        "An administrator can name it under upstreams.*.enable.",
    ),
    Reason(
        Code.TRANSACTION_UNSUPPORTED,
        501,
        "Not offered by the archive",
        "The archive at this address is not known to offer the transaction {transaction}.",
        "Ask for the images in another way. An administrator whose archive offers it can name it under upstreams.*.enable.",
    ),
    Reason(
        Code.QUERY_REFUSED,
        400,
        "Query refused",
        "The search key {key} is not one the gateway can judge.",
        "Use keywords of PS3.18 table 10.6.1-5, each once, or an attribute as ggggeeee.",
    ),
    Reason(
        Code.UID_MALFORMED,
        400,
        "Malformed UID",
        "A UID in the address is not a valid DICOM UID.",
        "Check the UID against PS3.5 section 9.1.",
    ),
    Reason(
        Code.NOT_ACCEPTABLE,
        406,
        "Not acceptable",
        "No media type of this transaction is among those accepted.",
        "Widen the Accept header.",
    ),
    Reason(
        Code.MEDIA_TYPE_REFUSED,
        415,
        "Media type refused",
        "The body is not of a media type that this transaction takes.",
        'Send multipart/related; type="application/dicom".',
    ),
    Reason(
        Code.STATEMENT_INVALID,
        403,
        "Device statement invalid",
        "The statement of this device could not be verified.",
        "Enrol the device again.",
    ),
    Reason(
        Code.DEVICE_CERTIFICATE_EXPIRED,
        403,
        "Device certificate expired",
        "The certificate of this device has expired.",
        "Start leadglass-agent; it renews the certificate.",
    ),
    Reason(
        Code.DEVICE_REQUIRED,
        403,
        "Device required",
        "This is for enrolled devices, and the request shows that it comes from none.",
        "Enrol the device with leadglass-agent, and keep the agent running; in a browser, check the device again.",
    ),
    Reason(
        Code.DEVICE_CHANGED,
        403,
        "Another device",
        "Your session was begun on another device than the one it is open on now.",
        "Sign in again on this device.",
    ),
    Reason(
        Code.ENROLMENT_REFUSED,
        403,
        "Enrolment refused",
        "The enrolment code is not valid.",
        "Ask the administrator for a new code.",
    ),
    Reason(
        Code.STORE_UNAVAILABLE,
        503,
        "The store cannot be used",
        "The gateway's store of devices cannot be read or written now.",
        "Try again in a few seconds; if it stays so, tell the administrator.",
    ),
    Reason(
        Code.FILE_UNKNOWN,
        404,
        "No such file",
        "The viewer has no such file, or its files were replaced since the gateway listed them.",
        "Open the viewer from its first page. If that fails, ask the administrator to reload the gateway.",
    ),
    Reason(
        Code.STUDY_AMBIGUOUS,
        404,
        "Study ambiguous",
        "The archive holds {count} studies under one Study Instance UID.",
        "Repair the study in the archive.",
        Disclose.LOG,
    ),
    Reason(
        Code.STUDY_NOT_VISIBLE,
        404,
        "Not found",
        "There is no such study, or you may not see it.",
        "If you should see it, ask the administrator and name the decision id.",
    ),
    Reason(
        Code.PART_MISMATCH,
        400,
        "Part mismatch",
        "A part belongs to another study, series or instance than the address names.",
        "Send each study to its own address.",
    ),
    Reason(
        Code.STORE_UNREADABLE,
        400,
        "Unreadable instance",
        "A part of the body is not a DICOM file whose header can be read.",
        "Check the file with dcmdump.",
    ),
    Reason(
        Code.PATIENT_CONFLICT,
        409,
        "Patient conflict",
        "The study exists under another patient.",
        "Correct the patient id before sending.",
        Disclose.LOG,
    ),
    Reason(
        Code.INSTANCE_EXISTS,
        409,
        "Instance exists",
        "An instance with this SOP Instance UID exists and may not be replaced.",
        "Give the new object a new SOP Instance UID.",
    ),
    Reason(
        Code.DECISION_UNDEFINED, 403, "No decision", "The policy gave no usable answer, so the answer is no.", ADMIN
    ),
    Reason(Code.DECISION_TIMEOUT, 403, "No decision in time", "The policy took too long, so the answer is no.", ADMIN),
    Reason(
        Code.DECISION_UNAVAILABLE,
        503,
        "No decision",
        "The policy engine cannot be reached, so the answer is no.",
        ADMIN,
    ),
    Reason(
        Code.NOT_GRANTED,
        403,
        "Not allowed",
        "No rule allows this to you.",
        "Ask the administrator for a role that does.",
    ),
    Reason(
        Code.OBLIGATION_UNKNOWN,
        403,
        "Obligation unknown",
        "The policy asks for a treatment of the reply that the gateway cannot give.",
        ADMIN,
    ),
    Reason(
        Code.UPSTREAM_BUSY,
        503,
        "The archive is busy",
        "The archive has no free connection.",
        "Try again in a few seconds.",
    ),
    Reason(
        Code.UPSTREAM_UNREACHABLE,
        502,
        "The archive cannot be reached",
        "The archive behind the gateway does not answer.",
        ADMIN,
    ),
    Reason(
        Code.UPSTREAM_TIMEOUT,
        504,
        "The archive is too slow",
        "The archive behind the gateway did not answer in time.",
        "Try again later.",
    ),
    Reason(
        Code.UPSTREAM_INVALID,
        502,
        "The archive answered wrongly",
        "The archive behind the gateway sent an answer that cannot be passed on.",
        ADMIN,
    ),
    Reason(
        Code.UPSTREAM_CREDENTIALS,
        502,
        "The archive refused the gateway",
        "The archive does not accept the gateway's own credentials.",
        "An administrator checks upstreams.*.auth.",
    ),
    Reason(
        Code.UPSTREAM_REFUSED,
        502,
        "The archive refused",
        "The archive answered {status}.",
        "Check the request; the archive's own log says more.",
    ),
)

_TRUST: Final = (
    Reason(
        Code.SIGN_IN_REFUSED, 403, "Not signed in", "The sign-in could not be completed.",
        "Sign in again from the start; if that fails too, tell the administrator and name the decision id.",
    ),
    Reason(
        Code.SIGN_IN_UNAVAILABLE, 503, "The identity provider does not answer",
        "Who you are cannot be confirmed while the identity provider does not answer.", "Try again in a moment.",
    ),
    Reason(
        Code.ORIGIN_REFUSED, 403, "Request of another site", "Another web site caused this request in your browser.",
        "Do it from the viewer itself; an administrator can add its address to public_url, or to cors if it sends tokens.",
    ),
    Reason(
        Code.ACCESS_REVOKED, 403, "Access withdrawn", "Access was withdrawn from you, your sign-in or this device.",
        "Ask the administrator, and name the decision id.",
    ),
    Reason(
        Code.SIGNAL_REFUSED, 400, "Event not taken", "The security event is not one that this gateway takes.",
        "See docs/signals.md: transmitter, audience, keys and form of its events.",
    ),
    Reason(
        Code.TWO_CREDENTIALS, 400, "Two credentials", "The request carries more than one credential.",
        "Send exactly one Authorization header.",
    ),
    Reason(
        Code.USER_UNAUTHENTICATED, 401, "Not signed in", "The gateway does not know who asks: nobody is signed in, or the sign-in has ended.",
        "Sign in again.",
    ),
    Reason(
        Code.EMERGENCY_CODE_REFUSED, 403, "Code not taken",
        "This emergency code is wrong, used, withdrawn, over or for somebody else, or name or reason is missing.",
        "Type it as it is printed, with the name it is for; if it stays so, open the next envelope.",
    ),
)  # fmt: skip

REASONS: Final[Mapping[str, Reason]] = MappingProxyType({reason.code: reason for reason in (*_ROWS, *_TRUST, *VIEWS)})
