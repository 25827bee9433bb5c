"""dcm4chee-arc-light. All of this is from its documentation and its source as of version 5.35: it cannot be run here."""

from types import MappingProxyType
from typing import Final

from leadglass.codec.kinds.kind import Kind

DCM4CHEE: Final = Kind(
    name="dcm4chee",
    source="from documentation: dcm4chee-arc-light 5.35",
    # It builds links from the address as its server, WildFly, understands the request: by X-Forwarded-*, where told to.
    links="x-forwarded",
    uid_lists=True,  # commas split every value, and a UID key takes several values
    lists=",",
    # Its database gives rows in any order unless one is asked for.
    order=MappingProxyType({"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "instance": "SOPInstanceUID"}),
    lacks=frozenset(
        {
            "capabilities",
            "delete.series",
            "delete.instance",
            "npi.*",
            "orthanc.*",
            "storage-commitment.*",
            "ups-rs.events",  # its event channel is a WebSocket elsewhere
            *(
                f"wado-rs.{level}-{what}"
                for level in ("study", "series", "instance", "frames")
                for what in ("mpr", "3d")
            ),
        }
    ),
    bulk="bulkdata",
    viewer=MappingProxyType({"supportsFuzzyMatching": True, "supportsWildcard": True, "singlepart": "bulkdata,video"}),
    steady=False,
    head=None,
    ranges=False,  # but for video, by configuration
    quotes=True,
)
