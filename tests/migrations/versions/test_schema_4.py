"""Step 4 changes nothing once released: the store it makes is known by its digest."""

import hashlib
from pathlib import Path

from support.stores import statements_after

DIGEST = "0dd673113b957635af3cf7ac564f80bc245137d8c57ba6a358239f5ea74c5520"


def test_the_step_makes_what_it_made_when_it_was_released(tmp_path: Path) -> None:
    made = statements_after(tmp_path / "leadglass.db", "4")
    assert hashlib.sha256("\n".join(made).encode()).hexdigest() == DIGEST, made
