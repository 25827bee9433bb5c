import shutil
import subprocess
from pathlib import Path

import pytest

from leadglass_agent.checks.base import Surroundings
from leadglass_agent.checks.linux.forbidden_software import CHECK, parse


@pytest.mark.parametrize(
    ("processes", "running"),
    [
        ([], []),
        ([("bash", "/usr/bin/bash")], []),
        ([("AnyDesk", "/opt/anydesk/AnyDesk")], ["anydesk"]),
        ([("renamed", "/opt/anydesk/anydesk")], ["anydesk"]),
        ([("anydesk", "/usr/bin/python3")], ["anydesk"]),
        ([("remote-support-", "")], ["remote-support-tool"]),
        ([("remote-support-", "/usr/bin/other")], []),
    ],
    ids=["nothing", "harmless", "case", "by-file", "script", "cut-by-the-kernel", "cut-but-another-file"],
)
def test_names(processes: list[tuple[str, str]], running: list[str]) -> None:
    result = parse(processes, ["anydesk", "remote-support-tool"])
    assert result.value == {"running": running}
    assert result.status == ("fail" if running else "pass")


def test_a_program_that_runs_is_found_and_its_end_too(tmp_path: Path) -> None:
    program = tmp_path / "leadglass-forbidden-test"
    shutil.copy("/bin/sleep", program)
    around = Surroundings(now=lambda: 0.0, forbidden=(program.name,))
    assert CHECK.run(around).status == "pass"
    with subprocess.Popen([program, "60"]) as process:
        try:
            assert CHECK.run(around).value == {"running": [program.name]}
        finally:
            process.kill()
    assert CHECK.run(around).status == "pass"
