"""Keys of one issuer: found, fetched within bounds, rotated, and kept while the issuer is down.

A key set comes from discovery (OpenID Connect Discovery 1.0, section 4), a URL or a file. It is replaced only by one
that reads well: garbage and outages leave the old keys in force for 24 hours. A token that names a key nobody knows
starts at most one fetch in ten seconds. Whenever the keys in force change, the epoch `issuer:<iss>` moves, so that no
cached subject and no lease outlives the key it stands on.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import aiohttp

from leadglass.clock import Clock
from leadglass.epochs import Epochs
from leadglass.hazmat.files import Stamp, stamp
from leadglass.hazmat.jwk import InvalidKeySet, KeySet, parse_key_set, strict_object
from leadglass.identity.settings import safe_url
from leadglass.limits import (
    FILE_WATCH_SECONDS,
    JWKS_BYTES,
    JWKS_KEEP_SECONDS,
    JWKS_PERIOD_SECONDS,
    JWKS_REFRESH_SECONDS,
    JWKS_TIMEOUT_SECONDS,
)
from leadglass.model.errors import LeadglassError
from leadglass.skew import Skew
from leadglass.tasks import Tasks

_log = logging.getLogger("leadglass.identity")
_OK: Final = 200


class KeysUnavailable(LeadglassError):
    """The keys could not be had, and why."""


class Fetch(Protocol):
    """Gets a small document from a URL."""

    async def __call__(self, url: str) -> bytes:
        """Return the body of a 200 reply of at most JWKS_BYTES. Raises KeysUnavailable."""
        ...


class HttpFetch:
    """GET without redirects, cookies, proxies or patience. `skew` is told what each reply says of the time."""

    def __init__(self, skew: Skew | None = None) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._skew = skew

    async def __call__(self, url: str) -> bytes:
        """Return the body of a 200 reply of at most JWKS_BYTES. Raises KeysUnavailable."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=JWKS_TIMEOUT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                auto_decompress=False,  # a reply that is compressed all the same is garbage, not a bomb
            )
        body, sent = bytearray(), 0.0 if self._skew is None else self._skew.monotonic()
        try:
            async with self._session.get(url, allow_redirects=False) as reply:
                if self._skew is not None:
                    self._skew.note(urlsplit(url).netloc, reply.headers, sent)
                if reply.status != _OK:
                    raise KeysUnavailable(f"{url} answered {reply.status}")
                async for chunk in reply.content.iter_any():
                    body += chunk
                    if len(body) > JWKS_BYTES:
                        raise KeysUnavailable(f"{url} sent more than {JWKS_BYTES} bytes")
        except TimeoutError:
            raise KeysUnavailable(f"{url} took over {JWKS_TIMEOUT_SECONDS:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise KeysUnavailable(f"{url} cannot be read: {type(error).__name__}") from None
        return bytes(body)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def discovery_url(issuer: str) -> str:
    """Return where an issuer describes itself (OpenID Connect Discovery 1.0, section 4.1)."""
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"


class Keys:
    """The keys of one issuer that are in force. With `auto` as source, `discover` gives the address of its description.

    `epoch` is the name of the epoch that moves with them. `problem` says why the last attempt failed, None when it
    did not.
    """

    def __init__(
        self,
        issuer: str,
        source: str,
        *,
        fetch: Fetch,
        clock: Clock,
        epochs: Epochs,
        tasks: Tasks,
        discover: Callable[[str], str] = discovery_url,
        kind: str = "issuer",
    ) -> None:
        self.issuer, self.source, self.epoch = issuer, source, f"{kind}:{issuer}"
        self._kind, self._discover = kind, discover
        self._fetch, self._clock, self._epochs, self._tasks = fetch, clock, epochs, tasks
        self._file = None if source == "auto" or "://" in source else Path(source)
        self._keys: KeySet | None = None
        self._loaded = self._attempted = float("-inf")  # monotonic seconds
        self._stamp: Stamp | None = None  # of the file last read
        self._running: asyncio.Task[None] | None = None
        self.problem: str | None = "not loaded yet"

    @property
    def period(self) -> float:
        """Seconds between two calls of `maintain`."""
        return JWKS_REFRESH_SECONDS if self._file is None else FILE_WATCH_SECONDS

    def current(self) -> KeySet | None:
        """Return the keys in force, None when there are none (never loaded, or kept for 24 hours already)."""
        return self._keys

    async def obtain(self, kid: str | None, *, force: bool = False) -> KeySet:
        """Return the keys in force, fetched anew when they do not know `kid`; with `force` however lately that was tried.

        Raises KeysUnavailable.
        """
        if self._keys is None or (kid is not None and not self._keys.knows(kid)):
            await self.refresh(force=force)
        if self._keys is None:
            raise KeysUnavailable(self.problem or "none")
        return self._keys

    async def refresh(self, *, force: bool = False) -> None:
        """Load the keys, unless that was tried less than JWKS_REFRESH_SECONDS ago. Single-flight; never raises."""
        if self._running is None:
            if not force and self._clock.monotonic() - self._attempted < JWKS_REFRESH_SECONDS:
                return
            self._attempted = self._clock.monotonic()
            self._running = self._tasks.spawn(self._reload(), name=f"keys of {self.issuer}")
            self._running.add_done_callback(self._done)
        await asyncio.wait({self._running})  # a caller that is cancelled does not cancel the fetch for the others

    def _done(self, _: "asyncio.Task[None]") -> None:
        self._running = None

    async def maintain(self) -> None:
        """Do one round of upkeep: notice a changed file or a withdrawn key, and let go of keys that are too old."""
        now = self._clock.monotonic()
        if self._file is not None:
            if await asyncio.to_thread(stamp, self._file) != self._stamp:
                await self.refresh(force=True)
            elif self.problem is None:
                self._loaded = now  # it stands there unchanged
        elif now - self._loaded >= JWKS_PERIOD_SECONDS:
            await self.refresh()
        if self._keys is not None and now - self._loaded > JWKS_KEEP_SECONDS:
            _log.error("%s %s: its keys could not be renewed for 24 hours and are dropped", self._kind, self.issuer)
            self._swap(None)

    async def keep(self) -> None:
        """Do the upkeep, for ever. Run as a task."""
        while True:
            await asyncio.sleep(self.period)
            await self.maintain()

    async def _reload(self) -> None:
        try:
            keys = await (self._load_url() if self._file is None else self._load_file(self._file))
        except (KeysUnavailable, InvalidKeySet) as error:
            if str(error) != self.problem:  # said once, not at every attempt of an outage
                kept = (
                    "the keys at hand stay in force for 24 hours"
                    if self._keys is not None
                    else "what it signs is refused"
                )
                _log.warning("%s %s: no keys: %s; %s", self._kind, self.issuer, error, kept)
            self.problem = str(error)
            return
        if self.problem is not None:
            _log.info("%s %s: %d keys loaded", self._kind, self.issuer, len(keys.keys))
        self.problem, self._loaded = None, self._clock.monotonic()
        if keys != self._keys:
            for reason in keys.skipped:
                _log.info("%s %s: %s is left out", self._kind, self.issuer, reason)
            self._swap(keys)

    def _swap(self, keys: KeySet | None) -> None:
        self._keys = keys
        self._epochs.bump(self.epoch)

    async def _load_url(self) -> KeySet:
        url = self.source
        if url == "auto":
            try:
                document = strict_object(await self._fetch(self._discover(self.issuer)))
            except ValueError as error:
                raise KeysUnavailable(f"discovery is not JSON: {error}") from None
            if document.get("issuer") != self.issuer:  # section 4.3: MUST exactly match
                raise KeysUnavailable("discovery names another issuer")
            url = document.get("jwks_uri", "")
            if not isinstance(url, str) or not safe_url(url):
                raise KeysUnavailable("discovery names no jwks_uri that is https")
        return parse_key_set(await self._fetch(url))

    async def _load_file(self, path: Path) -> KeySet:
        self._stamp = await asyncio.to_thread(stamp, path)
        try:
            return parse_key_set(await asyncio.to_thread(_read, path))
        except OSError as error:
            raise KeysUnavailable(f"{path} cannot be read: {error.strerror}") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(JWKS_BYTES + 1)
