"""What each kind of archive can and cannot do, one file a kind: the only place that knows products apart.

Another kind is one more file, and one more name in `upstreams.*.kind`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from leadglass.codec.kinds.dcm4chee import DCM4CHEE
from leadglass.codec.kinds.generic import GENERIC
from leadglass.codec.kinds.kind import Kind
from leadglass.codec.kinds.orthanc import ORTHANC

__all__ = ["KINDS", "Kind"]

KINDS: Final[Mapping[str, Kind]] = MappingProxyType({kind.name: kind for kind in (ORTHANC, DCM4CHEE, GENERIC)})
