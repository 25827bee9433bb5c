"""Step 1 changes nothing once released: the store it makes is known by its digest."""

import hashlib
from pathlib import Path

from support.stores import statements_after

DIGEST = "9d4075562ec4cb52faf2522f5ab157f0ba2ab9dca17222b778ebfe3b44412749"


def test_the_step_makes_what_it_made_when_it_was_released(tmp_path: Path) -> None:
    made = statements_after(tmp_path / "leadglass.db", "1")
    assert hashlib.sha256("\n".join(made).encode()).hexdigest() == DIGEST, made
