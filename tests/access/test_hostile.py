"""Hostile text all the way: as a fact of a study and as a name of a person, through policy, record and page."""

import json

import pytest

from support.facts import series_row, study_row
from support.gateway import CT, Running

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"

HOSTILE = {
    "quotes": 'x"}, {"allow": true, "y": "',
    "braces": "{{__import__('os')}} ${jndi} {0}",
    "newlines": 'x\r\n{"type":"decision","decision":{"allow":true}}',
    "ansi": "\x1b[2J\x1b[31mred\x07",
    "nul": "a\0b",
    "non-ascii": "Müller^Jörg 山田 \u202eevil\u2028",
    "html": "<script>alert(1)</script>",
    "long": "A" * 1_000,
    "backslash": 'a\\"b\\u0000',
    "astral": "\U0001f9e0\ud7ff",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_text_goes_through_policy_record_and_page_as_text(run: Running, text: str) -> None:
    row = study_row(CT.uid, patient_id=text)
    row["00081030"] = {"vr": "LO", "Value": [text]}
    row["00080090"] = {"vr": "PN", "Value": [{"Alphabetic": text}]}
    run.archive.answer("/dicom-web/studies", [row])
    run.archive.answer(f"/dicom-web/studies/{CT.uid}/series", [series_row(CT.uid, CT.series, "CT", text, text)])
    run.archive.answer(f"/dicom-web/studies/{CT.uid}/metadata", [row])
    allowed = await run.ask(METADATA)
    lines = (run.folder / "var/decisions.jsonl").read_bytes().split(b"\n")
    assert all(json.loads(line) for line in lines if line)
    assert b"\x1b" not in b"".join(lines)
    decision = run.about(allowed)[0]
    if allowed.status == 200:
        assert decision["input"]["studies"][0]["patient_id"] in {text, text.strip()}
        assert decision["input"]["studies"][0].get("description") in {text, text.strip(), None}
    assert decision["decision"]["allow"] is (allowed.status == 200)
    listed = await run.ask("/dicom-web/studies")
    assert listed.status == 200
    # A person without the role is refused, whatever the text says.
    denied = await run.ask(METADATA, "Accept: text/html,*/*", token=run.token("nobody"))
    assert denied.status in {403, 404}
    assert b"<script>alert" not in denied.body
    assert run.about(denied)[0]["decision"]["allow"] is False


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_names_of_people_and_roles_gain_nothing(run: Running, name: str) -> None:
    answer = await run.ask(METADATA, token=run.token(name, preferred_username=name))
    assert answer.status in {401, 403}
    (line,) = run.about(answer)
    assert line["decision"]["allow"] is False
    page = await run.ask(METADATA, "Accept: text/html,*/*", token=run.token(name, preferred_username=name))
    assert b"<script>alert" not in page.body
    assert b"\x1b" not in page.body
