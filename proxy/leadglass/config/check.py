"""`leadglass config check`: every fault that can be known before the gateway starts, each with its fix.

Offline it reads files alone; online it asks the issuers for their keys and the archive for one row.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from leadglass.attributes import network, sources
from leadglass.clock import Clock
from leadglass.codec.control import TRANSACTIONS
from leadglass.codec.kinds import KINDS
from leadglass.codec.routes import ROUTES, Table
from leadglass.config import archives, introduction, kept, proxies
from leadglass.config.collector import collector
from leadglass.config.load import Document, parse
from leadglass.config.look import Finding, Look
from leadglass.config.places import places
from leadglass.config.settings import Settings
from leadglass.deid.masks import load_masks
from leadglass.deid.profile import load_profiles
from leadglass.epochs import Epochs
from leadglass.gateways.http.settings import Address
from leadglass.gateways.http.tls import server_context
from leadglass.hazmat.servercert import server_certificate
from leadglass.identity.identity import Identity
from leadglass.identity.settings import IdentitySettings
from leadglass.identity.transmitters import Transmitters
from leadglass.model.errors import ConfigurationError
from leadglass.policy.engine import Engine, NoAnswer, Unavailable
from leadglass.policy.reload import prepare
from leadglass.policy.yamlfile import YamlFile
from leadglass.static.folder import INDEX
from leadglass.static.mounts import Mount
from leadglass.static.page import strays
from leadglass.upstream.credentials import tls_context

_DAY = 86400.0
_SOON_DAYS = 21
_OPA_TRIES = 5
_OTHERS, _WORLD = 0o077, 0o007
_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


__all__ = ["Finding", "check"]


async def check(file: Path, clock: Clock, *, offline: bool) -> list[Finding]:
    """Look at everything in `file`. Raises ConfigurationError when it cannot be read at all."""
    try:
        settings = parse(file)
    except ConfigurationError as error:
        if not error.where:
            raise
        return [Finding("error", error.where, error.problem, error.hint)]
    if not isinstance(settings, Settings):
        return [
            Finding("error", f"{fault.file}:{fault.line}: {fault.path}".removesuffix(": "), fault.problem, fault.fix)
            for fault in settings
        ]
    look = Look(Document(file), settings, clock)
    findings = [*_tls(look), *_addresses(look)]
    findings += await _policy(look, offline=offline)
    findings += [
        *_networks(look),
        *_deid(look),
        *_proxies(look),
        *places(look),
        *_files(look),
        *_secrets(look),
        *kept.folders(look),
        *kept.store(look),
        *introduction.mode(look),
        *_routes(look),
        *_static(look),
    ]
    findings += await _issuers(look, offline=offline)
    findings += await collector(look, offline=offline)
    if not offline:
        findings += await _transmitters(look)
        findings += await archives.asked(look)
    return findings


def _tls(look: Look) -> Iterator[Finding]:
    listen = look.settings.listen
    if listen.tls is None:
        yield Finding("warning", look.at("listen"), "no TLS listener: no device can show its certificate",
                      "serve https, or the rules that need a device refuse everybody")  # fmt: skip
        return
    path = ("listen", "tls")
    try:
        server_context(listen.tls, None)
        certificate = server_certificate(listen.tls.certificate.read_bytes())
    except ConfigurationError as error:
        yield from look.bad(error, *path)
        return
    except (OSError, ValueError) as error:
        yield Finding("error", look.at(*path, "certificate"), f"cannot be read: {error}", "a PEM file")
        return
    if _shared(listen.tls.key):
        yield Finding("error", look.at(*path, "key"), "others may read the private key", f"chmod 600 {listen.tls.key}")
    days = (certificate.not_after - look.clock.now()) / _DAY
    if days < 0:
        yield Finding("error", look.at(*path, "certificate"), "has expired", "renew it; it is read when it changes")
    elif days < _SOON_DAYS:
        yield Finding("warning", look.at(*path, "certificate"), f"ends in {days:.0f} days", "renew it")
    else:
        yield look.good(f"certificate good for another {days:.0f} days", *path)
    for at, url in enumerate(look.settings.public_url):
        host = (urlsplit(url).hostname or "").strip("[]")
        if not certificate.covers(host):
            yield Finding("error", look.at("public_url", at), f"the certificate is not for {host}",
                          "use a certificate with this name, or `leadglass init --host`")  # fmt: skip


def _shared(file: Path) -> bool:
    """Whether others may read a secret. A group may when root owns it (PostgreSQL's rule), as Kubernetes mounts it."""
    found = file.stat()
    return bool(found.st_mode & (_OTHERS if found.st_uid else _WORLD))


def _secrets(look: Look) -> Iterator[Finding]:
    for path, file in look.secrets():
        if file.is_file() and _shared(file):
            yield Finding("error", look.at(*path), "others may read the secret", f"chmod 600 {file}")


def _addresses(look: Look) -> Iterator[Finding]:
    settings = look.settings
    taken: list[tuple[str, Address]] = []
    for name, address in (
        ("listen.https", settings.listen.https), ("listen.http", settings.listen.http),
        ("metrics.http", settings.metrics.http),
    ):  # fmt: skip
        if address is None:
            continue
        for other, before in taken:
            if address.port == before.port != 0 and (address.host == before.host or _ANY & {address.host, before.host}):
                yield Finding("error", look.at(*name.split(".")), f"{address} is taken by {other}", "use another port")
        taken.append((name, address))


async def _policy(look: Look, *, offline: bool) -> list[Finding]:
    try:
        active = prepare(look.settings.policy)
    except ConfigurationError as error:
        return look.bad(error, "policy")
    findings = [look.good(f"policy {active.files.revision[:12]} loads, and its cases pass", "policy")]
    if look.settings.policy.opa is not None and not offline:
        findings.append(await _opa(look, active.engine))
    await active.engine.close()
    return [*findings, *_transactions(look)]


async def _opa(look: Look, engine: Engine) -> Finding:
    path, problem = ("policy", "opa", "socket"), ""
    for _ in range(_OPA_TRIES):  # one that has just begun may take longer than a decision may
        try:
            await engine.evaluate(b"{}")
        except Unavailable as error:
            problem = str(error)
            continue
        except NoAnswer:  # no decision about nothing at all: it answers, and holds this policy set
            pass
        return look.good("OPA answers", *path)
    fix = "start OPA on this socket with the bundle that `leadglass policy build --bundle` writes"
    return Finding("error", look.at(*path), problem, fix)


def _transactions(look: Look) -> Iterator[Finding]:
    """Transactions that roles name and nobody knows: such an entry grants nothing, and looks as if it did."""
    folder = look.settings.policy.path
    if folder is None or not (file := folder / "data/roles.yaml").exists():
        return
    table, names = YamlFile(str(file), file.read_bytes()), {route.transaction for route in ROUTES} | TRANSACTIONS
    named: list[tuple[tuple[str | int, ...], str]] = [
        (("transactions", at), name) for at, name in enumerate(table.value["transactions"])
    ]
    for role, said in table.value["roles"].items():
        for entry, allowed in enumerate(said["allow"]):
            path: tuple[str | int, ...] = ("roles", role, "allow", entry, "transactions")
            named += [((*path, at), name) for at, name in enumerate(allowed.get("transactions", ()))]
    for where, name in archives.unknown(look.settings, table.value["roles"]):
        fault = table.fault(where, f"no archive is called {name!r}", "upstreams names them")
        yield from look.bad(fault, "policy")
    for where, name in named:
        family = name.removesuffix("*")
        if not (name in names or (family != name and any(one.startswith(family) for one in names))):
            fault = table.fault(where, f"no transaction is called {name!r}", "docs/routes.md lists the transactions")
            yield from look.bad(fault, "policy")


def _table(look: Look) -> Mapping[str, list[str]]:
    """Return the table of named networks; the shipped one names none that a site has. Raises ConfigurationError."""
    file, folder = look.settings.networks, look.settings.policy.path
    if file is None and folder is not None and (folder / "data/networks.yaml").exists():
        file = folder / "data/networks.yaml"
    return {} if file is None else network.load(file)


def _networks(look: Look) -> Iterator[Finding]:
    try:
        _table(look)
    except ConfigurationError as error:
        yield from look.bad(error, "policy" if look.settings.networks is None else "networks")


def _deid(look: Look) -> Iterator[Finding]:
    deid = look.settings.deid
    try:
        if deid.profiles is not None:
            yield look.good(f"{len(load_profiles(deid.profiles))} profiles can be used", "deid", "profiles")
    except ConfigurationError as error:
        yield from look.bad(error, "deid", "profiles")
    try:
        if deid.masks is not None:
            yield look.good(f"{len(load_masks(deid.masks))} masks can be used", "deid", "masks")
    except ConfigurationError as error:
        yield from look.bad(error, "deid", "masks")


def _proxies(look: Look) -> Iterator[Finding]:
    try:
        named = _table(look)
    except ConfigurationError:
        named = {}  # said by _networks
    for doubt in proxies.doubts(look.settings, named):
        yield Finding("warning", look.at(*doubt.path), doubt.problem, doubt.fix)
    for at, proxy in enumerate(look.settings.trusted_proxies):
        yield look.good(f"{proxy.speaks} of {', '.join(map(str, proxy.networks))} is believed", "trusted_proxies", at)


def _nobody(facts: sources.FactsFile, identity: IdentitySettings) -> int:
    """Return how many members of care teams no token can name."""
    known = {one.issuer for one in identity.issuers}
    members = [member for entry in facts.care_team or () for member in entry.members]
    issuers = [member.issuer if isinstance(member, sources.Member) else identity.only_issuer for member in members]
    return sum(issuer not in known for issuer in issuers)


def _files(look: Look) -> Iterator[Finding]:
    for at, file in enumerate(look.settings.attributes.files):
        try:
            facts = sources.load(file)
        except ConfigurationError as error:
            yield from look.bad(error, "attributes", "files", at)
            continue
        if nobody := _nobody(facts, look.settings.identity):
            yield Finding("warning", look.at("attributes", "files", at), f"{nobody} members of care teams are nobody: "
                          "without issuer where several are configured, or with one that is not",
                          "write {issuer: URL, id: ID}, with an issuer of identity.issuers")  # fmt: skip
        if file.stat().st_mode & _OTHERS:
            yield Finding("warning", look.at("attributes", "files", at), "others may read facts about patients",
                          f"chmod 600 {file}")  # fmt: skip
        else:
            yield look.good("facts are readable", "attributes", "files", at)
    for name, upstream in look.settings.upstreams.items():
        try:
            tls_context(upstream)
        except ConfigurationError as error:
            yield from look.bad(error, "upstreams", name, *error.where.split("."))
        if upstream.auth is not None and (key := upstream.auth.key) is not None and key.is_file() and _shared(key):
            yield Finding("error", look.at("upstreams", name, "auth", "key"), "others may read the private key",
                          f"chmod 600 {key}")  # fmt: skip
        if upstream.ca is not None and not upstream.url.startswith("https://"):
            yield Finding("warning", look.at("upstreams", name, "ca"), f"is not used: {upstream.url} is no https URL",
                          "use https, or remove it")  # fmt: skip


def _routes(look: Look) -> Iterator[Finding]:
    for name, upstream in look.settings.upstreams.items():
        try:
            Table(upstream.mount, upstream.wado_mount, frozenset(upstream.enable))
        except ConfigurationError as error:
            yield from look.bad(error, "upstreams", name, "enable")
        for at, transaction in enumerate(upstream.enable):
            if not KINDS[upstream.kind].has(transaction):
                yield Finding("warning", look.at("upstreams", name, "enable", at),
                              f"{transaction} is not known of {upstream.kind}", "try it, or remove it")  # fmt: skip


def _static(look: Look) -> Iterator[Finding]:
    for path, folder in look.settings.static.items():
        try:
            Mount(path, folder, roots=look.settings.roots)
        except ConfigurationError as error:
            yield from look.bad(error, "static", path)
            continue
        if elsewhere := strays((folder / INDEX).read_bytes(), f"{path.rstrip('/')}/"):
            yield Finding("warning", look.at("static", path), f"the viewer was built for another path: it loads {elsewhere[0]}",
                          "mount it at the path it was built for (OHIF as npm has it: /), or build it for this one")  # fmt: skip
        else:
            yield look.good("the viewer is complete", "static", path)


async def _issuers(look: Look, *, offline: bool) -> Iterable[Finding]:
    issuers = look.settings.identity.issuers
    asked = tuple(one for one in issuers if one.keys_in_file or not offline)
    settings = look.settings.identity.model_copy(update={"issuers": asked})
    identity = Identity(settings, clock=look.clock, epochs=Epochs())
    try:
        await identity.start()
        problems = identity.problems()
    except ConfigurationError as error:
        return look.bad(error, "identity", "certificates")
    finally:
        await identity.close()
    return [
        look.good(f"keys of {issuer.issuer} are here", "identity", "issuers", at)
        if issuer.issuer not in problems
        else Finding(
            "error",
            look.at("identity", "issuers", at),
            f"no keys of {issuer.issuer}: {problems[issuer.issuer]}",
            "check jwks, and what it holds"
            if issuer.keys_in_file
            else "check issuer and jwks; the gateway must reach them",
        )
        for at, issuer in enumerate(issuers)
        if issuer in asked
    ]


async def _transmitters(look: Look) -> Iterable[Finding]:
    transmitters = Transmitters(look.settings.identity, clock=look.clock, epochs=Epochs())
    try:
        await transmitters.start()
        problems = transmitters.problems()
    finally:
        await transmitters.close()
    found = []
    for at, issuer in enumerate(look.settings.identity.issuers):
        for place, one in enumerate(issuer.events):
            path, name = ("identity", "issuers", at, "events", place), one.transmitter or issuer.issuer
            problem = problems[name]
            found.append(
                look.good(f"keys of the transmitter {name} are here", *path)
                if problem is None
                else Finding("error", look.at(*path), f"no keys of the transmitter {name}: {problem}", "check jwks")
            )
    return found
