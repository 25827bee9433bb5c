from datetime import UTC, datetime

from leadglass_agent import __version__
from leadglass_agent.cli import app
from release.deb import manual

PAGE = manual.page(datetime(2026, 11, 28, tzinfo=UTC))


def test_every_verb_is_told() -> None:
    names = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert names
    assert [name for name in names if f"\n.TP\n\\fB{name}\\fR\n" not in PAGE] == []


def test_it_is_of_this_version_and_bears_its_time() -> None:
    assert PAGE.startswith(f'.TH LEADGLASS\\-AGENT 1 "2026-11-28" "Leadglass {__version__}"')


def test_text_that_looks_like_a_request_is_text() -> None:
    assert manual._escaped(".so /etc/passwd") == "\\&.so /etc/passwd"
    assert manual._escaped("a-b\\c") == "a\\-b\\ec"
