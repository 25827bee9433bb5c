import io
import logging
from collections.abc import Iterator

import orjson
import pytest

from leadglass.model.errors import ConfigurationError
from leadglass.telemetry.log import PhiFilter, configure, phi

NASTY = 'x\r\n2026 level=error "forged" \x1b[2J\x00 \udc80'


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    level = root.level
    made = io.StringIO()
    yield made
    for handler in [h for h in root.handlers if any(isinstance(f, PhiFilter) for f in h.filters)]:
        root.removeHandler(handler)
    root.setLevel(level)


log = logging.getLogger("leadglass.test")


def test_text_is_one_line_of_words(stream: io.StringIO) -> None:
    configure("info", "text", stream)
    log.warning("the disk is %s", "full")
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert 'level=warning logger=leadglass.test message="the disk is full"' in line


def test_json_is_one_object_a_line(stream: io.StringIO) -> None:
    configure("info", "json", stream)
    log.info("count %d", 3)
    assert orjson.loads(stream.getvalue())["message"] == "count 3"


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_breaks_out_of_its_line(stream: io.StringIO, form: str) -> None:
    configure("info", "json" if form == "json" else "text", stream)
    log.info("from %s", NASTY)
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert "\r" not in line
    assert "\x1b" not in line


def test_marked_values_are_withheld_in_every_form(stream: io.StringIO) -> None:
    configure("debug", "text", stream)
    name = phi("DOE^JANE")
    log.debug("%s %r %10s", name, name, name)
    log.debug("%(name)s", {"name": name})
    log.debug(f"{name} {name!r} {name:>20}")  # noqa: G004 - the careless way too
    assert "DOE" not in stream.getvalue()
    assert stream.getvalue().count("[withheld]") == 7


def test_a_traceback_has_places_and_no_words_of_foreign_errors(stream: io.StringIO) -> None:
    configure("info", "text", stream)
    try:
        try:
            dict[str, str]()["DOE^JANE"]
        except KeyError as cause:
            raise ValueError("patient DOE^JANE") from cause
    except ValueError:
        log.exception("failed")
    line = stream.getvalue()
    assert "DOE" not in line
    assert "ValueError at test_a_traceback" in line
    assert "caused by KeyError" in line


def test_our_own_words_stay(stream: io.StringIO) -> None:
    configure("info", "text", stream)
    error = ConfigurationError("the file is missing")
    log.error("failed", exc_info=(type(error), error, None))
    assert "the file is missing" in stream.getvalue()


def test_the_level_holds_and_the_last_call_wins(stream: io.StringIO) -> None:
    configure("debug", "text", io.StringIO())
    configure("warning", "text", stream)
    log.info("quiet")
    log.warning("loud")
    assert stream.getvalue().count("\n") == 1


def test_a_migration_is_told_of_in_our_own_words(stream: io.StringIO) -> None:
    configure("info", "text", stream)
    logging.getLogger("alembic.runtime.migration").info("Running upgrade")
    logging.getLogger("alembic.runtime.migration").warning("a fault")
    assert "Running upgrade" not in stream.getvalue()
    assert "a fault" in stream.getvalue()
