import hashlib
import json
import resource
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from leadglass.hazmat.hashchain import GENESIS, BrokenLine, Chain, HeadKey, HeadKeys, check, new_chain_id


def test_a_line_is_json_and_its_hash_is_over_its_own_bytes() -> None:
    chain = Chain("abc")
    line = chain.seal(b'"type":"event","hash":"inner","x":{"a":1,"hash":2}')
    text, _, rest = line.rpartition(b',"hash":')
    assert hashlib.sha256(text).hexdigest() == rest[1:65].decode()
    document = json.loads(line)
    assert (document["seq"], document["v"], document["chain"], document["prev"]) == (1, 1, "abc", GENESIS)
    link = check(line)
    assert (link.seq, link.chain, link.prev, link.hash) == (1, "abc", GENESIS, document["hash"])


def test_a_sealed_line_moves_the_chain_only_once_it_is_written() -> None:
    chain = Chain("abc")
    assert chain.seal(b'"a":1') == chain.seal(b'"a":1')
    first = check(chain.seal(b'"a":1'))
    chain.advance()
    second = check(chain.seal(b'"a":2'))
    assert (second.seq, second.prev) == (2, first.hash)


@examples(max_examples=200, deadline=None)
@given(st.data())
def test_any_changed_byte_is_seen(data: st.DataObject) -> None:
    line = Chain("abc").seal(b'"type":"event","kind":"start","fields":{"text":"caf\xc3\xa9"}')
    place = data.draw(st.integers(0, len(line) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[place]))
    with pytest.raises(BrokenLine):
        check(line[:place] + bytes([value]) + line[place + 1 :])


@examples(max_examples=50, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_at_all_crash_the_check(noise: bytes) -> None:
    with pytest.raises(BrokenLine):
        check(noise)


@pytest.mark.parametrize("end", [b"", b"\n\n", b"\n{}"], ids=["no newline", "two newlines", "trailing bytes"])
def test_a_line_ends_in_one_newline(end: bytes) -> None:
    with pytest.raises(BrokenLine):
        check(Chain("abc").seal(b'"a":1')[:-1] + end)


def test_the_key_is_made_once_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path, public = tmp_path / "r.key", tmp_path / "r.pub"
    key = HeadKey.load_or_make(path, public)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = HeadKey.load_or_make(path, public)
    assert again.id == key.id
    assert list(HeadKeys.from_pem(public.read_bytes()).keys) == [key.id]
    assert public.read_bytes() == key.public_pem()


def test_a_key_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "r.key"
    HeadKey.load_or_make(path, tmp_path / "r.pub")
    path.chmod(0o640)
    with pytest.raises(ValueError, match="others"):
        HeadKey.load_or_make(path, tmp_path / "r.pub")


def test_a_lost_key_is_replaced_and_the_old_public_one_stays(tmp_path: Path) -> None:
    path, public = tmp_path / "r.key", tmp_path / "r.pub"
    old = HeadKey.load_or_make(path, public)
    path.unlink()
    new = HeadKey.load_or_make(path, public)
    assert set(HeadKeys.from_pem(public.read_bytes()).keys) == {old.id, new.id}


def test_public_keys_are_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path, public = tmp_path / "r.key", tmp_path / "r.pub"
    HeadKey.load_or_make(path, public)
    before, limits = public.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, limits[1]))  # room for one key, and not for two
    try:
        with pytest.raises(OSError, match="too large"):
            HeadKey.following(path, public)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert public.read_bytes() == before, "of the keys before it stands nothing anywhere else"


def test_a_signature_holds_for_what_it_signed_and_nothing_else(tmp_path: Path) -> None:
    key = HeadKey.load_or_make(tmp_path / "r.key", tmp_path / "r.pub")
    keys = HeadKeys.from_pem(key.public_pem())
    message = ("abc", 7, "0" * 64, "2026-11-23T18:00:00.000000Z")
    signature = key.sign(*message)
    assert keys.verify(key.id, signature, message)
    assert not keys.verify("other", signature, message)
    assert not keys.verify(key.id, signature, ("abc", 8, *message[2:]))
    assert not keys.verify(key.id, "!" + signature[1:], message)
    assert not keys.verify(key.id, "", message)


def test_chain_ids_are_short_and_differ() -> None:
    ids = {new_chain_id() for _ in range(20)}
    assert len(ids) == 20
    assert {len(name) for name in ids} == {8}
