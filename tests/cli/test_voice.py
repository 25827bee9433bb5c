"""The voice of the tools: what is wrong, what to do, and a code that scripts read."""

import pytest

from leadglass.cli.voice import Exit, fail, spoken
from leadglass.model.errors import ConfigurationError


def test_a_failure_is_two_lines_on_stderr_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        fail("the chain is broken", "restore the file", Exit.NO)
    assert caught.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "leadglass: error: the chain is broken\nleadglass: hint: restore the file\n"


def test_without_a_hint_there_is_no_line_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        fail("cannot read")
    assert caught.value.code == 3
    assert capsys.readouterr().err == "leadglass: error: cannot read\n"


def test_a_configuration_error_is_spoken(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, spoken():
        raise ConfigurationError("is missing", hint="add it", where="a.yaml:3")
    assert caught.value.code == 3
    assert capsys.readouterr().err == "leadglass: error: a.yaml:3: is missing\nleadglass: hint: add it\n"


def test_other_errors_pass(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), spoken():
        raise ZeroDivisionError
    assert capsys.readouterr().err == ""


def test_the_codes_are_those_of_the_design() -> None:
    assert [int(code) for code in Exit] == [0, 1, 2, 3]
