"""`app-config.js` for OHIF, as this deployment needs it: the gateway's DICOMweb roots on the viewer's own origin.

No token and no address of the archive is in it: the session's cookie goes with every request by itself.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from leadglass.codec.kinds import KINDS

# The gateway may have several origins; the viewer uses the one it was opened under.
_SCRIPT: Final = b"""\
// Written by the gateway for this deployment; app-config.local.js beside index.html follows it.
window.config = %b;
for (const { configuration } of window.config.dataSources) {
  for (const root of ['qidoRoot', 'wadoRoot', 'wadoUriRoot']) configuration[root] = location.origin + configuration[root];
}
"""
_DEFAULT: Final = "dicomweb"
_MODULE: Final = "@ohif/extension-default.dataSourcesModule.dicomweb"


class Root(NamedTuple):
    """What a viewer needs to know of one archive: its name, the gateway's paths for its two services, and its kind."""

    name: str
    dicomweb: str
    wado: str
    kind: str


def _source(source: str, root: Root, title: str) -> dict[str, Any]:
    configuration = {
        "friendlyName": title,
        "name": source,
        "qidoRoot": root.dicomweb,
        "wadoRoot": root.dicomweb,
        "wadoUriRoot": root.wado,
        "qidoSupportsIncludeField": True,
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "omitQuotationForMultipartRequest": False,
        "bulkDataURI": {"enabled": True},
        "dicomUploadEnabled": False,
        **KINDS[root.kind].viewer,
    }
    return {"namespace": _MODULE, "sourceName": source, "configuration": configuration}


def app_config(mount: str, roots: Sequence[Root]) -> bytes:
    """Return the script. `mount` is the path of the viewer; it opens the first of the archives by itself."""
    first, *others = roots
    # The first keeps its name when others join it, because links into a viewer name it.
    default = _DEFAULT if all(root.name != _DEFAULT for root in others) else first.name
    titles = (first.name, *(root.name for root in others)) if others else ("Leadglass",)
    names = (default, *(root.name for root in others))
    config = {
        "routerBasename": mount,
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "showStudyList": True,
        "showWarningMessageForCrossOrigin": False,
        "showCPUFallbackMessage": True,
        "showLoadingIndicator": True,
        "showErrorDetails": "production",
        "strictZSpacingForVolumeViewport": True,
        "maxNumberOfWebWorkers": 3,
        "maxNumRequests": {"interaction": 100, "thumbnail": 75, "prefetch": 25},
        "defaultDataSourceName": default,
        "dataSources": [_source(*one) for one in zip(names, roots, titles, strict=True)],
    }
    return _SCRIPT % orjson.dumps(config, option=orjson.OPT_INDENT_2)
