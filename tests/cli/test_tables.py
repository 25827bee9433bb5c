import pytest
from rich.table import Table

from leadglass.cli.tables import print_whole


def test_what_is_wider_than_the_terminal_stays_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    table = Table("ID", "WHO", "WHY", box=None, pad_edge=False)
    table.add_row("01K2M0Q9W3E4R5T6Y7V8B9N0AA", "somebody with a long name", "a reason that goes on and on")
    print_whole(table)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["ID", "01K2M0Q9W3E4R5T6Y7V8B9N0AA"]
    assert lines[1].rstrip().endswith("goes on and on")


def test_a_sentence_stands_in_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    print_whole("nothing is revoked")
    assert capsys.readouterr().out == "nothing is revoked\n"
