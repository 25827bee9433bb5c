"""Rows of de-identification: an instance beside the packages that people use for it, and one of 1 GB."""

import json
from collections.abc import Awaitable, Callable, Mapping

from bench.report import Row, Target
from bench.rows import Bench


async def deidentify(bench: Bench) -> list[Row]:
    said = json.loads(await bench.program("bench.deidentify", "3" if bench.quick else "15"))
    taken, medians, large = said["taken"], said["medians"], said["large"]
    bounds = {"pydicom": 10.0, "pydicom, every value": 10.0, "dicognito": 20.0, "dicom-anonymizer": 1.0, "deid": 1.0}
    targets = [
        Target(f"x {name}", medians[name] / medians["ours"], bound, "at least")
        for name, bound in bounds.items()
        if name in medians
    ]
    return [
        Row(
            f"a CT header of {said['elements']} elements, all of Annex E", "ms", {"gateway": taken["ours"]}, targets,
            detail={"medians": medians, "failed": said["failed"]},
        ),
        Row("the same, profile research", "ms", {"gateway": taken["ours, research"]}),
        Row(
            "RSS grown by an instance of 1 GB", "MiB", {"gateway": [large["grown_mib"]]},
            [Target("MiB", large["grown_mib"], 64, "under")], detail=large,
        ),
        Row("read of it before its first byte leaves", "MB", {"gateway": [large["fed_before_first_byte"] / 1e6]}),
    ]  # fmt: skip


MINIMISE: Mapping[str, Callable[[Bench], Awaitable[list[Row]]]] = {"deidentify": deidentify}
