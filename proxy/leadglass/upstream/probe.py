"""What `config check` asks an archive: is it there, does it speak DICOMweb, do its links come out right, and what else?

Asks for a few rows at most, and says nothing of what is in them. Nothing that it asks changes an archive.
"""

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

import orjson

from leadglass.clock import SystemClock
from leadglass.codec.kinds import KINDS
from leadglass.codec.links.bases import Bases, host_of
from leadglass.codec.links.jsonlinks import RETRIEVE_URL
from leadglass.limits import FACTS_BYTES, PROBE_SECONDS
from leadglass.model.ask import Ask
from leadglass.model.errors import ConfigurationError, LeadglassError
from leadglass.tasks import Tasks
from leadglass.upstream.finding import Finding, patient
from leadglass.upstream.links import bases_of
from leadglass.upstream.reply import Reply
from leadglass.upstream.settings import UpstreamSettings
from leadglass.upstream.signer import Signer
from leadglass.upstream.traits import traits
from leadglass.upstream.upstream import Upstream

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


async def probe(
    settings: UpstreamSettings, public_urls: Sequence[str] = (), signer: Signer | None = None
) -> list[Finding]:
    """Ask the archive and return what was found, in the order looked. Stops at the first thing the rest needs."""
    findings = [_plaintext(settings)]
    tasks = Tasks()
    try:
        upstream = Upstream(settings, SystemClock(), tasks, public_urls=public_urls, signer=signer)
    except ConfigurationError as error:
        return [*findings, Finding("credentials", ok=False, problem=error.problem, hint=error.hint)]
    try:
        findings += await _asked(upstream, settings, public_urls)
        if all(finding.ok or finding.warning for finding in findings):
            async for finding in traits(upstream, settings):
                findings.append(finding)
    except TimeoutError:
        findings.append(_silent(settings, begun=len(findings) > 1))
    finally:
        upstream.close()
        await tasks.close()
        await asyncio.sleep(0)  # lets the transports close
    return findings


def _silent(settings: UpstreamSettings, *, begun: bool) -> Finding:
    """The archive keeps us waiting: at once, or in the middle of what it was asked."""
    return Finding(
        "patience" if begun else "reachable",
        ok=False,
        warning=begun,
        problem=f"{settings.url} did not answer within {PROBE_SECONDS:.0f} s",
        hint="look again when it is less busy; what follows was not asked" if begun else "check that the archive runs",
    )


def _plaintext(settings: UpstreamSettings) -> Finding:
    parts = urlsplit(settings.url)
    if parts.scheme == "https" or parts.hostname in _LOOPBACK:
        return Finding("transport", ok=True)
    return Finding(
        "transport",
        ok=False,
        warning=True,  # within a cluster that is common; who administers it should know
        problem=f"{settings.url} is asked in plain text over a network",
        hint="use https, or run the gateway on the archive's own host",
    )


async def _asked(upstream: Upstream, settings: UpstreamSettings, public_urls: Sequence[str]) -> list[Finding]:
    public = public_urls[0] if public_urls else ""
    ask = Ask(
        "GET", "dicomweb", "/studies", "limit=1", accept="application/dicom+json", authority=urlsplit(public).netloc
    )
    try:
        async with patient():
            reply = await upstream.probe(ask)
            body = await reply.read(FACTS_BYTES)
    except LeadglassError as error:
        detail = getattr(error, "detail", "") or str(error)
        return [
            Finding(
                "reachable",
                ok=False,
                problem=f"{settings.url} does not answer: {detail}",
                hint="check upstreams.*.url, that the archive runs, and its certificate against ca",
            )
        ]
    findings = [Finding("reachable", ok=True)]
    dicomweb = _dicomweb(reply, body, settings)
    findings.append(dicomweb)
    if dicomweb.ok and public:
        findings.append(_links(body, public, public_urls, settings))
    return findings


def _dicomweb(reply: Reply, body: bytes, settings: UpstreamSettings) -> Finding:
    root = f"{settings.url}{settings.dicomweb}"
    if reply.status in {401, 403}:
        return Finding(
            "dicomweb",
            ok=False,
            problem=f"{root} answered {reply.status}: the archive does not accept the gateway's credentials",
            hint="set upstreams.*.auth to an account of the archive that may read everything",
        )
    if reply.status == 204:  # noqa: PLR2004 - RFC 9110 section 15.3.5: an archive that is empty
        return Finding("dicomweb", ok=True)
    if reply.status == 200 and _rows(body) is not None:  # noqa: PLR2004 - RFC 9110 section 15.3.1
        return Finding("dicomweb", ok=True)
    return Finding(
        "dicomweb",
        ok=False,
        problem=f"{root}/studies answered {reply.status} and no DICOM JSON",
        hint="check upstreams.*.dicomweb, and that the archive's DICOMweb service is on",
    )


def _rows(body: bytes) -> list[dict[str, object]] | None:
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return rows if isinstance(rows, list) and all(isinstance(row, dict) for row in rows) else None


def _links(body: bytes, public: str, public_urls: Sequence[str], settings: UpstreamSettings) -> Finding:
    """Links that lead past the gateway would have viewers ask the archive itself, or be removed."""
    base = f"{public}{settings.mount}"
    lead = bases_of(settings, public, public_urls).lead if settings.rewrites else Bases([(base, base)]).lead
    for row in _rows(body) or ():
        element = row.get(RETRIEVE_URL)
        values = element.get("Value") if isinstance(element, dict) else None
        for link in values if isinstance(values, list) else ():
            if lead(str(link)) is None:
                hint = (
                    "name under upstreams.*.link_bases the address that the archive writes"
                    if settings.rewrites
                    else f"upstreams.*.kind is {settings.kind}; check it, and that mount equals dicomweb, or set links: rewrite"
                )
                found = f"links of the archive lead to {host_of(str(link))}"
                return Finding("links", ok=False, problem=f"{found}, and not to {base}", hint=hint)
    chosen = "replaced by the gateway" if settings.rewrites else f"built by the archive, {KINDS[settings.kind].links}"
    told = "lead to the gateway" if any(RETRIEVE_URL in row for row in _rows(body) or ()) else "not told: no row"
    return Finding("links", found=told, chosen=chosen)
