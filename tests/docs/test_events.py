"""Each kind of event in docs/record.md was held against a restore: does it take something away that must stay so?"""

import re
from pathlib import Path

from leadglass.recovery import replay

HARMLESS = [
    "record-opened",
    "record-closed",
    "record-reopened",
    "restored",
    "rotated",
    "sink-line-set-aside",
    "disk-pressure",
    "degraded",
    "refusals-counted",
    "started",
    "stopped",
    "reload-asked",
    "reloaded",
    "reload-refused",
    "policy-loaded",
    "policy-refused",
    "observation-ended",
    "glass-broken",
    "glass-reviewed",
    "emergency-refused",
    "device-code-issued",
    "enrolment-refused",
    "device-certificate-renewed",
    "statement-refused",
    "session-begun",
    "session-device-silent",
    "session-device-refused",
    "devices-listed",
    "device-shown",
    "geo-loaded",
    "geo-refused",
    "reidentification-asked",
    "reidentification-refused",
    "reidentified",
]


def test_each_kind_of_event_was_thought_of() -> None:
    """Who adds one that takes something away adds it to `replay`; others, here."""
    page = (Path(__file__).parents[2] / "docs/record.md").read_text()
    table = page.partition("\n## `event`")[2].partition("\n## ")[0]
    kinds = set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE))
    assert len(kinds) > 40
    ours = {kind for kind in kinds if kind in replay._AGAIN or kind.endswith(replay._BY_HAND)}
    assert kinds - ours == set(HARMLESS)
    assert set(replay._AGAIN) <= kinds
