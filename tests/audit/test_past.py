"""What a record tells of its own past: restores say what is lost, and keys that follow each other are believed."""

import base64
from pathlib import Path
from typing import Any

import pytest

from leadglass.audit import records
from leadglass.audit.chain import last_link
from leadglass.audit.verify import BrokenRecord, Verdict, given_heads, verify
from leadglass.audit.writer import Writer
from leadglass.clock import rfc3339
from leadglass.hazmat.hashchain import HeadKey, HeadKeys
from leadglass.limits import MIB
from support.clock import FakeClock


class Book:
    """A record that a test writes line by line."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.file = folder / "r.jsonl"
        self.key = HeadKey.load_or_make(folder / "key", folder / "pub")
        self.keys = HeadKeys.from_pem(self.key.public_pem())
        self.now = 100.0

    def event(self, kind: str = "x", **fields: Any) -> None:  # noqa: ANN401 - fields of any event
        self._write(records.event(kind, fields, self.now))

    def head(self, key: HeadKey | None = None) -> bytes:
        writer, key = Writer(self.file, rotate=MIB, clock=FakeClock()), key or self.key
        chain = writer.chain
        signature = key.sign(chain.id, chain.seq, chain.hash, rfc3339(self.now))
        line = writer.append(records.head(self.now, (chain.seq, chain.hash), key.id, signature))
        writer.close()
        return line

    def _write(self, body: bytes) -> None:
        writer = Writer(self.file, rotate=MIB, clock=FakeClock())
        writer.append(body)
        writer.close()
        self.now += 1.0

    def at(self) -> dict[str, Any]:
        link = last_link(self.file)
        assert link is not None
        return {"chain": link.chain, "seq": link.seq, "hash": link.hash}

    def verify(self, *heads: bytes, keys: HeadKeys | None = None) -> Verdict:
        given = self.file.with_name("given")
        given.write_bytes(b"".join(heads))
        return verify(self.file, keys or self.keys, given_heads(given, keys or self.keys), wait=lambda _: None)


def restored(book: Book, head: dict[str, Any] | None, standing: dict[str, Any] | None) -> None:
    book.event("restored", made="2026-11-01T00:00:00Z", head=head, standing=standing)


def test_a_record_begun_anew_says_what_is_not_in_it(tmp_path: Path) -> None:
    lost, book = Book(tmp_path / "lost"), Book(tmp_path)
    for _ in range(5):
        lost.event()
    known = lost.head()
    head = lost.at()
    book.now = 1000.0
    book.event()
    restored(book, head, None)
    book.event()
    (said,) = book.verify().lost
    assert f"the chain {head['chain']}, up to line 6 at least, is not in it" in said
    told = book.verify(known, keys=HeadKeys(book.keys.keys | lost.keys.keys)).lost
    assert any("line 6 of the chain" in line and "left behind" in line for line in told)


def test_a_tail_that_a_restore_left_behind_is_no_forgery(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.event()
    standing, before = book.at(), book.file.read_bytes()
    for _ in range(3):
        book.event()
    known = book.head()
    head = book.at()
    book.file.write_bytes(before)
    restored(book, head, standing)
    for _ in range(6):
        book.event()
    verdict = book.verify(known)
    assert "left lines 2 to 5 at least behind" in verdict.lost[0]
    assert len(verdict.lost) == 3, "both lines that the head pins are named"


def test_the_same_without_the_event_is_one(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.event()
    before = book.file.read_bytes()
    for _ in range(3):
        book.event()
    known = book.head()
    book.file.write_bytes(before)
    for _ in range(6):
        book.event()
    with pytest.raises(BrokenRecord, match="has been rewritten"):
        book.verify(known)


def test_a_restore_explains_nothing_that_came_after_it(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.event()
    standing = book.at()
    restored(book, standing, standing)
    before = book.file.read_bytes()
    book.event()
    known = book.head()
    book.file.write_bytes(before)
    for _ in range(4):
        book.event("other")
    with pytest.raises(BrokenRecord, match="has been rewritten"):
        book.verify(known)


def test_nothing_is_lost_when_the_record_reaches_the_backup(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.event()
    head = book.at()
    book.event()
    restored(book, head, book.at())
    restored(book, None, None)
    assert book.verify(book.head()).lost == []


def announce(book: Book, new: HeadKey, public: str | None = None) -> None:
    book.event("record-key-rotated", **{"from": book.key.id, "to": new.id, "public": public or new.public})


def test_a_key_that_the_old_one_vouched_for_is_believed(tmp_path: Path) -> None:
    book = Book(tmp_path)
    new = HeadKey.load_or_make(tmp_path / "key2", tmp_path / "pub2")
    announce(book, new)
    book.head()
    later = book.head(new)
    verdict = book.verify(later)
    assert verdict.heads == 2


def test_a_key_that_nobody_vouched_for_is_not(tmp_path: Path) -> None:
    book = Book(tmp_path)
    new = HeadKey.load_or_make(tmp_path / "key2", tmp_path / "pub2")
    announce(book, new)
    later = book.head(new)  # the old key has not signed behind the announcement
    with pytest.raises(BrokenRecord, match="not among the public keys"):
        book.verify(later)


@pytest.mark.parametrize("public", ["", "!!", base64.urlsafe_b64encode(b"x" * 31).decode()])
def test_an_announcement_that_cannot_be_read_is_none(tmp_path: Path, public: str) -> None:
    book = Book(tmp_path)
    new = HeadKey.load_or_make(tmp_path / "key2", tmp_path / "pub2")
    announce(book, new, public or "-")
    book.head()
    assert book.verify().heads == 1
    book.head(new)
    with pytest.raises(BrokenRecord, match="not among the public keys"):
        book.verify()


def test_a_given_head_of_a_key_that_is_never_told_of_is_refused(tmp_path: Path) -> None:
    book, other = Book(tmp_path), Book(tmp_path / "other")
    book.event()
    forged = book.file.read_bytes()
    head = book.head(other.key)
    book.file.write_bytes(forged)
    with pytest.raises(BrokenRecord, match="not among the public keys") as caught:
        book.verify(head)
    assert caught.value.file.name == "given"


def followed(book: Book, folder: Path) -> HeadKey:
    """Let a key follow that of a book, and sign."""
    new = HeadKey.load_or_make(folder / "key2", folder / "pub2")
    announce(book, new)
    book.head()
    book.head(new)
    return new


def test_a_key_that_another_has_followed_signs_nothing_more(tmp_path: Path) -> None:
    book = Book(tmp_path)
    new = followed(book, tmp_path)
    book.event()
    book.head()
    for keys in (book.keys, book.keys | HeadKeys.from_pem(new.public_pem())):
        with pytest.raises(BrokenRecord, match="which another had followed before"):
            book.verify(keys=keys)


def test_until_the_new_one_signs_the_old_one_may(tmp_path: Path) -> None:
    book = Book(tmp_path)
    announce(book, HeadKey.load_or_make(tmp_path / "key2", tmp_path / "pub2"))
    book.head()
    book.head()  # it crashed before the new one took its place
    assert book.verify().heads == 2
    followed(book, tmp_path)
    assert book.verify().heads == 4


def test_a_restore_may_bring_an_old_key_back_and_that_is_said(tmp_path: Path) -> None:
    book = Book(tmp_path)
    followed(book, tmp_path)
    restored(book, book.at(), book.at())
    book.head()
    book.head()
    (said,) = book.verify().lost
    assert f"the key {book.key.id}, which another had followed, signs heads again" in said


def test_a_restore_of_before_brings_nothing_back(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.event()
    restored(book, book.at(), book.at())
    followed(book, tmp_path)
    book.head()
    with pytest.raises(BrokenRecord, match="which another had followed before"):
        book.verify()
