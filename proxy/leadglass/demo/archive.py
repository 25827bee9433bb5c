"""A small DICOMweb archive for the tour, for machines on which no Orthanc is installed.

Enough of PS3.18 for a viewer to browse and read: QIDO-RS, WADO-RS (study, series, instance, metadata, frames),
WADO-URI and STOW-RS, all in memory. Like the archives it stands for it checks nobody; it listens on loopback alone.
"""

import io
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable

import orjson
import pydicom
from aiohttp import BodyPartReader, web
from pydicom.dataset import FileDataset

from leadglass.limits import KIB, MIB

_STUDY = (
    "00080020",
    "00080030",
    "00080050",
    "00080090",
    "00081030",
    "00100010",
    "00100020",
    "00100021",
    "00100030",
    "00100040",
    "0020000D",
    "00200010",
)
_SERIES = ("00080060", "0008103E", "00180015", "00080080", "0020000E", "00200011")
_INSTANCE = ("00080016", "00080018", "00200013", "00280010", "00280011", "00280008")
_LEVELS = {"studies": _STUDY, "series": (*_STUDY, *_SERIES), "instances": (*_STUDY, *_SERIES, *_INSTANCE)}
_KEYS = {"studies": "StudyInstanceUID", "series": "SeriesInstanceUID", "instances": "SOPInstanceUID"}
_ID = re.compile(r"[0-9.]+")


class Archive:
    """Instances by SOP Instance UID, and the aiohttp application that answers for them."""

    def __init__(self, instances: Iterable[bytes]) -> None:
        self._files: dict[str, bytes] = {}
        self._headers: dict[str, FileDataset] = {}
        for instance in instances:
            self._add(instance)

    def _add(self, part10: bytes) -> FileDataset:
        dataset = pydicom.dcmread(io.BytesIO(part10))
        self._files[dataset.SOPInstanceUID], self._headers[dataset.SOPInstanceUID] = part10, dataset
        return dataset

    def app(self) -> web.Application:
        """Return the application: DICOMweb under /dicom-web, WADO-URI at /wado."""
        app = web.Application(client_max_size=256 * MIB)
        study, series, instance = "/studies/{study}", "/studies/{study}/series/{series}", "/instances/{instance}"
        rows: list[tuple[str, Callable[[web.Request], web.Response]]] = [
            ("/studies", self._search("studies")),
            ("/series", self._search("series")),
            ("/instances", self._search("instances")),
            (study + "/series", self._search("series")),
            (study + "/instances", self._search("instances")),
            (series + "/instances", self._search("instances")),
            (study, self._retrieve),
            (series, self._retrieve),
            (series + instance, self._retrieve),
            (study + "/metadata", self._metadata),
            (series + "/metadata", self._metadata),
            (series + instance + "/metadata", self._metadata),
            (series + instance + "/frames/{frames}", self._frames),
        ]
        for path, handler in rows:
            app.router.add_get("/dicom-web" + path, _async(handler), allow_head=False)
        app.router.add_get("/wado", _async(self._wado_uri), allow_head=False)
        app.router.add_post("/dicom-web/studies", self._store)
        app.router.add_post("/dicom-web/studies/{study}", self._store)
        return app

    def _matching(self, request: web.Request) -> list[FileDataset]:
        """Return the instances that the address and the matching keys name. Unknown keys are ignored, as Orthanc does."""
        wanted = {"StudyInstanceUID": "study", "SeriesInstanceUID": "series", "SOPInstanceUID": "instance"}
        tests = {keyword: {request.match_info[name]} for keyword, name in wanted.items() if name in request.match_info}
        for key, value in request.query.items():
            keyword = pydicom.datadict.keyword_for_tag(int(key, 16)) if re.fullmatch(r"[0-9A-Fa-f]{8}", key) else key
            if pydicom.datadict.tag_for_keyword(keyword) is not None:
                tests[keyword] = set(re.split(r"[,\\]", value))
        return [dataset for dataset in self._headers.values() if all(_match(dataset, *test) for test in tests.items())]

    def _search(self, level: str) -> Callable[[web.Request], web.Response]:
        def search(request: web.Request) -> web.Response:
            rows: dict[str, dict[str, object]] = {}
            counts: dict[str, dict[str, set[str]]] = {}
            for dataset in self._matching(request):
                uid = str(dataset[_KEYS[level]].value)
                row = dataset.to_json_dict(bulk_data_threshold=KIB, bulk_data_element_handler=lambda _: "")
                rows.setdefault(uid, {tag: row[tag] for tag in _LEVELS[level] if tag in row})
                seen = counts.setdefault(uid, {"modality": set(), "series": set(), "instance": set()})
                seen["modality"].add(dataset.Modality)
                seen["series"].add(dataset.SeriesInstanceUID)
                seen["instance"].add(dataset.SOPInstanceUID)
            for uid, seen in counts.items():
                if level == "studies":
                    rows[uid]["00080061"] = {"vr": "CS", "Value": sorted(seen["modality"])}
                    rows[uid]["00201206"] = {"vr": "IS", "Value": [len(seen["series"])]}
                    rows[uid]["00201208"] = {"vr": "IS", "Value": [len(seen["instance"])]}
                elif level == "series":
                    rows[uid]["00201209"] = {"vr": "IS", "Value": [len(seen["instance"])]}
            start, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 1000))
            return _json(list(rows.values())[start : start + limit])

        return search

    def _retrieve(self, request: web.Request) -> web.Response:
        found = [self._files[str(dataset.SOPInstanceUID)] for dataset in self._matching_path(request)]
        return _multipart("application/dicom", found)

    def _matching_path(self, request: web.Request) -> list[FileDataset]:
        found = self._matching(request.clone(rel_url=request.path))
        if not found:
            raise web.HTTPNotFound
        return found

    def _metadata(self, request: web.Request) -> web.Response:
        base = f"{request.scheme}://{request.host}/dicom-web"
        rows = []
        for dataset in self._matching_path(request):
            path = f"{base}/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
            bulk = f"{path}/instances/{dataset.SOPInstanceUID}/bulk/"
            handler = _bulk_uri(bulk)
            rows.append(dataset.to_json_dict(bulk_data_threshold=KIB, bulk_data_element_handler=handler))
        return _json(rows)

    def _frames(self, request: web.Request) -> web.Response:
        (dataset,) = self._matching_path(request)
        if request.match_info["frames"] != "1":
            raise web.HTTPNotFound  # every instance of the tour has one frame
        return _multipart("application/octet-stream", [dataset.PixelData])

    def _wado_uri(self, request: web.Request) -> web.Response:
        part10 = self._files.get(request.query.get("objectUID", ""))
        if part10 is None:
            raise web.HTTPNotFound
        return web.Response(body=part10, content_type="application/dicom")

    async def _store(self, request: web.Request) -> web.Response:
        stored = []
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise web.HTTPUnsupportedMediaType
            dataset = self._add(bytes(await part.read()))
            stored.append(
                {
                    "00081150": {"vr": "UI", "Value": [dataset.SOPClassUID]},
                    "00081155": {"vr": "UI", "Value": [dataset.SOPInstanceUID]},
                }
            )
        return _json({"00081199": {"vr": "SQ", "Value": stored}})


def _match(dataset: FileDataset, keyword: str, values: set[str]) -> bool:
    element = dataset.get(keyword)
    held = "" if element is None else str(element)
    if keyword == "ModalitiesInStudy":
        held = str(dataset.Modality)
    return any(held == value or (value.endswith("*") and held.startswith(value[:-1])) for value in values)


def _bulk_uri(base: str) -> Callable[[pydicom.DataElement], str]:
    return lambda element: f"{base}{element.tag:08x}"


def _async(handler: Callable[[web.Request], web.Response]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.Response:
        for value in request.match_info.values():
            if not _ID.fullmatch(value):
                raise web.HTTPBadRequest
        return handler(request)

    return answer


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/dicom+json")


def _multipart(media_type: str, bodies: list[bytes]) -> web.Response:
    boundary = secrets.token_hex(16)
    out = b"".join(
        f"--{boundary}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body + b"\r\n"
        for body in bodies
    )
    content_type = f'multipart/related; type="{media_type}"; boundary={boundary}'
    return web.Response(body=out + f"--{boundary}--\r\n".encode(), headers={"Content-Type": content_type})
