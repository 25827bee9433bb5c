"""OHIF opens a CT of 300 slices, from Orthanc itself and through the gateway: from the address to the last slice.

Orthanc serves the viewer with its ServeFolders plugin, the gateway from its static mount; both from one folder. Every
round is a browser with no past.
"""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import numpy as np
from playwright.async_api import Browser, async_playwright

from bench.report import Row, Target, median, number
from bench.rig import RAISED, BenchError, Rig, free_ports
from bench.rows import SHIPPED, Bench
from leadglass.demo.studies import CT_STUDY, all_instances, encode
from leadglass.static.appconfig import Root, app_config

SLICES, SIZE = 300, 512
MOUNT = "/viewer"
_PLUGINS = Path("/usr/share/orthanc/plugins")
_OHIF = Path(__file__).parents[1] / ".tools/npm/ohif/dist"
_FLAGS = (
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-quic",
)
_WAIT = 240.0


@dataclass(frozen=True)
class _Where:
    """Who serves viewer and images: its origin, and what every request carries."""

    name: str
    origin: str
    headers: dict[str, str]


def _moved(folder: Path) -> Path:
    """Return OHIF as if it had been built for MOUNT: what npm has is for the root, and Orthanc has no folder there."""
    dist = folder / "dist"
    dist.mkdir()
    for file in _OHIF.iterdir():
        if file.suffix in {".js", ".css", ".html"}:
            text = file.read_text(encoding="utf-8").replace(
                '__webpack_require__.p = "/"', f'__webpack_require__.p = "{MOUNT}/"'
            )
            if file.suffix == ".html":
                text = text.replace('="/', f'="{MOUNT}/').replace("PUBLIC_URL = '/'", f"PUBLIC_URL = '{MOUNT}/'")
            (dist / file.name).write_text(text, encoding="utf-8")
        elif file.suffix in {".wasm", ".woff2"}:
            shutil.copy(file, dist)
    (dist / "app-config.js").write_bytes(app_config(MOUNT, [Root("main", "/dicom-web", "/wado", "orthanc")]))
    return dist


def _slices() -> list[bytes]:
    """Return a CT of noise as a scanner has it: 512 KiB a slice, of which gzip saves little."""
    first = next(instance for instance in all_instances() if instance.Modality == "CT")
    first.Rows = first.Columns = SIZE
    grey = np.random.default_rng(1)
    made = []
    for place in range(1, SLICES + 1):
        first.SOPInstanceUID = first.file_meta.MediaStorageSOPInstanceUID = f"2.25.77{place:04d}"
        first.InstanceNumber, first.ImagePositionPatient = str(place), ["0", "0", str(place)]
        first.PixelData = (1024 + 60 * grey.standard_normal((SIZE, SIZE))).astype("<u2").tobytes()
        made.append(encode(first))
    return made


@asynccontextmanager
async def _orthanc(rig: Rig, dist: Path) -> AsyncIterator[str]:
    """Run Orthanc with the CT in it, and the viewer beside it; give its origin."""
    home = rig.folder / "orthanc"
    home.mkdir()
    http, dicom = free_ports(2)
    settings = {
        "StorageDirectory": str(home), "IndexDirectory": str(home), "HttpPort": http, "DicomPort": dicom,
        "AuthenticationEnabled": False, "KeepAlive": True,
        "Plugins": [str(_PLUGINS / "libOrthancDicomWeb.so"), str(_PLUGINS / "libServeFolders.so")],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": True, "WadoRoot": "/wado"},
        "ServeFolders": {"AllowCache": True, "Extensions": {"": "text/html", "wasm": "application/wasm"}, "Folders": {MOUNT: str(dist)}},
    }  # fmt: skip
    (home / "orthanc.json").write_text(json.dumps(settings))
    process = await rig.run(["Orthanc", str(home / "orthanc.json")], http, "orthanc")
    origin = f"http://127.0.0.1:{http}"
    try:
        async with aiohttp.ClientSession() as session:
            for part10 in _slices():
                async with session.post(f"{origin}/instances", data=part10) as reply:
                    reply.raise_for_status()
        yield origin
    finally:
        await rig.stop_one(process)


async def _opened(browser: Browser, where: _Where) -> float:
    """Open the CT in a browser without a past; return the seconds until the last slice is here."""
    context = await browser.new_context(extra_http_headers=where.headers)
    try:
        page = await context.new_page()
        here: set[str] = set()
        whole = asyncio.Event()

        def came(url: str) -> None:
            if url.endswith("/frames/1"):
                here.add(url)
                if len(here) == SLICES:
                    whole.set()

        page.on("requestfinished", lambda request: came(request.url))
        page.on("requestfailed", lambda request: came(request.url))  # OHIF leaves a body unread once it has it all
        begun = time.perf_counter()
        await page.goto(f"{where.origin}{MOUNT}/viewer?StudyInstanceUIDs={CT_STUDY}")
        try:
            async with asyncio.timeout(_WAIT):
                await whole.wait()
        except TimeoutError:
            said = " ".join(await page.locator("dialog[open], main").all_inner_texts())
            raise BenchError(f"{where.name}: {len(here)} of {SLICES} slices after {_WAIT:.0f} s {said}") from None
        return time.perf_counter() - begun
    finally:
        await context.close()


async def opening(bench: Bench) -> list[Row]:
    """The row: seconds, and the gateway's share of what Orthanc alone takes."""
    rig = bench.rig
    if not _OHIF.is_dir() or shutil.which("Orthanc") is None or (program := shutil.which("chromium")) is None:
        raise BenchError("needs Orthanc, Chromium and OHIF: sh tests/provision.sh --bench")
    dist = _moved(rig.folder)
    async with _orthanc(rig, dist) as direct:
        await rig.start_gateway(SHIPPED, direct, dist)
        shutil.copy(dist / "index.html", dist / "viewer")  # the page of OHIF's own path, which Orthanc does not know
        gateway = f"http://127.0.0.1:{rig.ports['gateway'][0]}"
        sides = [
            _Where("gateway", gateway, {"Authorization": f"Bearer {rig.people()[0]}"}),
            _Where("orthanc", direct, {}),
        ]
        taken: dict[str, list[float]] = {side.name: [] for side in sides}
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=program, chromium_sandbox=False, args=[*_FLAGS])
            for side in bench.rounds * sides:
                if rig.device is not None:
                    await rig.device.report()  # or its last report is too old in a slow round
                taken[side.name].append(await _opened(browser, side))
            await browser.close()
    await rig.start_gateway(RAISED)
    share = median(taken["gateway"]) / median(taken["orthanc"])
    row = Row(f"OHIF opens {SLICES} slices", "s", taken, [Target("x of Orthanc alone", share, 0.8, "under")])
    return [
        replace(
            row, note=f"Orthanc alone {number(median(taken['orthanc']))} s; 512 KiB a slice; a browser with no past"
        )
    ]


ROWS = {"viewer": opening}
