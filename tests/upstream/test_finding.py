"""What is said of one thing that was looked at."""

import asyncio

import pytest

from leadglass.upstream import finding
from leadglass.upstream.finding import Finding, patient


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Finding("reachable"), "reachable"),
        (Finding("HEAD", found="answers 404"), "HEAD: answers 404"),
        (Finding("HEAD", found="answers 404", chosen="refused"), "HEAD: answers 404; refused"),
    ],
)
def test_words(found: Finding, words: str) -> None:
    assert found.words == words


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "PROBE_SECONDS", 0.01)
    with pytest.raises(TimeoutError):
        async with patient():
            await asyncio.Event().wait()
