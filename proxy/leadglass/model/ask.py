"""What the gateway asks of an archive: a request rebuilt from its parsed form (law 1)."""

from typing import Literal, NamedTuple


class Ask(NamedTuple):
    """One upstream request, less what the upstream package adds itself (Host, Forwarded, credentials, framing).

    `service` picks the root that `path` is relative to (`static` is a folder of our own, `origin` the whole of
    the archive, which is asked for its version alone). `path` begins with a slash (for WADO-URI it is empty), `query`
    is percent-encoded and has no question mark; both are canonical. `traffic` decides which share of the connections
    it may take: `bulk` for whole instances, series and studies, `interactive` for frames, metadata, searches, stores.
    `length` is that of a request body, None when it is sent chunked or when there is none.
    """

    method: Literal["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
    service: Literal["dicomweb", "wado-uri", "static", "origin"]
    path: str
    query: str = ""
    accept: str = "*/*"
    gzip: bool = False
    traffic: Literal["bulk", "interactive"] = "interactive"
    authority: str = ""  # of public_url, for links in replies
    content_type: str | None = None
    length: int | None = None
    retry: bool = True  # a GET may be asked once more when a pooled connection died before the first byte
