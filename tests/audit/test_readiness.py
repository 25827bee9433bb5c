"""Who would notice: counted once a request, by reason, person and viewer, over rotated files and within bounds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from leadglass.audit import readiness as module
from leadglass.audit.chain import segments
from leadglass.audit.readiness import OTHERS, readiness
from leadglass.model.reasons import Code
from support.observed import ObservedSite


def told(tallies: Mapping[str, Any]) -> dict[str, tuple[int, int, int]]:
    return {name.split(" (https")[0]: (one.requests, one.refused, one.hidden) for name, one in tallies.items()}


async def test_a_morning(tmp_path: Path) -> None:
    site = ObservedSite(tmp_path)
    first = await site.ask()
    for _ in range(3):
        await site.ask(leased_from=first)
    await site.ask(Code.DEVICE_REQUIRED, Code.NOT_GRANTED, who="dr.b", viewer="Weasis")
    await site.ask(Code.DEVICE_REQUIRED, who="dr.b", viewer="Weasis")
    await site.ask(who="dr.b")
    await site.ask(who="dr.c", rows=True, viewer="")
    await site.ask(who=None, viewer="")
    await site.audit.close()
    report = readiness(site.file)
    assert report.requests == 9
    assert told(report.people) == {
        "dr.a": (4, 0, 0), "dr.b": (3, 2, 0), "dr.c": (1, 0, 1), "nobody at 192.0.2.7": (1, 1, 0),
    }  # fmt: skip
    assert told(report.viewers) == {"OHIF": (5, 0, 0), "Weasis": (2, 2, 0), "(says nothing of itself)": (2, 1, 1)}
    assert {verdict: [one.name.split(" (")[0] for one in report.of(verdict)] for verdict in ("ready", "rows", "refused")} == {
        "ready": ["dr.a"], "rows": ["dr.c"], "refused": ["dr.b", "nobody at 192.0.2.7"],
    }  # fmt: skip
    required = report.reasons[Code.DEVICE_REQUIRED]
    assert (required.requests, list(required.viewers), list(required.devices)) == (2, ["Weasis"], ["dev-1"])
    assert required.params == {"count": "2"}
    assert required.first < required.last
    dr_b = next(one for name, one in report.people.items() if name.startswith("dr.b"))
    assert dr_b.reasons == {Code.DEVICE_REQUIRED: 2, Code.NOT_GRANTED: 1}
    assert dr_b.first < dr_b.last_refused < dr_b.last
    assert "P001" not in str(report), "patients are none of it"


async def test_a_request_that_is_judged_again_and_again_is_one(tmp_path: Path) -> None:
    site = ObservedSite(tmp_path)
    await site.ask(Code.NOT_GRANTED, times=5)
    await site.audit.close()
    report = readiness(site.file)
    assert (report.requests, report.reasons[Code.NOT_GRANTED].requests) == (1, 1)
    assert told(report.people) == {"dr.a": (1, 1, 0)}


async def test_what_was_refused_in_earnest_is_none_of_it(tmp_path: Path) -> None:
    site = ObservedSite(tmp_path)
    await site.ask(Code.NOT_GRANTED, enforcing=True)
    await site.ask(enforcing=True)
    await site.audit.close()
    assert readiness(site.file).requests == 0


async def test_a_time_is_a_part_of_it_and_a_change_of_policy_is_told(tmp_path: Path) -> None:
    site = ObservedSite(tmp_path)
    await site.ask(Code.NOT_GRANTED)
    middle = site.clock.now() + 30
    await site.ask(revision="r2")
    await site.audit.close()
    whole, late, early = readiness(site.file), readiness(site.file, middle), readiness(site.file, None, middle)
    assert (whole.requests, whole.revisions, whole.revision) == (2, 2, "r2")
    assert (late.requests, len(late.of("refused"))) == (1, 0)
    assert (early.requests, len(early.of("refused"))) == (1, 1)
    assert whole.revised == late.first


async def test_rotated_files_and_lines_that_cannot_be_read(tmp_path: Path) -> None:
    site = ObservedSite(tmp_path, rotate="64 KiB")
    for _ in range(80):
        await site.ask(Code.NOT_GRANTED)
    await site.audit.close()
    assert len(segments(site.file)) > 1
    with site.file.open("ab") as stream:
        for line in (
            b'"observed":"',
            b'["observed":"allow"]',
            b'["\\"observed\\":\\""]',
            b'{"type":"use","leased_from":[]}',
        ):
            stream.write(line + b"\n")
        stream.write(
            orjson.dumps({"type": "decision", "observed": "refuse", "decision": {"reasons": 5, "rows": [3]}}) + b"\n"
        )
    seen: list[int] = []
    report = readiness(site.file, progress=seen.append)
    assert report.reasons[Code.NOT_GRANTED].requests == 80
    assert sum(seen) == sum(path.stat().st_size for path in segments(site.file))


async def test_names_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READINESS_NAMES", 3)
    monkeypatch.setattr(module, "READINESS_EACH", 2)
    site = ObservedSite(tmp_path)
    for number in range(9):
        await site.ask(Code.NOT_GRANTED, who=f"dr.{number}", viewer=f"v{number}")
    await site.audit.close()
    report = readiness(site.file)
    for names in (report.people, report.viewers):
        assert len(names) == 4
        assert names[OTHERS].requests == 6
    assert report.reasons[Code.NOT_GRANTED].people[OTHERS] == 6
    assert sum(one.requests for one in report.people.values()) == report.requests == 9
