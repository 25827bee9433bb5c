"""An archive's second door for tests: rows as Orthanc gives them, counted, and slow or broken when told."""

import asyncio
from collections.abc import Sequence
from typing import Any

from leadglass.model.errors import FactsUnavailable


def element(vr: str, *values: object) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}


def study_row(uid: str, *, patient_id: str = "P001", modalities: Sequence[str] = ("CT",)) -> dict[str, Any]:
    return {
        "0020000D": element("UI", uid),
        "00100020": element("LO", patient_id),
        "00100021": element("LO", "DEMO"),
        "00080020": element("DA", "20260102"),
        "00081030": element("LO", "CT chest"),
        "00080090": element("PN", {"Alphabetic": "Referring^Demo"}),
        "00080061": element("CS", *modalities),
    }


def series_row(
    study: str, uid: str | None = None, modality: str = "CT", body_part: str = "", institution: str = ""
) -> dict[str, Any]:
    row = {
        "0020000D": element("UI", study),
        "0020000E": element("UI", uid or f"{study}.1"),
        "00080060": element("CS", modality),
    }
    if body_part:
        row["00180015"] = element("CS", body_part)
    if institution:
        row["00080080"] = element("LO", institution)
    return row


def instance_row(study: str, series: str, uid: str) -> dict[str, Any]:
    return {
        "0020000D": element("UI", study),
        "0020000E": element("UI", series),
        "00080018": element("UI", uid),
    }


class FakeDoor:
    """Holds rows by study and by series. `calls` names every query; `down` refuses queries by name."""

    def __init__(self) -> None:
        self.study_rows: list[dict[str, Any]] = []
        self.series_rows: list[dict[str, Any]] = []
        self.instance_rows: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.down: set[str] = set()
        self.gate: asyncio.Event | None = None
        self.asked = asyncio.Event()

    def add(self, study: str, *, modality: str = "CT", patient_id: str = "P001", instances: int = 2) -> None:
        series = f"{study}.1"
        self.study_rows.append(study_row(study, patient_id=patient_id, modalities=[modality]))
        self.series_rows.append(series_row(study, series, modality))
        self.instance_rows += (instance_row(study, series, f"{series}.{n}") for n in range(1, instances + 1))

    async def _answer(self, name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.calls.append(name)
        self.asked.set()
        if self.gate is not None:
            await self.gate.wait()
        if name.partition(" ")[0] in self.down:
            raise FactsUnavailable(f"{name}: down")
        return rows

    async def people(self, uids: Sequence[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        mine = [
            [row for row in rows if row["0020000D"]["Value"][0] in uids] for rows in (self.study_rows, self.series_rows)
        ]
        return await self._answer(f"people {','.join(uids)}", mine[0]), mine[1]

    async def pictures(self, study: str, series: str | None = None) -> list[dict[str, Any]]:
        rows = [
            row
            for row in self.instance_rows
            if row["0020000D"]["Value"] == [study] and series in {None, row["0020000E"]["Value"][0]}
        ]
        return await self._answer(f"pictures {study} {series or ''}".rstrip(), rows)

    async def studies(self, uids: Sequence[str]) -> list[dict[str, Any]]:
        rows = [row for row in self.study_rows if row["0020000D"]["Value"][0] in uids]
        return await self._answer(f"studies {','.join(uids)}", rows)

    async def series(self, uids: Sequence[str]) -> list[dict[str, Any]]:
        rows = [row for row in self.series_rows if row["0020000D"]["Value"][0] in uids]
        return await self._answer(f"series {','.join(uids)}", rows)

    async def instances(self, study: str, series: str) -> list[dict[str, Any]]:
        rows = [row for row in self.instance_rows if row["0020000E"]["Value"][0] == series]
        return await self._answer(f"instances {study} {series}", rows)

    async def instance_anywhere(self, instance: str) -> list[dict[str, Any]]:
        rows = [row for row in self.instance_rows if row["00080018"]["Value"][0] == instance]
        return await self._answer(f"anywhere {instance}", rows)

    async def workitem(self, uid: str) -> list[dict[str, Any]]:
        return await self._answer(f"workitem {uid}", [])
