"""Pages of other origins at a whole gateway: who may read what, preflights, and the tricks that must not pass (E4)."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from leadglass.model.errors import ConfigurationError
from support.gateway import CT, HOST, Answer, Running, running
from support.oidc import site

PAGE = "https://viewer.example.org"
METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
ASKS = ("Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization,accept")


def listing(setting: str = f"{{origins: [{PAGE}]}}", limits: str = "") -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "leadglass.yaml"
        text = file.read_text()
        file.write_text((text.replace("limits: {", f"limits: {{{limits}, ") if limits else text) + f"cors: {setting}\n")

    return change


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, change=listing()) as run:
        yield run


async def preflight(run: Running, *origins: str, path: str = METADATA, more: tuple[str, ...] = ASKS) -> Answer:
    said = [f"Origin: {origin}" for origin in origins]
    return await run.ask(path, *said, *more, method="OPTIONS", token=None, device=False)


def unshared(answer: Answer) -> bool:
    return not any(name.startswith("access-control-") for name in answer.headers)


async def test_a_listed_page_asks_first_and_then_reads(place: Running) -> None:
    place.archive.clear()
    lines = len(place.record())
    first = await preflight(place, PAGE)
    assert (first.status, first.body) == (204, b"")
    assert first.headers["access-control-allow-origin"] == PAGE
    assert "Authorization" in first.headers["access-control-allow-headers"]
    assert first.headers["access-control-max-age"] == "600"
    assert (place.archive.asked, len(place.record())) == ([], lines)
    # An archive that shares with everybody shares with nobody here.
    place.archive.answer("/dicom-web/studies/", [], Access_Control_Allow_Origin="*", Access_Control_Max_Age="9")
    for origin, expected in ((PAGE, PAGE), ("https://evil.example", None), (None, None)):
        answer = await place.ask(METADATA, *([f"Origin: {origin}"] if origin else []))
        assert answer.headers.get("access-control-allow-origin") == expected
        assert ("access-control-max-age" in answer.headers, answer.headers["vary"]) == (False, "Origin")


@pytest.mark.parametrize(
    ("path", "fields", "reason"),
    [
        (METADATA, {"token": None}, "user-unauthenticated"),
        (METADATA, {"device": False}, "device-required"),
        ("/dicom-web/studies/1.2.3/metadata", {}, "study-not-visible"),
        ("/nowhere", {}, "route-unknown"),
        ("/dicom-web/studies?Nonsense=1", {}, "query-refused"),
    ],
)
async def test_a_listed_page_can_read_why_it_is_refused(
    place: Running, path: str, fields: dict[str, Any], reason: str
) -> None:
    answer = await place.ask(path, f"Origin: {PAGE}", **fields)
    assert answer.reasons == [reason]
    assert answer.headers["access-control-allow-origin"] == PAGE
    exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
    wanted = {"leadglass-decision-id", *(["www-authenticate"] if answer.status == 401 else [])}
    assert wanted <= set(exposed) & set(answer.headers)


TRICKS = [
    "null", "*", "https://viewer.example.org.evil", "https://viewer.example.orgevil", "https://evilviewer.example.org",
    "https://evil.viewer.example.org", "https://evil.example/https://viewer.example.org", "https://evil.example#https://viewer.example.org",
    "HTTPS://VIEWER.EXAMPLE.ORG", "https://Viewer.example.org", "https://viewer.example.org:443", "https://viewer.example.org:8443",
    "https://viewer.example.org:", "http://viewer.example.org", "wss://viewer.example.org", "viewer.example.org", "//viewer.example.org",
    "https://viewer.example.org/", "https://viewer.example.org.", "https://x@viewer.example.org", "https://viewer.example.org@evil.example",
    f"{PAGE} https://evil.example", f"https://evil.example {PAGE}", f"{PAGE},https://evil.example", f"{PAGE}, {PAGE}",
    "https://viewer.example.org%00.evil.example", "https://viewer%2eexample.org", "https://viewer-example.org", "https://viewerxexample.org",
    "https://*.example.org", "file://", f"https://{HOST}",
]  # fmt: skip


async def test_no_other_origin_is_taken_for_it(place: Running) -> None:
    place.archive.clear()
    for origin in TRICKS:
        asked = await preflight(place, origin)
        assert (asked.status, asked.reasons) == (403, ["origin-refused"]), origin
        for answer in (asked, await place.ask(METADATA, f"Origin: {origin}", token=None)):
            assert unshared(answer), origin
            assert origin not in answer.headers.values(), origin
    assert place.archive.asked == []


@pytest.mark.parametrize("origins", [(PAGE, PAGE), (PAGE, "https://evil.example"), ("https://evil.example", PAGE)])
async def test_two_origins_are_none(place: Running, origins: tuple[str, ...]) -> None:
    for answer in (await preflight(place, *origins), await place.ask(METADATA, *(f"Origin: {one}" for one in origins))):
        assert (answer.status, answer.reasons) == (400, ["http-malformed"])
        assert unshared(answer)


async def test_an_underscore_twin_and_a_body_are_refused(place: Running) -> None:
    twin = await place.ask(METADATA, f"Origin_: {PAGE}")
    loaded = await place.ask(METADATA, f"Origin: {PAGE}", *ASKS, method="OPTIONS", token=None, body=b"x")
    for answer in (twin, loaded):
        assert (answer.status, answer.reasons, unshared(answer)) == (400, ["http-malformed"], True)


async def test_the_gateways_own_paths_are_for_its_own_pages(place: Running) -> None:
    for path in ("/.leadglass/v1/session", "/.leadglass/v1/jwks.json", "/.leadglass/v1/emergency"):
        for answer in (await preflight(place, PAGE, path=path), await place.ask(path, f"Origin: {PAGE}", token=None)):
            assert unshared(answer), path


async def test_where_no_page_is_listed_nothing_is_shared_and_options_stay_what_they_are(run: Running) -> None:
    answer = await preflight(run, PAGE)
    assert (answer.status, unshared(answer), "vary" in answer.headers) == (401, True, False)
    assert unshared(await run.ask(METADATA, f"Origin: {PAGE}"))


async def test_options_without_a_browsers_question_are_judged(place: Running) -> None:
    answer = await place.ask("/dicom-web/studies", f"Origin: {PAGE}", method="OPTIONS")
    assert answer.reasons == ["transaction-disabled"]


async def test_preflights_are_limited_and_cost_no_lines(tmp_path: Path) -> None:
    async with running(tmp_path, change=listing(limits="per_source_preflights: 3/s")) as run:
        lines = len(run.record())
        assert [(await preflight(run, PAGE)).status for _ in range(4)] == [204, 204, 204, 429]
        assert len(run.record()) == lines + 1  # the refusal, which is counted with those of strangers
        run.clock.advance(1)
        assert (await preflight(run, PAGE)).status == 204
        assert (await run.ask(METADATA)).status == 200


async def test_credentials_and_age_are_as_configured(tmp_path: Path) -> None:
    setting = f"{{origins: [{PAGE}], credentials: true, max_age_seconds: 5}}"
    async with running(tmp_path, change=listing(setting)) as run:
        first = await preflight(run, PAGE, more=(*ASKS, "Access-Control-Request-Private-Network: true"))
        assert first.headers["access-control-max-age"] == "5"
        assert first.headers["access-control-allow-private-network"] == "true"
        for answer in (first, await run.ask(METADATA, f"Origin: {PAGE}")):
            assert answer.headers["access-control-allow-credentials"] == "true"


async def test_a_listed_page_has_nothing_from_a_persons_cookie(tmp_path: Path) -> None:
    async with site(tmp_path) as place:
        file = place.run.folder / "leadglass.yaml"
        file.write_text(file.read_text() + f"cors: {{origins: [{PAGE}], credentials: true}}\n")
        await place.run.gateway.reload()
        browser = await place.signed_in()
        answer = await browser.ask(METADATA, f"Origin: {PAGE}", "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors")
        assert (answer.status, answer.reasons) == (403, ["origin-refused"])
        assert answer.headers["access-control-allow-origin"] == PAGE  # it may read that


async def test_the_list_changes_by_a_reload(place: Running) -> None:
    file = place.folder / "leadglass.yaml"
    text = file.read_text()
    file.write_text(text.replace(PAGE, "https://new.example.org"))
    await place.gateway.reload()
    assert (await preflight(place, PAGE)).status == 403
    assert (await preflight(place, "https://new.example.org")).status == 204
    for wrong in ("'*'", "https://viewer.example.org/", "http://viewer.example.org", "https://viewer.example.org:443"):
        file.write_text(text.replace(PAGE, wrong))
        with pytest.raises(ConfigurationError, match="cors"):
            await place.gateway.reload()
    assert (await preflight(place, "https://new.example.org")).status == 204
