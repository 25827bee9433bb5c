from pathlib import Path

import pytest

from leadglass_agent.settings import FORBIDDEN, Settings, SettingsError, load


def test_no_file_sets_nothing(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings()
    assert Settings().forbidden_software == FORBIDDEN


def test_every_setting_is_read(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text(
        'forbidden_software = ["nc"]\nreport_every = 60\ntoken_file = "/t"\ntoken_command = "c"\nproxy_port = 0\nproof_port = 0\n'
        'viewer_user = "smith"\nviewer_origins = ["http://localhost:3000"]\n'
        'issuer = "https://idp.example.org"\nclient_id = "agent"\nacr_values = "mfa"\n'
    )
    signing_in = ("https://idp.example.org", "agent", "mfa")
    assert load(tmp_path) == Settings(("nc",), 60.0, "/t", "c", 0, 0, "smith", ("http://localhost:3000",), *signing_in)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("report_evry = 1", "report_evry is not a setting"),
        ("report_every = ", "agent.toml"),
        ("report_every = 0.5", "1 to 600"),
        ("report_every = 601", "1 to 600"),
        ("report_every = true", "1 to 600"),
        ("report_every = nan", "1 to 600"),
        ('report_every = "30"', "1 to 600"),
        ('forbidden_software = "nc"', "list of names"),
        ('forbidden_software = [""]', "list of names"),
        ("forbidden_software = [1]", "list of names"),
        ("proxy_port = 65536", "a port"),
        ("proxy_port = -1", "a port"),
        ("proxy_port = true", "a port"),
        ("proxy_port = 1.5", "a port"),
        ("proof_port = 65536", "a port"),
        ("token_file = 1", "must be text"),
        ("token_command = []", "must be text"),
        ("viewer_user = 0", "must be text"),
        ('viewer_origins = ["*"]', "origins like"),
        ('viewer_origins = ["null"]', "origins like"),
        ('viewer_origins = ["http://localhost:3000/"]', "origins like"),
        ('viewer_origins = ["HTTP://LOCALHOST"]', "origins like"),
        ('viewer_origins = "http://localhost"', "list of origins"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "agent.toml").write_text(text)
    with pytest.raises(SettingsError, match=words):
        load(tmp_path)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").mkdir()
    with pytest.raises(SettingsError, match=r"agent\.toml"):
        load(tmp_path)
