"""leadglass.yaml for an Orthanc that is there: the template, with what its configuration says put in, and said.

What stands in files of others comes into the text as JSON strings or as settings that were checked, never as it is.
"""

import json
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from leadglass.config.orthanc import Learned, Level, Remark

WORDS: Final[dict[Level, str]] = {
    "round": "a way round the gateway",
    "change": "to change before it works",
    "note": "good to know",
}
SECRET: Final = "secrets/orthanc"  # noqa: S105 - the name of a file
_WIDTH: Final = 118
_BEGIN: Final = "# The archive, unchanged."
_END: Final = "# Who issues tokens."


def upstream(template: str, learned: Learned, files: Iterable[Path]) -> str:
    """Return the template with the archive as it was found."""
    before, begin, rest = template.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise AssertionError("the template has no place for the archive")
    return "".join(
        [
            before,
            *(f"{line}\n" for line in _section(learned, " and ".join(json.dumps(str(file)) for file in files))),
            "\n",
            end,
            after,
        ]
    )


def observing(template: str, until: str) -> str:
    """Return the template for a gateway that observes until then (RFC 3339)."""
    return template + (
        "\n# INTRODUCTION: until then nothing is enforced; what policy refuses passes and is written down. It ends by itself.\n"
        "# `leadglass audit readiness` says who would notice. At most 30 days after the first start that observes.\n"
        f'mode: {{observe_until: "{until}"}}\n'
    )


def _section(learned: Learned, source: str) -> Iterator[str]:
    yield f"# The archive, unchanged, as {source} has it. What was found there, and what to do in Orthanc or the network:"
    yield from _comments(learned.remarks)
    yield "upstreams:"
    yield "  main:"
    yield "    kind: orthanc"
    yield f"    url: {learned.url}    # put its name in place when Orthanc is on another machine"
    yield f"    dicomweb: {learned.dicomweb}"
    yield f"    mount: {learned.dicomweb}               # as before, so that viewers need another host and port alone"
    if learned.wado_uri is not None:
        yield f"    wado_uri: {learned.wado_uri}"
        yield f"    wado_mount: {learned.wado_uri}"
    if learned.base is not None:
        yield "    links: rewrite             # DicomWeb.Host is set there; without it remove both lines"
        yield f'    link_bases: ["{learned.base}"]'
    yield f"    max_connections: {learned.max_connections}        # half of HttpThreadsCount at most"
    if learned.secret is not None:
        yield f"    auth: {{basic: file:{SECRET}}}   # user:password, 0600"
    elif learned.signs_in:
        yield f"    # auth: {{basic: file:{SECRET}}}   # user:password, 0600; see above"
    if learned.url.startswith("https:"):
        yield "    # ca: tls/pacs-ca.pem      # openssl x509 -in SslCertificate -out tls/pacs-ca.pem"
    yield "    # enable: []               # transactions that are off by default, by name"


def _comments(remarks: Iterable[Remark]) -> Iterator[str]:
    for remark in remarks:
        words = f"{remark.setting} {remark.found}." + (f" {remark.do[0].upper()}{remark.do[1:]}." if remark.do else "")
        yield from textwrap.wrap(
            f"[{WORDS[remark.level]}] {words}", _WIDTH, initial_indent="# - ", subsequent_indent="#   ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
