from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from leadglass.audit import records
from leadglass.audit.chain import segments
from leadglass.audit.verify import BrokenRecord, given_heads, verify
from leadglass.audit.writer import Writer
from leadglass.clock import rfc3339
from leadglass.hazmat.hashchain import HeadKey, HeadKeys
from leadglass.limits import MIB
from support.clock import FakeClock

Record = tuple[Path, HeadKeys, list[bytes]]


def make(folder: Path, lines: int = 40, rotate: int = MIB) -> Record:
    """A record with a head every ten lines, and those heads."""
    file = folder / "r.jsonl"
    key = HeadKey.load_or_make(folder / "r.jsonl.key", folder / "r.jsonl.pub")
    writer, heads = Writer(file, rotate=rotate, clock=FakeClock()), []
    for number in range(1, lines + 1):
        if number % 10 == 0:
            chain = writer.chain
            signature = key.sign(chain.id, chain.seq, chain.hash, rfc3339(0.0))
            heads.append(writer.append(records.head(0.0, (chain.seq, chain.hash), key.id, signature)))
        else:
            writer.append(records.event("x", {"number": number, "text": "ünïcode"}, 0.0))
    writer.close()
    return file, HeadKeys.from_pem(key.public_pem()), heads


def broken(record: Record, heads: bytes = b"") -> BrokenRecord:
    file, keys, _ = record
    kept = file.with_name("kept")
    kept.write_bytes(heads)
    with pytest.raises(BrokenRecord) as caught:
        verify(file, keys, given_heads(kept, keys), wait=lambda _: None)
    return caught.value


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return make(tmp_path_factory.mktemp("record"))


@pytest.fixture(scope="module")
def original(made: Record) -> bytes:
    return made[0].read_bytes()


def test_a_whole_record(made: Record, original: bytes) -> None:
    made[0].write_bytes(original)
    seen: list[int] = []
    verdict = verify(made[0], made[1], progress=seen.append)
    assert (verdict.lines, verdict.seq, verdict.heads, verdict.after_head, verdict.files) == (40, 40, 4, 0, 1)
    assert sum(seen) == len(original)


slow = examples(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@slow
@given(st.data())
def test_any_changed_byte_is_named_by_its_line(made: Record, original: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(original) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != original[place]))
    made[0].write_bytes(original[:place] + bytes([value]) + original[place + 1 :])
    assert broken(made).line == original.count(b"\n", 0, place) + 1


@slow
@given(st.integers(0, 38))
def test_a_line_taken_out_is_named(made: Record, original: bytes, gone: int) -> None:
    lines = original.splitlines(keepends=True)
    made[0].write_bytes(b"".join(lines[:gone] + lines[gone + 1 :]))
    assert broken(made).line == gone + 1


@slow
@given(st.integers(0, 38), st.integers(1, 39))
def test_two_lines_swapped_are_named(made: Record, original: bytes, first: int, apart: int) -> None:
    lines = original.splitlines(keepends=True)
    second = min(39, first + apart)
    lines[first], lines[second] = lines[second], lines[first]
    made[0].write_bytes(b"".join(lines))
    assert broken(made).line == first + 1


@slow
@given(st.integers(0, 40), st.integers(0, 39))
def test_a_line_put_in_is_named(made: Record, original: bytes, place: int, copied: int) -> None:
    lines = original.splitlines(keepends=True)
    lines.insert(place, lines[copied])
    made[0].write_bytes(b"".join(lines))
    assert broken(made).line in {place + 1, copied + 1, place + 2}


@slow
@given(st.data())
def test_a_tail_cut_off_is_seen_with_a_head(made: Record, original: bytes, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(original) - 1))
    made[0].write_bytes(original[:size])
    assert broken(made, made[2][-1]).line == max(
        1, original.count(b"\n", 0, size) + (original[size - 1 : size] != b"\n")
    )


def test_a_tail_cut_off_between_lines_says_what_is_missing(made: Record, original: bytes) -> None:
    made[0].write_bytes(b"".join(original.splitlines(keepends=True)[:35]))
    fault = broken(made, b"some other output\n" + b"".join(made[2]))
    assert fault.line == 35
    assert "knows line 40: the tail has been cut off" in fault.why


def test_a_record_written_anew_does_not_fit_the_heads(made: Record, original: bytes, tmp_path: Path) -> None:
    made[0].write_bytes(original)
    other = make(tmp_path)
    fault = broken((other[0], HeadKeys({**other[1].keys, **made[1].keys}), []), made[2][0])
    assert "belongs to the chain" in fault.why


def rehash(text: bytes, change: Callable[[list[bytes]], None]) -> bytes:
    """What somebody does who can write the file and has no key: change a line, and hash everything behind it anew."""
    import hashlib

    lines, last, result = text.splitlines(), "0" * 64, []
    change(lines)
    for line in lines:
        body = line[: line.rindex(b',"prev":')] + b',"prev":"' + last.encode() + b'"'
        last = hashlib.sha256(body).hexdigest()
        result.append(body + b',"hash":"' + last.encode() + b'"}\n')
    return b"".join(result)


def test_a_chain_hashed_anew_breaks_at_its_next_head(made: Record, original: bytes) -> None:
    def change(lines: list[bytes]) -> None:
        lines[12] = lines[12].replace(b'"number":13', b'"number":99')

    made[0].write_bytes(rehash(original, change))
    fault = broken(made)
    assert (fault.line, fault.why) == (20, "its signed head speaks of another line than the one before it")


def test_a_head_by_another_key_is_not_believed(made: Record, original: bytes, tmp_path: Path) -> None:
    made[0].write_bytes(original)
    stranger = HeadKey.load_or_make(tmp_path / "k", tmp_path / "p")
    fault = broken((made[0], HeadKeys.from_pem(stranger.public_pem()), []))
    assert (fault.line, "not among the public keys" in fault.why) == (10, True)


def test_a_given_head_that_was_tampered_with_is_refused(made: Record, original: bytes) -> None:
    made[0].write_bytes(original)
    fault = broken(made, made[2][0].replace(b'"seq":10', b'"seq":11'))
    assert (fault.file.name, fault.line) == ("kept", 1)


def test_files_that_are_missing_renamed_or_empty_are_named(tmp_path: Path) -> None:
    record = make(tmp_path, 900, 64 * 1024)
    files = segments(record[0])
    assert len(files) >= 4
    assert verify(record[0], record[1]).files == len(files)
    hidden = tmp_path / "hidden"
    files[1].rename(hidden)
    fault = broken(record)
    assert (fault.file, fault.line) == (files[2], 1)
    hidden.rename(files[1])
    files[0].rename(hidden)
    assert "the files before it are missing" in broken(record).why
    hidden.rename(files[0])
    files[1].rename(tmp_path / "r.jsonl.000000000099")
    assert "not what the name of its file says" in broken(record).why
    (tmp_path / "r.jsonl.000000000099").rename(files[1])
    verify(record[0], record[1])
    content = files[1].read_bytes()
    files[1].write_bytes(b"")
    assert (broken(record).file, broken(record).line) == (files[1], 1)
    files[1].write_bytes(content)
    record[0].write_bytes(b"")
    verify(record[0], record[1])  # begun and not written to yet


def test_no_record_is_not_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_bytes(b"")
    with pytest.raises(BrokenRecord, match="no line at all"):
        verify(tmp_path / "r.jsonl", HeadKeys({}))
