"""Step 3 changes nothing once released: the store it makes is known by its digest."""

import hashlib
from pathlib import Path

from support.stores import statements_after

DIGEST = "530bb09b40a5a431d28bd0175e6e0dab9a2cc4cf9ccdb35bddde09367a4f0aa3"


def test_the_step_makes_what_it_made_when_it_was_released(tmp_path: Path) -> None:
    made = statements_after(tmp_path / "leadglass.db", "3")
    assert hashlib.sha256("\n".join(made).encode()).hexdigest() == DIGEST, made
