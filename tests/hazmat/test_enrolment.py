"""Enrolment codes: readable, and the same keys on both sides."""

import base64
import hashlib
import hmac
import re

from leadglass.hazmat.enrolment import new_code
from leadglass_agent.enrol import parse_code

CA = hashlib.sha256(b"ca").digest()


def test_a_code_has_the_form_of_the_protocol() -> None:
    code = new_code(CA)
    assert re.fullmatch(r"LG1(-[A-Z2-7]{5}){16}", code.text)
    raw = base64.b32decode(code.text.replace("-", "")[3:])
    assert raw[16:48] == CA
    assert raw[48:] == hashlib.sha256(b"leadglass-code-v1" + raw[:48]).digest()[:2]


def test_both_sides_derive_the_keys_of_rfc_5869() -> None:
    code = new_code(CA)
    secret = base64.b32decode(code.text.replace("-", "")[3:])[:16]
    prk = hmac.digest(CA, secret, "sha256")
    okm, block = b"", b""
    for counter in (1, 2, 3):
        block = hmac.digest(prk, block + b"leadglass-enrolment-v1" + bytes([counter]), "sha256")
        okm += block
    assert (code.keys.code_id, code.keys.request_key, code.keys.reply_key) == (
        okm[:16].hex(),
        okm[16:48],
        okm[48:80],
    )


def test_the_agent_reads_it() -> None:
    code = new_code(CA)
    read = parse_code(code.text)
    assert (read.ca_sha256, read.code_id) == (CA, code.keys.code_id)
    assert (read.request_key, read.reply_key) == (code.keys.request_key, code.keys.reply_key)


def test_no_two_codes_are_alike() -> None:
    assert len({new_code(CA).keys.code_id for _ in range(20)}) == 20
