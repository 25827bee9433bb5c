"""Step 2 changes nothing once released: the store it makes is known by its digest."""

import hashlib
from pathlib import Path

from support.stores import statements_after

DIGEST = "7d743e2efbe391025da68af30d7a4cf8ee4cf46a8dd15cfa3320c099991bb6ef"


def test_the_step_makes_what_it_made_when_it_was_released(tmp_path: Path) -> None:
    made = statements_after(tmp_path / "leadglass.db", "2")
    assert hashlib.sha256("\n".join(made).encode()).hexdigest() == DIGEST, made
