"""The fixture itself: what it stores is what it answers, and dcmtk can seed it too."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from support.orthanc import Orthanc
from support.studies import instance

pytestmark = pytest.mark.system


def test_seeds_are_there(orthanc: Orthanc) -> None:
    status, _, body = orthanc.request("GET", "/dicom-web/studies?includefield=00081030")
    assert status == 200
    found = {row["0020000D"]["Value"][0] for row in json.loads(body)}
    assert {study.uid for study in orthanc.studies.values()} <= found


def test_storescu_seeds(orthanc: Orthanc, tmp_path: Path) -> None:
    storescu = shutil.which("storescu")
    if storescu is None:
        pytest.skip("needs storescu (Debian: dcmtk)")
    uid = "1.2.826.0.1.3680043.10.1491.77"
    path = tmp_path / "one.dcm"
    path.write_bytes(instance(study=uid, series=f"{uid}.1", sop=f"{uid}.1.1"))
    subprocess.run(
        [storescu, "-aec", orthanc.ae_title, orthanc.host, str(orthanc.dicom_port), str(path)],
        check=True,
        timeout=30,
        capture_output=True,
    )
    status, _, body = orthanc.request("GET", f"/dicom-web/studies/{uid}/series")
    assert status == 200
    assert json.loads(body)[0]["0020000E"]["Value"] == [f"{uid}.1"]
