import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.model.errors import Cut, UpstreamBroken
from leadglass.model.facts import Resource
from leadglass.model.reasons import Code
from leadglass.obligations.part_guard import GuardedReply, PartGuard
from support.matches import FakeReply
from support.studies import instance
from support.upstreams import ListSink

S, E = "1.2.3", "1.2.3.4"
ONE = instance(study=S, series=E, sop="1.2.3.4.1")
TWO = instance(study=S, series=E, sop="1.2.3.4.2", number=2)
FOREIGN = instance(study="1.2.30", series=E, sop="1.2.3.4.3")
SERIES = instance(study=S, series="1.2.3.5", sop="1.2.3.4.4")
STUDY = Resource("study", S)


def multipart(*parts: bytes, close: bytes = b"--bb--\r\n", kind: bytes = b"application/dicom") -> bytes:
    return b"".join(b"--bb\r\nContent-Type: " + kind + b"\r\n\r\n" + part + b"\r\n" for part in parts) + close


async def relayed(
    body: bytes, resource: Resource, boundary: str | None, step: int, *, broken: bool = False
) -> tuple[bytes, Exception | None]:
    """Return what left, and how it ended."""
    sink = ListSink()
    reply = GuardedReply(FakeReply(body, step=step, broken=broken), PartGuard(resource, boundary))
    try:
        assert await reply.relay(sink) == len(body)
    except (Cut, UpstreamBroken) as error:
        return sink.body, error
    return sink.body, None


@pytest.mark.parametrize("step", [1, 100, 5000, 1 << 20])
@pytest.mark.parametrize(
    ("resource", "parts"),
    [
        (STUDY, (ONE, TWO)),
        (Resource("series", S, E), (ONE, TWO)),
        (Resource("instance", S, E, "1.2.3.4.1"), (ONE,)),
    ],
    ids=["study", "series", "instance"],
)
async def test_untouched(resource: Resource, parts: tuple[bytes, ...], step: int) -> None:
    body = multipart(*parts)
    assert await relayed(body, resource, "bb", step) == (body, None)
    assert await relayed(parts[0], resource, None, step) == (parts[0], None)


@pytest.mark.parametrize("step", [1, 100, 5000, 1 << 20])
@pytest.mark.parametrize(
    ("resource", "bad"),
    [
        (STUDY, FOREIGN),
        (Resource("series", S, E), SERIES),
        (Resource("instance", S, E, "1.2.3.4.1"), TWO),
        (STUDY, b"MZ" + bytes(200)),
        (STUDY, b""),
        (STUDY, ONE[:300]),
    ],
    ids=["foreign study", "foreign series", "another instance", "not dicom", "empty", "cut short"],
)
async def test_what_was_not_asked_for_never_leaves(resource: Resource, bad: bytes, step: int) -> None:
    left, error = await relayed(multipart(ONE, bad), resource, "bb", step)
    assert isinstance(error, Cut)
    assert error.code == Code.PART_MISMATCH
    before = multipart(ONE, b"", close=b"")  # all up to where the second part's content begins
    assert len(left) < len(before)
    assert before.startswith(left)
    left, error = await relayed(bad, resource, None, step)
    assert isinstance(error, Cut)
    assert left == b""


@pytest.mark.parametrize(
    "body",
    [
        multipart(ONE, close=b""),
        multipart(ONE, close=b"--bb-"),
        multipart(ONE) + b"more",
        b"preamble" + multipart(ONE),
        b"",
    ],
    ids=["not closed", "half closed", "epilogue", "preamble", "empty"],
)
async def test_broken_multipart(body: bytes) -> None:
    assert isinstance((await relayed(body, STUDY, "bb", 5000))[1], UpstreamBroken)


async def test_other_parts() -> None:
    _, error = await relayed(multipart(b"<html>", kind=b"text/html"), STUDY, "bb", 5000)
    assert isinstance(error, Cut)


async def test_a_broken_reply_stays_broken() -> None:
    assert isinstance((await relayed(multipart(ONE), STUDY, "bb", 5000, broken=True))[1], UpstreamBroken)


async def test_chunks_and_read() -> None:
    body = multipart(ONE, TWO)
    guarded = GuardedReply(FakeReply(body, step=999), PartGuard(STUDY, "bb"))
    assert b"".join([piece async for piece in guarded.chunks()]) == body
    assert await GuardedReply(FakeReply(body), PartGuard(STUDY, "bb")).read(1 << 20) == body
    with pytest.raises(Cut):
        await GuardedReply(FakeReply(multipart(FOREIGN)), PartGuard(STUDY, "bb")).read(1 << 20)


def test_chunks_pass_as_the_objects_they_came_as() -> None:
    guard = PartGuard(STUDY, None)
    guard.feed(ONE[:4000])
    chunk = bytes(256_000)
    (passed,) = guard.feed(chunk)
    assert passed is chunk


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_mutated(data: st.DataObject) -> None:
    """Whatever is done to a body, what leaves is a prefix of it, and ends in nothing but Cut or UpstreamBroken."""
    body = bytearray(multipart(ONE[:2000], TWO[:2000]))
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    step = data.draw(st.integers(50, 3000))
    guard, left = PartGuard(STUDY, "bb"), b""
    try:
        for start in range(0, len(body), step):
            left += b"".join(guard.feed(bytes(body[start : start + step])))
        guard.finish()
    except (Cut, UpstreamBroken):
        pass
    assert bytes(body).startswith(left)
