"""A real Keycloak with one realm, in which a person signs in with a password (`pwd`) and a code of their phone (`mfa`).

Ask for the fixture `keycloak`; tests that do are `@pytest.mark.system`. It is started once a session and knows one
client, whose addresses are those of `Keycloak.origin`: the gateway of a test listens there.
"""

import asyncio
import base64
import hashlib
import hmac
import html
import os
import re
import secrets
import signal
import struct
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, CookieJar
from yarl import URL

from leadglass.hazmat.servercert import ServerFiles, make_server_files
from support.orthanc import free_port
from support.tools import missing

REALM = Path(__file__).parents[1] / "vectors/keycloak/realm.json"
CLIENT, SECRET = "gateway", "a secret of the tests"
PERSON, PASSWORD = "dr.demo", "lead and glass"
_TOTP = b"leadglass-totp-secret"
_HOME = Path(__file__).parents[2] / ".tools/keycloak"
_ROLES = ("radiologist", "oncologist", "technologist")  # those of the realm's that tests give and take
_ADMIN = ("admin", "admin of the tests")
_START_SECONDS = 300.0  # about 20 s where nothing else runs
# Kept when no connection is open: else all is gone once the pool has closed its idle ones, after five minutes without a
# request (H2's in-memory mode; tried).
_DATABASE = "jdbc:h2:mem:keycloakdb;NON_KEYWORDS=VALUE;DB_CLOSE_DELAY=-1"
_FORM = re.compile(r'<form[^>]*action="([^"]+)"')


def totp(now: float) -> str:
    """Return the code that the person's phone shows (RFC 6238, SHA-1, six digits, 30 s)."""
    digest = hmac.digest(_TOTP, struct.pack(">Q", int(now // 30)), "sha1")
    start = digest[-1] & 15
    (number,) = struct.unpack(">I", digest[start : start + 4])
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06d}"


@dataclass(frozen=True)
class Keycloak:
    """Where it listens, and the origin and the TLS files of the gateway it knows."""

    url: str
    origin: str
    files: ServerFiles
    process: "subprocess.Popen[bytes]"

    @property
    def issuer(self) -> str:
        return f"{self.url}/realms/hospital"

    def settings(self) -> str:
        """Return the entry under `identity.issuers`; the secret stands in the file `secret`."""
        return (
            f"{{issuer: {self.issuer}, audience: leadglass, jwks: auto, token_type: JWT,"
            " claims: {id: preferred_username, roles: realm_access.roles}, mfa: {acr: [mfa]},"
            f" login: {{client_id: {CLIENT}, client_secret: 'file:secret', logout_token_type: logout+jwt}}}}"
        )

    def end_sessions(self) -> None:
        """Do as an administrator of the realm does: end every session of the person, one by one.

        Ending all of them with one call tells a client of one session alone (Keycloak 26.0.7: tried).
        """
        token, person = self._as_administrator()
        for one in self._ask("GET", f"{person}/sessions", token=token):
            self._ask("DELETE", f"/admin/realms/hospital/sessions/{one['id']}", token=token)

    def give(self, *roles: str) -> None:
        """Give the person these roles and no others of `_ROLES`, until somebody gives them others."""
        token, person = self._as_administrator()
        known = self._ask("GET", "/admin/realms/hospital/roles", token=token)
        for method, wanted in (("DELETE", False), ("POST", True)):
            chosen = [role for role in known if role["name"] in _ROLES and (role["name"] in roles) is wanted]
            self._ask(method, f"{person}/role-mappings/realm", json=chosen, token=token)

    def token(self, *roles: str) -> str:
        """Return an access token of the person, who has these roles from now on and signs in with both factors."""
        self.give(*roles)
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        client = {"client_id": CLIENT, "redirect_uri": f"{self.origin}/.leadglass/v1/callback"}
        query = {
            "response_type": "code", "scope": "openid", "acr_values": "mfa", "code_challenge": challenge,
            "code_challenge_method": "S256", **client,
        }  # fmt: skip
        begin = f"{self.issuer}/protocol/openid-connect/auth?{urllib.parse.urlencode(query)}"
        with ThreadPoolExecutor(1) as own:  # a loop of its own: the one that asks is busy with this
            back = own.submit(asyncio.run, _signed_in(begin)).result()
        given = {"grant_type": "authorization_code", "code": URL(back).query["code"], "code_verifier": verifier}
        form = {**given, **client, "client_secret": SECRET}
        access: str = self._ask("POST", "/realms/hospital/protocol/openid-connect/token", form)["access_token"]
        return access

    def _as_administrator(self) -> tuple[str, str]:
        """Return a token of the administrator, and the path of the person."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": _ADMIN[0], "password": _ADMIN[1]}
        token = self._ask("POST", "/realms/master/protocol/openid-connect/token", form)["access_token"]
        (person,) = self._ask("GET", f"/admin/realms/hospital/users?exact=true&username={PERSON}", token=token)
        return token, f"/admin/realms/hospital/users/{person['id']}"

    def _ask(
        self, method: str, path: str, form: Mapping[str, str] | None = None, *, json: object = None, token: str = ""
    ) -> Any:  # noqa: ANN401 - JSON
        told = None if json is None else orjson.dumps(json)
        body = told if form is None else urllib.parse.urlencode(form).encode()
        asked = urllib.request.Request(self.url + path, body, method=method)  # noqa: S310 - loopback
        if form is None:
            asked.add_header("Content-Type", "application/json")
        if token:
            asked.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(asked, timeout=30) as reply:  # noqa: S310 - loopback
            answer = reply.read()
        return orjson.loads(answer) if answer else None

    @contextmanager
    def down(self) -> Iterator[None]:
        """Let it hang, as a machine does that no longer answers."""
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)


async def _signed_in(url: str) -> str:
    """Sign the person in with a browser that knows nobody, and return where it is sent back to."""
    jar = CookieJar(unsafe=True, treat_as_secure_origin=URL(url).origin())
    async with ClientSession(cookie_jar=jar) as session:
        return await through_forms(session, url, [])


async def through_forms(session: ClientSession, url: str, asked: list[str], password: str = PASSWORD) -> str:
    """Do what a person does at the pages of Keycloak, and return where it sends the browser back to.

    `asked` is told which forms there were: `password`, `code`.
    """
    reply = await session.get(url, allow_redirects=False)
    for _ in range(8):
        if reply.status in {302, 303}:
            target = reply.headers["Location"]
            if URL(target).origin() != URL(url).origin():
                return target
            reply = await session.get(target, allow_redirects=False)
            continue
        page = await reply.text()
        form = _FORM.search(page)
        assert form is not None, page
        if 'name="otp"' in page:
            asked.append("code")
            answers = {"otp": totp(time.time())}
        else:
            asked.append("password")
            answers = {"username": PERSON, "password": password, "credentialId": ""}
        reply = await session.post(html.unescape(form[1]), data=answers, allow_redirects=False)
    raise AssertionError(f"no way out of the forms: {asked}")


def _wait_until_up(one: Keycloak, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and one.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{one.issuer}/.well-known/openid-configuration", timeout=5):  # noqa: S310 - loopback
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"Keycloak did not start:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    """The identity provider, up, with its realm read from a file."""
    program = _HOME / "bin/kc.sh"
    if not program.exists():
        missing("Keycloak (Maven and Java 17)")
    folder = tmp_path_factory.mktemp("keycloak")
    port, origin = free_port(), f"https://localhost:{free_port()}"
    files = make_server_files(folder / "tls", ("localhost", "127.0.0.1"), time.time())
    (_HOME / "data/import").mkdir(parents=True, exist_ok=True)
    (_HOME / "data/import/realm.json").write_bytes(REALM.read_bytes())
    log = folder / "keycloak.log"
    arguments = (
        "start-dev", "--import-realm", "--db=dev-mem", f"--db-url={_DATABASE}", "--http-host=127.0.0.1", f"--http-port={port}",
        "--http-management-port=0", f"--truststore-paths={files.ca}",
    )  # fmt: skip
    surroundings = {
        **os.environ, "LEADGLASS_ORIGIN": origin, "JAVA_OPTS_KC_HEAP": "-Xms128m -Xmx512m",
        "KC_BOOTSTRAP_ADMIN_USERNAME": _ADMIN[0], "KC_BOOTSTRAP_ADMIN_PASSWORD": _ADMIN[1],
    }  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, *arguments], stdout=output, stderr=subprocess.STDOUT, env=surroundings, start_new_session=True
        )
    one = Keycloak(f"http://127.0.0.1:{port}", origin, files, process)
    try:
        _wait_until_up(one, log)
        yield one
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
