"""Every transaction of PS3.18 as one table, and the addresses that archives add to it.

What has no row does not exist (403 `route-unknown`). Rows after the second rule are off until an administrator
names them under `upstreams.*.enable`. A new transaction is one more row.
"""

from typing import Final

from leadglass.codec.accept import JSON, Offers, related
from leadglass.codec.routes.row import Route

_S: Final = "/studies/{study}"
_E: Final = _S + "/series/{series}"
_I: Final = _E + "/instances/{instance}"
_F: Final = _I + "/frames/{frames}"

_FRAME_TYPES = (
    "application/octet-stream",
    "image/jpeg",
    "image/jls",
    "image/jp2",
    "image/jpx",
    "image/jphc",
    "image/jxl",
    "image/dicom-rle",
    "image/x-dicom-rle",
    "image/x-jls",
    "video/mpeg",
    "video/mp4",
    "video/h265",
)
_DOCUMENT_TYPES = ("application/pdf", "text/xml", "model/stl", "model/obj", "model/mtl")
_RENDERED_TYPES = ("image/jpeg", "image/png", "image/gif", "image/jp2", "video/mpeg", "video/mp4", "video/h265")

# Rows that are judged are read, so they come as JSON alone: XML asked for alone is a 406.
_ROWS = Offers((JSON,))
_DICOM = Offers((related("application/dicom"),))
_FRAMES = Offers((*map(related, _FRAME_TYPES), *_FRAME_TYPES))
_PIXELS = Offers(tuple(map(related, _FRAME_TYPES)))
_BULK = Offers((*map(related, _FRAME_TYPES), *_FRAME_TYPES, *_DOCUMENT_TYPES))
_RENDERED = Offers((*_RENDERED_TYPES, "text/html", "text/plain", "application/pdf"))
_THUMBNAIL = Offers(("image/jpeg", "image/png", "image/gif"))
_VOLUME = Offers((*_RENDERED_TYPES,))
_OBJECT = Offers(("application/dicom",))
_WORKLIST = Offers((JSON, related("application/dicom+xml"), "application/dicom+xml"))
_PLAIN_JSON = Offers(("application/json",))
_ANY = Offers(())

_DICOM_PARTS = (related("application/dicom"),)
_DATASET = (JSON, "application/dicom+xml")
_ROW = (JSON,)
_JSON_BODY = ("application/json",)

# fmt: off
_SEARCH: Final = (
    Route("qido-rs.studies", "GET", "/studies", "search", "study", "Search for studies", _ROWS, "search", "rows"),
    Route("qido-rs.study-series", "GET", _S + "/series", "search", "series", "Search for series of a study", _ROWS, "search", "rows"),
    Route("qido-rs.study-instances", "GET", _S + "/instances", "search", "instance", "Search for instances of a study", _ROWS, "search", "rows"),
    Route("qido-rs.series", "GET", "/series", "search", "series", "Search for series of all studies", _ROWS, "search", "rows"),
    Route("qido-rs.series-instances", "GET", _E + "/instances", "search", "instance", "Search for instances of a series", _ROWS, "search", "rows"),
    Route("qido-rs.instances", "GET", "/instances", "search", "instance", "Search for instances of all studies", _ROWS, "search", "rows"),
)

_RETRIEVE: Final = (
    Route("wado-rs.study", "GET", _S, "retrieve", "study", "Retrieve the instances of a study", _DICOM, traffic="bulk"),
    Route("wado-rs.series", "GET", _E, "retrieve", "series", "Retrieve the instances of a series", _DICOM, traffic="bulk"),
    Route("wado-rs.instance", "GET", _I, "retrieve", "instance", "Retrieve an instance", _DICOM, traffic="bulk"),
    Route("wado-rs.study-metadata", "GET", _S + "/metadata", "retrieve", "study", "Retrieve the attributes of a study", _ROWS),
    Route("wado-rs.series-metadata", "GET", _E + "/metadata", "retrieve", "series", "Retrieve the attributes of a series", _ROWS),
    Route("wado-rs.instance-metadata", "GET", _I + "/metadata", "retrieve", "instance", "Retrieve the attributes of an instance", _ROWS),
    Route("wado-rs.study-bulkdata", "GET", _S + "/bulkdata", "retrieve", "study", "Retrieve the bulk data of a study", _BULK, traffic="bulk"),
    Route("wado-rs.series-bulkdata", "GET", _E + "/bulkdata", "retrieve", "series", "Retrieve the bulk data of a series", _BULK, traffic="bulk"),
    Route("wado-rs.instance-bulkdata", "GET", _I + "/bulkdata", "retrieve", "instance", "Retrieve the bulk data of an instance", _BULK, traffic="bulk"),
    Route("wado-rs.bulkdata", "GET", _I + "/bulk/{attribute}", "retrieve", "bulkdata", "Retrieve one attribute (BulkDataURI of Orthanc)", _BULK),
    Route("wado-rs.bulkdata", "GET", _I + "/bulkdata/{attribute}", "retrieve", "bulkdata", "Retrieve one attribute (BulkDataURI of dcm4chee)", _BULK),
    Route("wado-rs.bulkdata", "GET", _I + "/handles/{name}", "retrieve", "bulkdata", "Retrieve one attribute (BulkDataURI of a research view)", _BULK),
    Route("wado-rs.study-pixeldata", "GET", _S + "/pixeldata", "retrieve", "study", "Retrieve the pixel data of a study", _PIXELS, traffic="bulk"),
    Route("wado-rs.series-pixeldata", "GET", _E + "/pixeldata", "retrieve", "series", "Retrieve the pixel data of a series", _PIXELS, traffic="bulk"),
    Route("wado-rs.instance-pixeldata", "GET", _I + "/pixeldata", "retrieve", "instance", "Retrieve the pixel data of an instance", _PIXELS, traffic="bulk"),
    Route("wado-rs.frames", "GET", _F, "retrieve", "frames", "Retrieve frames", _FRAMES),
)

_RENDER: Final = (
    Route("wado-rs.study-rendered", "GET", _S + "/rendered", "render", "study", "Render a study", _RENDERED, "render", traffic="bulk"),
    Route("wado-rs.series-rendered", "GET", _E + "/rendered", "render", "series", "Render a series", _RENDERED, "render", traffic="bulk"),
    Route("wado-rs.instance-rendered", "GET", _I + "/rendered", "render", "instance", "Render an instance", _RENDERED, "render"),
    Route("wado-rs.frames-rendered", "GET", _F + "/rendered", "render", "frames", "Render frames", _RENDERED, "render"),
    Route("wado-rs.study-thumbnail", "GET", _S + "/thumbnail", "render", "study", "Thumbnail of a study", _THUMBNAIL, "thumbnail"),
    Route("wado-rs.series-thumbnail", "GET", _E + "/thumbnail", "render", "series", "Thumbnail of a series", _THUMBNAIL, "thumbnail"),
    Route("wado-rs.instance-thumbnail", "GET", _I + "/thumbnail", "render", "instance", "Thumbnail of an instance", _THUMBNAIL, "thumbnail"),
    Route("wado-rs.frames-thumbnail", "GET", _F + "/thumbnail", "render", "frames", "Thumbnail of frames", _THUMBNAIL, "thumbnail"),
    Route("wado-rs.study-mpr", "GET", _S + "/renderedmpr", "render", "study", "Multiplanar view of a study", _VOLUME, "volume"),
    Route("wado-rs.series-mpr", "GET", _E + "/renderedmpr", "render", "series", "Multiplanar view of a series", _VOLUME, "volume"),
    Route("wado-rs.instance-mpr", "GET", _I + "/renderedmpr", "render", "instance", "Multiplanar view of an instance", _VOLUME, "volume"),
    Route("wado-rs.frames-mpr", "GET", _F + "/renderedmpr", "render", "frames", "Multiplanar view of frames", _VOLUME, "volume"),
    Route("wado-rs.study-3d", "GET", _S + "/rendered3d", "render", "study", "Volume view of a study", _VOLUME, "volume"),
    Route("wado-rs.series-3d", "GET", _E + "/rendered3d", "render", "series", "Volume view of a series", _VOLUME, "volume"),
    Route("wado-rs.instance-3d", "GET", _I + "/rendered3d", "render", "instance", "Volume view of an instance", _VOLUME, "volume"),
    Route("wado-rs.frames-3d", "GET", _F + "/rendered3d", "render", "frames", "Volume view of frames", _VOLUME, "volume"),
)

# At the second mount, one address for both: `contentType` tells the object from its picture.
WADO_OBJECT: Final = Route("wado-uri.object", "GET", "", "retrieve", "instance", "Retrieve an object (contentType=application/dicom)", _OBJECT, "wado-uri", traffic="bulk")
WADO_RENDERED: Final = Route("wado-uri.rendered", "GET", "", "render", "instance", "Render an object (any other contentType)", _RENDERED, "wado-uri")

# At the mounts of `static:`, relative to each. Files hold no patient data; who may have them is a decision all the same.
STATIC_FILE: Final = Route("static.file", "GET", "/{rest}", "retrieve", "file", "A file of a viewer", _ANY, judged="file")

_STORE: Final = (
    Route("stow-rs.store", "POST", "/studies", "store", "study", "Store instances", _ROWS, judged="parts", takes=_DICOM_PARTS),
    Route("stow-rs.store", "POST", _S, "store", "study", "Store instances into a study", _ROWS, judged="parts", takes=_DICOM_PARTS),
)

# --- off unless enabled by name -----------------------------------------------------------------------------------

_DELETE: Final = (
    Route("delete.study", "DELETE", _S, "delete", "study", "Delete a study", on=False),
    Route("delete.series", "DELETE", _E, "delete", "series", "Delete a series", on=False),
    Route("delete.instance", "DELETE", _I, "delete", "instance", "Delete an instance", on=False),
)

_CAPABILITIES: Final = (
    Route("capabilities", "OPTIONS", "", "manage", "capabilities", "Capabilities of the archive", _ANY, judged="none", on=False),
    Route("capabilities", "OPTIONS", "/studies", "manage", "capabilities", "Capabilities of the studies service", _ANY, judged="none", on=False),
    Route("capabilities", "OPTIONS", "/workitems", "manage", "capabilities", "Capabilities of the worklist service", _ANY, judged="none", on=False),
)

_UPS: Final = (
    Route("ups-rs.create", "POST", "/workitems", "update", "workitem", "Create a workitem", _ANY, "uid", "workitem", takes=_ROW, on=False),
    Route("ups-rs.search", "GET", "/workitems", "search", "workitem", "Search for workitems", _ROWS, "search", "worklist", on=False),
    Route("ups-rs.retrieve", "GET", "/workitems/{uid}", "retrieve", "workitem", "Retrieve a workitem", _ROWS, judged="workitem", on=False),
    Route("ups-rs.update", "POST", "/workitems/{uid}", "update", "workitem", "Update a workitem", _ANY, "uid", "workitem", takes=_ROW, on=False),
    Route("ups-rs.state", "PUT", "/workitems/{uid}/state", "update", "workitem", "Change the state of a workitem", _ANY, judged="workitem", takes=_ROW, on=False),
    Route("ups-rs.cancel", "POST", "/workitems/{uid}/cancelrequest", "update", "workitem", "Ask to cancel a workitem", _ANY, judged="workitem", takes=_ROW, on=False),
    Route("ups-rs.subscribe", "POST", "/workitems/{uid}/subscribers/{aet}", "subscribe", "workitem", "Subscribe to a workitem", _ANY, "subscription", "workitem", on=False),
    Route("ups-rs.unsubscribe", "DELETE", "/workitems/{uid}/subscribers/{aet}", "subscribe", "workitem", "Unsubscribe from a workitem", _ANY, judged="workitem", on=False),
    Route("ups-rs.suspend", "POST", "/workitems/{uid}/subscribers/{aet}/suspend", "subscribe", "worklist", "Suspend a subscription to the worklist", _ANY, judged="none", on=False),
    Route("ups-rs.events", "GET", "/subscribers/{aet}", "subscribe", "workitem", "Open the event channel (a WebSocket)", _ANY, judged="channel", on=False),
)
# At the addresses of a subscription, where the UID is that of the worklist (PS3.18 table 11.10.1-1).
WORKLIST_SUBSCRIBE: Final = Route("ups-rs.subscribe-worklist", "POST", "/workitems/{uid}/subscribers/{aet}", "subscribe", "worklist", "Subscribe to all workitems (1.2.840.10008.5.1.4.34.5), or to those that match a filter (1.2.840.10008.5.1.4.34.5.1)", _ANY, "subscription", "none", on=False)
WORKLIST_UNSUBSCRIBE: Final = Route("ups-rs.unsubscribe-worklist", "DELETE", "/workitems/{uid}/subscribers/{aet}", "subscribe", "worklist", "Unsubscribe from these", _ANY, judged="none", on=False)

# Inventories carry patient data (PS3.18 section 12): they are as little public as studies.
_NPI: Final = tuple(
    route
    for service in ("color-palettes", "defined-procedure-protocols", "hanging-protocols", "implant-templates", "inventories")
    for route in (
        Route("npi.search", "GET", f"/{service}", "search", service, f"Search for {service}", _WORKLIST, "search", "none", on=False),
        Route("npi.retrieve", "GET", f"/{service}/{{uid}}", "retrieve", service, f"Retrieve one of {service}", _DICOM, judged="none", on=False),
        Route("npi.store", "POST", f"/{service}", "store", service, f"Store into {service}", _ANY, judged="none", takes=_DICOM_PARTS, on=False),
    )
)

_COMMITMENT: Final = (
    Route("storage-commitment.request", "POST", "/commitment-requests/{uid}", "store", "commitment", "Request storage commitment", _WORKLIST, judged="none", takes=_DATASET, on=False),
    Route("storage-commitment.result", "GET", "/commitment-requests/{uid}", "retrieve", "commitment", "Result of a storage commitment request", _WORKLIST, judged="none", on=False),
)

# Orthanc's DICOMweb plugin also is a client of other servers, whose images would leave or enter past the policy.
_ORTHANC: Final = (
    Route("orthanc.servers", "GET", "/servers", "manage", "server", "List the servers Orthanc knows", _PLAIN_JSON, judged="none", on=False),
    Route("orthanc.server", "GET", "/servers/{name}", "manage", "server", "What a server can be asked", _PLAIN_JSON, judged="none", on=False),
    Route("orthanc.server-write", "PUT", "/servers/{name}", "manage", "server", "Add or change a server", _ANY, judged="none", takes=_JSON_BODY, on=False),
    Route("orthanc.server-delete", "DELETE", "/servers/{name}", "manage", "server", "Forget a server", _ANY, judged="none", on=False),
    Route("orthanc.server-get", "POST", "/servers/{name}/get", "manage", "server", "Make Orthanc send a GET", _ANY, judged="none", takes=_JSON_BODY, on=False),
    Route("orthanc.server-qido", "POST", "/servers/{name}/qido", "manage", "server", "Make Orthanc search a server", _PLAIN_JSON, judged="none", takes=_JSON_BODY, on=False),
    Route("orthanc.server-wado", "POST", "/servers/{name}/wado", "manage", "server", "Make Orthanc retrieve from a server", _PLAIN_JSON, judged="none", takes=_JSON_BODY, on=False),
    Route("orthanc.server-retrieve", "POST", "/servers/{name}/retrieve", "manage", "server", "Make Orthanc retrieve from a server", _PLAIN_JSON, judged="none", takes=_JSON_BODY, on=False),
    Route("orthanc.server-stow", "POST", "/servers/{name}/stow", "export", "server", "Make Orthanc send to a server", _PLAIN_JSON, judged="none", takes=_JSON_BODY, on=False),
    Route("orthanc.server-store-delete", "POST", "/servers/{name}/delete", "manage", "server", "Make Orthanc delete on a server", _ANY, judged="none", takes=_JSON_BODY, on=False),
    Route("orthanc.app", "GET", "/app/{rest}", "manage", "app", "Orthanc's own DICOMweb page", _ANY, judged="none", on=False),
)
# fmt: on

WADO_URI: Final = (WADO_OBJECT, WADO_RENDERED)
WORKLISTS: Final = {"ups-rs.subscribe": WORKLIST_SUBSCRIBE, "ups-rs.unsubscribe": WORKLIST_UNSUBSCRIBE}
DICOMWEB: Final = (
    *_SEARCH,
    *_RETRIEVE,
    *_RENDER,
    *_STORE,
    *_DELETE,
    *_CAPABILITIES,
    *_UPS,
    *_NPI,
    *_COMMITMENT,
    *_ORTHANC,
)
ROUTES: Final = (*DICOMWEB, *WORKLISTS.values(), *WADO_URI, STATIC_FILE)
