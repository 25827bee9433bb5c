"""What a mount answers: status, fields and bytes for every kind of file and request."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from leadglass.limits import STATIC_INDEX_BYTES, STATIC_WHOLE_BYTES
from leadglass.model.errors import ConfigurationError, Cut, Refusal
from leadglass.model.facts import Action, Resource
from leadglass.model.permit import FileReply, Permit
from leadglass.model.reasons import Code
from leadglass.static.appconfig import Root
from leadglass.static.mounts import CONFIG, LOCAL, VIEWER, Mount, Mounts, Wanted
from support.matches import decided
from support.upstreams import asked

BIG = b"x" * (STATIC_WHOLE_BYTES + 1)
HASHED = "app.096daabbdde29bd851ab.js"


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<html><head><script>inline</script></head></html>")
    (tmp_path / "assets/icon.svg").write_text("<svg/>")
    (tmp_path / "app-config.js").write_text("window.config = 'as it came';")
    (tmp_path / HASHED).write_bytes(BIG)
    (tmp_path / f"{HASHED}.gz").write_bytes(b"packed")
    return tmp_path


def mount(dist: Path, path: str = "/viewer") -> Mount:
    return Mount(path, dist, roots=[Root("main", "/dicom-web", "/wado", "orthanc")])


async def body(reply: FileReply) -> bytes:
    if isinstance(reply.body, AsyncIterator):
        return b"".join([piece async for piece in reply.body])
    return reply.body


def fields(reply: FileReply) -> dict[str, str]:
    return {name.decode().lower(): value.decode() for name, value in reply.headers}


async def test_the_page_holds_our_script_and_its_own_policy(dist: Path) -> None:
    reply = await mount(dist).open(Wanted(""))
    page = await body(reply)
    assert b'<head><script src="/viewer/leadglass-viewer.js" data-roots="/dicom-web /wado"></script>' in page
    told = fields(reply)
    assert (reply.status, reply.length, told["content-type"]) == (200, len(page), "text/html; charset=utf-8")
    assert told["cache-control"] == "private, no-cache"
    assert "'sha256-" in told["content-security-policy"]
    assert told["cross-origin-opener-policy"] == "same-origin"
    assert told["cross-origin-embedder-policy"] == "require-corp"
    assert told["cross-origin-resource-policy"] == told["referrer-policy"] == "same-origin"


async def test_a_device_is_proven_by_the_script_for_it_at_the_agents_port(dist: Path) -> None:
    reply = await Mount("/", dist, roots=[Root("main", "/d", "/w", "generic")], connect=["http://127.0.0.1:8766"]).open(
        Wanted("")
    )
    assert b'"></script><script src="/.leadglass/v1/device.js"></script>' in await body(reply)
    assert "connect-src 'self' data: blob: http://127.0.0.1:8766;" in fields(reply)["content-security-policy"]


async def test_at_the_root_paths_begin_with_one_slash(dist: Path) -> None:
    assert b'<script src="/leadglass-viewer.js"' in await body(await mount(dist, "/").open(Wanted("")))


PATHS = [  # path, who asks, what is answered
    ("index.html", "script", "text/html; charset=utf-8"),
    ("assets/icon.svg", "script", "image/svg+xml"),
    (VIEWER, "script", "text/javascript; charset=utf-8"),
    ("viewer", "person", "text/html; charset=utf-8"),
    ("viewer/dicomweb", "person", "text/html; charset=utf-8"),
    ("viewer", "script", None),
    ("assets", "script", None),
    ("missing.js", "person", None),
    ("missing.js", "script", None),
    (f"{HASHED}/", "script", None),
    ("../index.html", "script", None),
    ("/etc/passwd", "script", None),
]


@pytest.mark.parametrize(("path", "who", "media"), PATHS)
async def test_paths_without_a_file_are_the_viewers_own_pages(
    dist: Path,
    path: str,
    who: str,
    media: str | None,
) -> None:
    if media is None:
        with pytest.raises(Refusal) as refused:
            await mount(dist).open(Wanted(path, page=who == "person"))
        assert refused.value.causes[0].reason.code == Code.FILE_UNKNOWN
        assert refused.value.causes[0].reason.status == 404
    else:
        assert fields(await mount(dist).open(Wanted(path, page=who == "person")))["content-type"] == media


async def test_app_config_is_ours_and_the_sites_own_follows(dist: Path) -> None:
    text = await body(await mount(dist).open(Wanted(CONFIG)))
    assert b"as it came" not in text
    (dist / LOCAL).write_text("window.config.showStudyList = false;")
    assert await body(await mount(dist).open(Wanted(CONFIG))) == text + b"\nwindow.config.showStudyList = false;"


async def test_large_files_are_streamed_and_hashed_names_last(dist: Path) -> None:
    reply = await mount(dist).open(Wanted(HASHED))
    told = fields(reply)
    assert not isinstance(reply.body, bytes)
    assert await body(reply) == BIG
    assert reply.length == len(BIG)
    assert told["cache-control"] == "private, max-age=31536000, immutable"
    assert told["vary"] == "Accept-Encoding"
    assert "content-encoding" not in told


async def test_what_was_packed_beforehand_is_sent_packed(dist: Path) -> None:
    here = mount(dist)
    plain, packed = await here.open(Wanted(HASHED)), await here.open(Wanted(HASHED, gzip=True))
    assert await body(plain) == BIG
    assert await body(packed) == b"packed"
    told = fields(packed)
    assert (told["content-encoding"], told["content-type"]) == ("gzip", "text/javascript; charset=utf-8")
    assert told["vary"] == "Accept-Encoding"
    assert told["etag"] != fields(plain)["etag"]


async def test_a_copy_that_is_good_is_not_sent_again(dist: Path) -> None:
    here = mount(dist)
    for path in ("", CONFIG, HASHED, "assets/icon.svg"):
        etag = fields(await here.open(Wanted(path)))["etag"]
        for value in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            reply = await here.open(Wanted(path, etags=value))
            assert (reply.status, reply.body, fields(reply)["etag"]) == (304, b"", etag), (path, value)
            assert "content-type" not in fields(reply)
        assert (await here.open(Wanted(path, etags='"other"'))).status == 200


async def test_a_replaced_file_is_refused_and_one_replaced_meanwhile_is_cut(dist: Path) -> None:
    here = mount(dist)
    reply = await here.open(Wanted(HASHED))
    (dist / HASHED).write_bytes(b"other")
    with pytest.raises(Cut) as cut:
        await body(reply)
    assert cut.value.code == Code.FILE_UNKNOWN
    with pytest.raises(Refusal):
        await here.open(Wanted(HASHED))


async def test_a_file_that_shrinks_while_it_is_read_is_cut(dist: Path) -> None:
    (dist / HASHED).write_bytes(BIG * 8)
    reply = await mount(dist).open(Wanted(HASHED))
    assert not isinstance(reply.body, bytes)
    pieces = aiter(reply.body)
    await anext(pieces)
    os.truncate(dist / HASHED, 1)
    with pytest.raises(Cut):
        await anext(pieces)


def test_what_cannot_be_served_is_said_at_start(dist: Path) -> None:
    (dist / "index.html").write_bytes(b"<head>" + b" " * STATIC_INDEX_BYTES)
    with pytest.raises(ConfigurationError, match=r"index.html has more than"):
        mount(dist)


async def test_a_permit_is_for_one_mount(dist: Path) -> None:
    mounts = Mounts({"/viewer": mount(dist)})
    file = Permit(decided(), asked(Action("retrieve", "static.file"), Resource("file", mount="/viewer")))
    assert (await mounts.open(file, Wanted(""))).status == 200
    image = Permit(decided(), asked(Action("retrieve", "wado-rs.instance"), Resource("instance", "1.2")))
    with pytest.raises(Refusal):
        await mounts.open(image, Wanted(""))
