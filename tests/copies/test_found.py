import os
from pathlib import Path

import pytest

from leadglass.copies import found as module
from leadglass.copies.found import KINDS, kind_of, look
from leadglass.model.errors import ConfigurationError
from support.scans import IMPLICIT, export, scan, written


@pytest.mark.parametrize(
    ("beginning", "kind"),
    [
        (b"", "empty"),
        (bytes(128) + b"DICM", "dicom"),
        (written(scan())[:512], "dicom"),
        (written(scan(), IMPLICIT, b"MZ".ljust(128, b"\0"))[:512], "dicom"),
        (written(scan(SOPClassUID="1.2.840.10008.1.3.10"))[:512], "dicomdir"),
        (b"%PDF-1.4", "pdf"),
        (b"PK\x03\x04", "archive"),
        (b"\xff\xd8\xff\xe0", "picture"),
        (b"Dear colleague,", "document"),
        ("Liebe Kollegin, ä".encode()[:-1], "document"),
        (b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100", "bare"),
        (b"\x00\x01\x02", "unknown"),
    ],
)
def test_content_says_what_a_file_is(beginning: bytes, kind: str) -> None:
    assert kind_of(beginning) == kind
    assert kind == "dicom" or kind in KINDS


def test_all_that_lies_in_a_folder_is_found_in_order(tmp_path: Path) -> None:
    export(tmp_path / "in", slices=1, series=1)
    (tmp_path / "in/link").symlink_to(tmp_path / "in/DICOMDIR")
    os.mkfifo(tmp_path / "in/pipe")
    found = {one.name: one.kind for one in look(tmp_path / "in")}
    assert found == {
        "DICOMDIR": "dicomdir",
        "Mustermann_Aennchen/CT 1/IM0001": "dicom",
        "link": "link",
        "notes.txt": "document",
        "pipe": "special",
        "report Mustermann.pdf": "pdf",
    }
    assert list(found) == sorted(found)


def test_one_file_is_taken_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(written(scan()))
    assert [(one.name, one.kind, one.size) for one in look(tmp_path / "a")] == [
        ("a", "dicom", (tmp_path / "a").stat().st_size)
    ]


def test_what_is_not_there_or_too_much_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="there is no"):
        look(tmp_path / "nothing")
    export(tmp_path / "in")
    monkeypatch.setattr(module, "COPY_FILES", 3)
    with pytest.raises(ConfigurationError, match="more than 3 files"):
        look(tmp_path / "in")


def test_folders_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NESTING_FOLDERS", 2)
    (tmp_path / "a/b/c/d").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="nested deeper"):
        look(tmp_path)
