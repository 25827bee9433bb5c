"""The archive behind everyone: nginx that serves files laid out as DICOMweb, whatever the query says."""

import gzip
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

_CT = "1.2.840.10008.5.1.4.1.1.2"
_PIXELS = 512 * 1024  # one slice: 512 x 512 of 16 bits
_BOUNDARY = "35b2d8c0-6d0a-5d1c-9a63-0f4ac3d0a1f0"  # as archives make them: of a UUID
_NAMESPACE = uuid.UUID("35b2d8c0-6d0a-5d1c-9a63-0f4ac3d0a1f0")
DICOM = f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}'
FRAMES = f'multipart/related; type="application/octet-stream"; boundary={_BOUNDARY}'
JSON = "application/dicom+json"


def uid(name: str) -> str:
    """Return the UID that stands for `name` in every run (PS3.5 section B.2); they have 44 characters or fewer."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, name).int}"


@dataclass(frozen=True, slots=True)
class Study:
    """One study of one CT series."""

    name: str
    slices: int

    @property
    def uid(self) -> str:
        return uid(self.name)

    @property
    def series(self) -> str:
        return uid(f"{self.name}/series")

    def instance(self, number: int) -> str:
        return uid(f"{self.name}/{number}")

    @property
    def path(self) -> str:
        return f"/dicom-web/studies/{self.uid}"

    @property
    def instance_path(self) -> str:
        return f"{self.path}/series/{self.series}/instances/{self.instance(0)}"


CHEST = Study("chest", 200)  # 100 MiB
LARGE = Study("large", 573)  # 300 MB
TRICKLE = Study("trickle", 8)  # 4 MiB, sent at _TRICKLE bytes a second: replies that stay open
_TRICKLE = 16 * 1024

ROWS = 100  # studies of a page of a search

METADATA = f"{CHEST.instance_path}/metadata"
LISTED = f"{CHEST.path}/metadata"  # 2 MB with two links an instance, sent as gzip
FRAME = f"{CHEST.instance_path}/frames/1"


def _part10(study: Study, number: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(_CT)
    meta.MediaStorageSOPInstanceUID = UID(study.instance(number))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = _CT, study.instance(number)
    dataset.StudyDate, dataset.Modality = "20260302", "CT"
    dataset.StudyDescription, dataset.PatientName, dataset.PatientID = "CT bench", "Bench^Phantom", "BENCH-1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study.uid, study.series
    dataset.InstanceNumber = str(number + 1)
    dataset.Rows = dataset.Columns = 512
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.SamplesPerPixel, dataset.PixelRepresentation = 15, 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    return dataset


def _row(study: Study, **more: tuple[str, Sequence[object]]) -> dict[str, object]:
    values: dict[str, tuple[str, Sequence[object]]] = {
        "00080020": ("DA", ["20260302"]),
        "00080061": ("CS", ["CT"]),
        "00080090": ("PN", [{"Alphabetic": "Bench^Referrer"}]),
        "00081030": ("LO", ["CT bench"]),
        "00100020": ("LO", ["BENCH-1"]),
        "00100021": ("LO", ["BENCH"]),
        "0020000D": ("UI", [study.uid]),
        **more,
    }
    return {tag: {"vr": vr, "Value": value} for tag, (vr, value) in sorted(values.items())}


def _series(study: Study) -> dict[str, object]:
    return _row(
        study,
        **{
            "00080060": ("CS", ["CT"]),
            "00080080": ("LO", ["Bench Hospital"]),
            "00180015": ("CS", ["CHEST"]),
            "0020000E": ("UI", [study.series]),
        },
    )


def _metadata(study: Study) -> bytes:
    """Return about 1 KiB of metadata of the first instance."""
    more: dict[str, tuple[str, Sequence[object]]] = {
        "00080016": ("UI", [_CT]),
        "00080018": ("UI", [study.instance(0)]),
        "00080060": ("CS", ["CT"]),
        "0020000E": ("UI", [study.series]),
        "00200013": ("IS", ["1"]),
        "00280010": ("US", [512]),
        "00280011": ("US", [512]),
    }
    return json.dumps([_row(study, **more)]).encode()


def _listed(study: Study, base: str) -> bytes:
    """Return the metadata of all instances of a study, some 10 KB each, whose links begin with `base`."""
    rows = []
    for number in range(study.slices):
        at = f"{base}{study.instance_path}".replace(study.instance(0), study.instance(number))
        row = _row(
            study, **{f"0018{tag:04X}": ("LO", [f"value {tag} of {number}"]) for tag in range(0x1000, 0x1000 + 160)}
        )
        row["00081190"] = {"vr": "UR", "Value": [at]}
        row["7FE00010"] = {"vr": "OW", "BulkDataURI": f"{at}/bulk/7fe00010"}
        rows.append(row)
    return json.dumps(rows, separators=(",", ":")).encode()


def write(folder: Path, base: str) -> list[tuple[str, Path, str]]:
    """Write everything below `folder`; return what is served: path, file, media type. `base` begins its links."""
    served: list[tuple[str, Path, str]] = []
    pixels = os.urandom(_PIXELS)

    def put(path: str, body: bytes, kind: str) -> None:
        file = folder / f"{len(served)}.bin"
        file.write_bytes(body)
        served.append((path, file, kind))

    put(LISTED, gzip.compress(_listed(CHEST, base)), JSON)
    for study in (CHEST, LARGE, TRICKLE):
        instances = [
            _row(study, **{"00080018": ("UI", [study.instance(n)]), "0020000E": ("UI", [study.series])})
            for n in range(study.slices)
        ]
        (folder / f"{study.uid}.json").write_text(json.dumps([_row(study)]))
        put(f"{study.path}/series", json.dumps([_series(study)]).encode(), JSON)
        put(f"{study.path}/series/{study.series}/instances", json.dumps(instances).encode(), JSON)
        put(f"{study.instance_path}/metadata", _metadata(study), JSON)
        put(f"{study.instance_path}/frames/1", _multipart("application/octet-stream", pixels), FRAMES)
        file = folder / f"{study.name}.dcm.parts"
        with file.open("wb") as out:
            for number in range(study.slices):
                header = BytesIO()
                _part10(study, number).save_as(header)
                out.write(_part("application/dicom", header.getvalue() + _pixel_element(pixels)))
            out.write(f"--{_BOUNDARY}--\r\n".encode())
        served.append((study.path, file, DICOM))
    page = [CHEST, *(Study(f"listed/{number}", 1) for number in range(1, ROWS))]
    for study in page[1:]:  # what is asked about each of them to judge the page
        (folder / f"{study.uid}.json").write_text(json.dumps([_row(study)]))
        put(f"{study.path}/series", json.dumps([_series(study)]).encode(), JSON)
    (folder / ".json").write_text(json.dumps([_row(study) for study in page]))  # of no study in particular
    return served


def _pixel_element(pixels: bytes) -> bytes:
    """Return (7FE0,0010) OW in explicit little endian (PS3.5 section 7.1.2)."""
    return b"\xe0\x7f\x10\x00OW\0\0" + len(pixels).to_bytes(4, "little") + pixels


def _part(kind: str, body: bytes) -> bytes:
    return f"--{_BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n".encode() + body + b"\r\n"


def _multipart(kind: str, body: bytes) -> bytes:
    return _part(kind, body) + f"--{_BOUNDARY}--\r\n".encode()


def configuration(folder: Path, port: int) -> str:
    """Write the files and return the configuration of nginx that serves them on 127.0.0.1:`port`."""
    more = {TRICKLE.path: f" limit_rate {_TRICKLE};", LISTED: " add_header Content-Encoding gzip;"}
    places = "\n".join(
        f"    location = {path} {{ alias {file}; default_type '{kind}';{more.get(path, '')} }}"
        for path, file, kind in write(folder, f"http://127.0.0.1:{port}")
    )
    return f"""\
  sendfile on; tcp_nopush on; types {{ }} default_type {JSON}; open_file_cache max=64 inactive=1h;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {folder};
    location = /dicom-web/studies {{ try_files /$arg_StudyInstanceUID.json =404; }}
{places}
  }}"""
