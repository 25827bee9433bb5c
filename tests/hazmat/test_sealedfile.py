"""A sealed stream: back byte for byte, and not at all once a piece was changed, left out, moved, added or cut off."""

import io
from collections.abc import Callable

import pytest

from leadglass.hazmat import backup, sealedfile
from leadglass.hazmat.sealedfile import MAGIC, SealedReader, SealedWriter, Unopenable

PASSPHRASE = "correct horse battery"
HEAD = len(MAGIC) + 16 + 7
PIECE = 64 + 16  # sealed


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "_COST", {"n": 2, "r": 8, "p": 1})
    monkeypatch.setattr(sealedfile, "_PIECE", 64)


def seal(data: bytes) -> bytes:
    stream = io.BytesIO()
    with SealedWriter(stream, PASSPHRASE) as writer:
        for at in range(0, len(data), 50):
            writer.write(data[at : at + 50])
    return stream.getvalue()


def unseal(sealed: bytes, passphrase: str = PASSPHRASE) -> bytes:
    reader = SealedReader(io.BytesIO(sealed), passphrase)
    data = reader.read()
    reader.finish()
    return data


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 128, 1000])
def test_what_was_sealed_opens(size: int) -> None:
    data = bytes(n % 251 for n in range(size))
    sealed = seal(data)
    assert unseal(sealed) == data
    assert size < 16 or data not in sealed


def test_it_is_read_in_any_portions() -> None:
    reader = SealedReader(io.BytesIO(seal(b"x" * 300)), PASSPHRASE)
    assert [len(reader.read(100)) for _ in range(4)] == [100, 100, 100, 0]


@pytest.mark.parametrize("at", [*range(HEAD), HEAD, HEAD + 70, HEAD + PIECE, -1])
def test_one_bit_changed_opens_nothing(at: int) -> None:
    sealed = bytearray(seal(b"x" * 200))
    sealed[at] ^= 1
    with pytest.raises(Unopenable):
        unseal(bytes(sealed))


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "first piece left out": lambda s: s[:HEAD] + s[HEAD + PIECE :],
    "last piece left out": lambda s: s[: HEAD + 3 * PIECE],
    "pieces swapped": lambda s: s[:HEAD] + s[HEAD + PIECE : HEAD + 2 * PIECE] + s[HEAD : HEAD + PIECE] + s[HEAD + 2 * PIECE :],
    "piece repeated": lambda s: s[: HEAD + PIECE] + s[HEAD:],
    "something added": lambda s: s + b"x",
    "another file added": lambda s: s + s[HEAD:],
    "cut in a piece": lambda s: s[: HEAD + PIECE + 5],
    "head alone": lambda s: s[:HEAD],
    "half a head": lambda s: s[: HEAD - 1],
    "nothing": lambda _: b"",
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_not_whole_does_not_open_to_its_end(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(Unopenable):
        unseal(change(seal(b"x" * 200)))


def test_a_writer_that_broke_off_leaves_nothing_that_opens() -> None:
    stream = io.BytesIO()
    with pytest.raises(OSError, match="full"), SealedWriter(stream, PASSPHRASE) as writer:  # noqa: PT012 - it breaks off
        writer.write(b"x" * 200)
        raise OSError("full")
    with pytest.raises(Unopenable):
        unseal(stream.getvalue())


def test_another_passphrase_opens_nothing() -> None:
    with pytest.raises(Unopenable, match="wrong passphrase"):
        unseal(seal(b"x"), PASSPHRASE + "!")


def test_a_passphrase_has_twelve_characters() -> None:
    with pytest.raises(ValueError, match="at least 12"):
        SealedWriter(io.BytesIO(), "x" * 11)
