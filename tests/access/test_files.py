"""Files of a viewer, asked for through the whole gateway: who gets them, what is written down, what a reload takes over."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from leadglass.limits import STATIC_WHOLE_BYTES
from leadglass.model.errors import ConfigurationError
from support.gateway import CT, Running
from support.oidc import NAVIGATE, Site, site

BIG = bytes(range(256)) * (STATIC_WHOLE_BYTES // 128)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Site]:
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<html><head></head><body>the viewer</body></html>")
    (dist / "assets/app.js").write_text("let x;")
    (dist / "big.wasm").write_bytes(BIG)
    (tmp_path / "site").mkdir()
    settings = "static: {/viewer: ../dist, /other: ../dist}\n"
    async with site(tmp_path / "site", settings=settings) as found:
        yield found


def codes(run: Running, decision_id: str) -> list[str]:
    return [reason["code"] for line in run.record() if line["decision_id"] == decision_id
            for reason in line["decision"]["reasons"]]  # fmt: skip


@pytest.mark.parametrize("path", ["/viewer", "/viewer/", "/viewer/viewer?StudyInstanceUIDs=1.2.3,4.5&x=@y"])
async def test_who_is_not_signed_in_gets_the_way_to_sign_in_and_back(here: Site, path: str) -> None:
    answer = await here.browser().look(path)
    assert (answer.status, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert b"/.leadglass/v1/login?return=" in answer.body
    assert b"the viewer" not in answer.body
    asset = await here.browser().ask("/viewer/assets/app.js", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Site: same-origin")
    assert (asset.status, asset.reasons) == (401, ["user-unauthenticated"])


@pytest.mark.parametrize("path", ["/viewer", "/viewer/", "/viewer/viewer?StudyInstanceUIDs=1.2.3", "/other"])
async def test_who_is_signed_in_gets_the_page(here: Site, path: str) -> None:
    browser = await here.signed_in()
    answer = await browser.look(path)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"the viewer" in answer.body
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert answer.headers["cache-control"] == "private, no-cache"
    again = await browser.ask(path, *NAVIGATE, f"If-None-Match: {answer.headers['etag']}")
    assert (again.status, again.body) == (304, b"")
    assert here.run.archive.asked == []


async def test_neither_device_nor_role_is_needed_but_a_person_with_mfa(here: Site) -> None:
    run = here.run
    assert (await run.ask("/viewer/assets/app.js", device=False, token=run.token("nobody"))).status == 200
    await run.tell("fail")
    assert (await run.ask("/viewer/assets/app.js")).body == b"let x;"
    assert (await run.ask(f"/dicom-web/studies/{CT.uid}/metadata")).status == 403
    weak = await run.ask("/viewer/assets/app.js", token=run.token(mfa=False))
    assert (weak.status, codes(run, weak.decision_id)) == (401, ["mfa-required"])
    assert "acr_values" in weak.headers["www-authenticate"]


async def test_large_files_come_whole(here: Site) -> None:
    answer = await here.run.ask("/viewer/big.wasm")
    assert (answer.status, answer.body) == (200, BIG)
    assert answer.headers["content-length"] == str(len(BIG))


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/viewer/missing.js", 404, "file-unknown"),
        ("GET", "/viewer/assets", 404, "file-unknown"),
        ("GET", "/viewer/assets/", 400, "http-malformed"),
        ("GET", "/viewer//", 400, "http-malformed"),
        ("GET", "/viewer/../leadglass.yaml", 400, "http-malformed"),
        ("GET", "/viewer/%2e%2e/leadglass.yaml", 400, "http-malformed"),
        ("GET", "/viewerx", 403, "route-unknown"),
        ("GET", "/", 403, "route-unknown"),
        ("POST", "/viewer", 403, "route-unknown"),
        ("DELETE", "/viewer/assets/app.js", 403, "route-unknown"),
        ("GET", "/dicom-web/", 400, "http-malformed"),
        ("GET", "/dicom-web/assets/app.js", 403, "route-unknown"),
    ],
)
async def test_nothing_but_a_listed_file_is_read(here: Site, method: str, path: str, status: int, code: str) -> None:
    answer = await here.run.ask(path, method=method)
    assert (answer.status, answer.reasons) == (status, [code])


async def test_each_request_is_written_down_and_one_decision_serves_them(here: Site) -> None:
    run = here.run
    token = run.token()
    for path in ("/viewer", "/viewer/assets/app.js", "/viewer/big.wasm"):
        assert (await run.ask(path, token=token)).status == 200
    decision, *uses = [line for line in run.record() if line["type"] in {"decision", "use"}]
    assert decision["action"]["transaction"] == "static.file"
    assert decision["resource"] == {"type": "file", "mount": "/viewer"}
    assert [line["type"] for line in uses] == ["use", "use"]


async def test_a_reload_takes_replaced_files_over_and_until_then_they_are_refused(here: Site, tmp_path: Path) -> None:
    file = tmp_path / "dist/assets/app.js"
    file.write_text("let newer;")
    (tmp_path / "dist/more.js").write_text("more")
    assert (await here.run.ask("/viewer/assets/app.js")).reasons == ["file-unknown"]
    assert (await here.run.ask("/viewer/more.js")).reasons == ["file-unknown"]
    await here.run.gateway.reload()
    assert (await here.run.ask("/viewer/assets/app.js")).body == b"let newer;"
    assert (await here.run.ask("/viewer/more.js")).body == b"more"


async def test_a_reload_to_a_folder_that_is_no_viewer_changes_nothing(here: Site, tmp_path: Path) -> None:
    page = tmp_path / "dist/index.html"
    page.rename(tmp_path / "index.html")
    with pytest.raises(ConfigurationError, match=r"holds no index\.html"):
        await here.run.gateway.reload()
    assert (await here.run.ask("/viewer/assets/app.js")).status == 200


async def test_mounts_come_and_go_with_a_reload(here: Site, tmp_path: Path) -> None:
    file = tmp_path / "site/leadglass.yaml"
    file.write_text(file.read_text().replace("/other: ../dist", "/: ../dist"))
    await here.run.gateway.reload()
    assert (await here.run.ask("/other", *NAVIGATE)).status == 200  # a page of the viewer at the root
    assert (await here.run.ask("/", *NAVIGATE)).status == 200
    assert (await here.run.ask("/dicom-web/nothing", *NAVIGATE)).status == 403
    file.write_text(file.read_text().partition("static:")[0])
    await here.run.gateway.reload()
    assert (await here.run.ask("/viewer")).reasons == ["route-unknown"]
