"""Traces over a real Orthanc: its own errors and links are full of UIDs, and none of them leaves."""

from pathlib import Path

import pytest

from support.gateway import CT, MR, multipart
from support.orthanc import Orthanc
from support.studies import instance
from support.traced import leaks, patients, traced

pytestmark = pytest.mark.system

NEW = "1.2.826.0.1.3680043.10.1491.900"
SERIES = f"/dicom-web/studies/{CT.uid}/series/{CT.series}"
INSTANCE = f"{SERIES}/instances/{CT.instances[0].sop}"
WADO = f"/wado?requestType=WADO&studyUID={CT.uid}&seriesUID={CT.series}&objectUID={CT.instances[0].sop}"
TARGETS = {
    f"{SERIES}/metadata": 200,
    INSTANCE: 200,
    f"{INSTANCE}/frames/1": 200,
    f"{INSTANCE}/frames/99": 400,
    f"{INSTANCE}/rendered": 200,
    f"{WADO}&contentType=application/dicom": 200,
    "/dicom-web/studies?PatientName=Demo*&PatientID=P001": 200,
    f"/dicom-web/studies/{CT.uid}/instances": 200,
    f"/dicom-web/studies/{MR.uid}/metadata": 404,
    f"/dicom-web/studies/{NEW}.404/metadata": 404,
    f"{SERIES}/instances/{MR.instances[0].sop}": 404,
}


async def test_no_trace_over_orthanc_identifies_anybody(tmp_path: Path, orthanc: Orthanc) -> None:
    async with traced(tmp_path, "sample: 1, propagate: true", upstream=orthanc.url, kind="orthanc") as (run, kept):
        answers = {target: await run.ask(target) for target in TARGETS}
        part = instance(study=NEW, series=f"{NEW}.1", sop=f"{NEW}.1.1", patient_name="Stored^Newly", patient_id="P900")
        kind, body = multipart(part)
        token = run.token("technologist")
        stored = await run.ask("/dicom-web/studies", kind, method="POST", token=token, body=body)
        ids = [one.decision_id for one in (*answers.values(), stored)]
        traces = {target: await kept.exchange(answer.decision_id) for target, answer in answers.items()}
        await kept.exchange(stored.decision_id)
    assert {target: answer.status for target, answer in answers.items()} == TARGETS
    assert stored.status == 200, stored.body
    asked = [span for spans in traces.values() for span in spans if span.kind == 3]
    assert {span.attributes["leadglass.traffic"] for span in asked} == {"facts", "interactive", "bulk"}
    assert {span.attributes["leadglass.upstream"] for span in asked} == {"main"}
    known = [*patients(), NEW, "Stored^Newly", "P900", *token.split("."), run.agent.id]
    assert leaks(kept, known, ids) == {}
