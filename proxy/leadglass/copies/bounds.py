"""Bounds of runs at the desk, each with its precedent. Those of the gateway, which hold here too, are in `leadglass.limits`."""

from typing import Final

from leadglass.limits import KIB, MIB

COPY_FILES: Final = 5_000_000  # in one run; a large archive has some 10**9 instances, a project takes 10**5
NESTING_FOLDERS: Final = 64  # exports have study, series and file: 3 to 6
COPY_PIECE_BYTES: Final = 1 * MIB  # read at once
COPY_JOURNAL_BYTES: Final = 4 * 1024 * MIB  # a file takes some 300 bytes of it
COPY_PATIENTS: Final = 1_000  # whose pseudonyms are at hand; files come sorted, patient by patient
REPORT_PICTURES: Final = 200  # series shown in a report, each some 20 KiB
REPORT_PICTURE_SIDE: Final = 256  # pixels of the longer side; thumbnails of viewers have 128 to 256
SCAN_VALUES: Final = 2_000_000  # of originals that are looked for; one study of a thousand slices has some 1,100
SCAN_FINDINGS: Final = 100_000  # listed; beyond them they are counted
JOURNAL_HEAD_BYTES: Final = 4 * KIB  # its first line has some 200
