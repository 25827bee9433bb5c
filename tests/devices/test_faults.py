"""Each fault has its word in the protocol page."""

from pathlib import Path

import pytest

from leadglass.devices.faults import Fault, StatementRefused
from leadglass.model.disclosure import say

PAGE = (Path(__file__).parents[2] / "docs/device-protocol.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", Fault)
def test_it_has_a_row(fault: Fault) -> None:
    assert f"| `statement-invalid` | 403 | `{fault}` |" in PAGE


def test_it_is_a_statement_invalid_with_members() -> None:
    refusal = StatementRefused(Fault.SEQUENCE, last_seq=7)
    assert say(refusal).codes == ("statement-invalid",)
    assert refusal.members == {"error": "sequence", "last_seq": 7}
    assert refusal.detail == "sequence"
