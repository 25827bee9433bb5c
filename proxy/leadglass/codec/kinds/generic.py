"""Any other DICOMweb server: nothing is taken for granted, so everything is asked for in the way that all of them know."""

from types import MappingProxyType
from typing import Final

from leadglass.codec.kinds.kind import Kind

GENERIC: Final = Kind(
    name="generic",
    source="PS3.18 and RFC 7239; the demo's archive",
    links="quoted",
    viewer=MappingProxyType({"supportsFuzzyMatching": False, "supportsWildcard": True}),
)
