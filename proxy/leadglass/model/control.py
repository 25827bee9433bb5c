"""What the gateway's own control side is told about a peer by the door that relays to it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """Facts about one request that its door and the pipeline have established.

    `device_id` and `certificate` (SHA-256 of the client certificate's DER, hex) are None without an active certificate;
    `subject` is the person's id where the path needs one. `decision_id` names the exchange in the record.
    `authorization` is SHA-256 of the Authorization field, in hex, where the path takes one of its own.
    The rest is for paths that browsers come to: `origin` is ours as the browser knows it, `session` the id of the session
    whose cookie it showed, `login` the value of the sign-in cookie, `query` the decoded pairs, `page` whether a person looks.
    """

    decision_id: str
    client_ip: str
    device_id: str | None = None
    certificate: str | None = None
    subject: str | None = None
    authorization: str | None = None
    origin: str = ""
    session: str | None = None
    login: str | None = None
    query: tuple[tuple[str, str], ...] = ()
    page: bool = False
