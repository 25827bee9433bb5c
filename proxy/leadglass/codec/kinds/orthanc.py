"""Orthanc with its DICOMweb plugin. All of this was seen of Orthanc 1.10.1 with DICOMweb 1.7, which the system tests run."""

from types import MappingProxyType
from typing import Final

from leadglass.codec.kinds.kind import STANDARD, Kind

ORTHANC: Final = Kind(
    name="orthanc",
    source="seen: Orthanc 1.10.1, DICOMweb 1.7",
    # It breaks its links on the quoted form that RFC 7239 section 4 asks for where there is a port, and ignores X-Forwarded-*.
    links="unquoted",
    builds_links=True,
    uid_lists=True,
    lists=",",
    # With ModalitiesInStudy it takes as many matches as the limit says, and then leaves out as many as the offset says.
    from_first=frozenset({"00080061"}),
    # It hands query values to its plugin undecoded (`%5E` finds nothing, `^` does), so what its HTTP server lets through raw
    # is sent raw. A blank or an umlaut it cannot be asked for at all.
    unencoded=STANDARD + "^=",
    lacks=frozenset(
        {
            "capabilities",
            "delete.*",
            "npi.*",
            "storage-commitment.*",
            "ups-rs.*",
            *(
                f"wado-rs.{level}-{what}"
                for level in ("study", "series", "instance")
                for what in ("bulkdata", "pixeldata")
            ),
            *(
                f"wado-rs.{level}-{what}"
                for level in ("study", "series", "instance", "frames")
                for what in ("mpr", "3d")
            ),
        }
    ),
    versions=(("Orthanc", "/system"), ("DICOMweb", "/plugins/dicom-web")),
    thumbnails=False,
    bulk="bulk",
    single_parts=False,
    renders=("image/jpeg", "image/png"),
    # Bulk data and frames come as multipart alone, and it takes no notice of fuzzymatching.
    viewer=MappingProxyType({"supportsFuzzyMatching": False, "supportsWildcard": True}),
    steady=True,
    head=False,
    ranges=False,
    quotes=True,
)
