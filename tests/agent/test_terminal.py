from pathlib import Path

import pytest

from leadglass_agent.settings import SettingsError
from leadglass_agent.state import Busy, NotEnrolled
from leadglass_agent.terminal import opened, spoken


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (NotEnrolled("no device"), 1, "leadglass-agent enrol"),
        (SettingsError("agent.toml: x"), 3, "mend or remove the setting"),
        (Busy("running already"), 3, "running already"),
        (PermissionError(13, "Permission denied", "/f"), 3, "run it as the user who enrolled"),
        (ValueError("damaged"), 3, "damaged"),
    ],
)
def test_what_goes_wrong_has_words_and_a_code(
    error: Exception, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, spoken():
        raise error
    assert ended.value.code == code
    assert said in capsys.readouterr().err


def test_the_folder_is_made_for_its_user_alone(tmp_path: Path) -> None:
    folder, settings = opened(tmp_path / "agent")
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert settings.proxy_port == 8765
