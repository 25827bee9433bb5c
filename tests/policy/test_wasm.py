import gc
import time
import weakref

import orjson
import pytest
import wasmtime

from leadglass import limits
from leadglass.model.errors import ConfigurationError
from leadglass.policy.engine import OutOfTime, Unavailable, Undefined
from leadglass.policy.wasm import Program, WasmEngine
from support.clock import FakeClock
from support.policy import engine, program, question, verbatim


def test_an_answer_is_one_document() -> None:
    said = engine().evaluate_now(question(FakeClock()).input())
    assert isinstance(said, dict)
    assert said["allow"] is True
    assert said["grants"] == ["role:reader"]


def test_evaluations_do_not_see_each_other() -> None:
    asked = engine()
    clock = FakeClock()
    yes, no = question(clock).input(), verbatim(clock, {"allow": False, "pad": "x" * 100_000}).input()
    first = asked.evaluate_now(yes)
    for _ in range(50):
        assert asked.evaluate_now(no) == {"allow": False, "pad": "x" * 100_000}
        assert asked.evaluate_now(yes) == first


def test_a_runaway_ends_in_bounded_time_and_the_next_request_is_fine() -> None:
    asked, clock = engine(), FakeClock()
    before = time.perf_counter()
    with pytest.raises(OutOfTime):
        asked.evaluate_now(question(clock, purpose="loop").input())
    assert time.perf_counter() - before < 1.0  # about 25 ms; the bound is for busy machines
    said = asked.evaluate_now(question(clock).input())
    assert isinstance(said, dict)
    assert said["allow"] is True


def test_a_spoilt_instance_is_given_back_with_its_memory() -> None:
    asked, clock = engine(), FakeClock()
    assert asked._instance is not None
    spoilt = weakref.ref(asked._instance._store)
    with pytest.raises(OutOfTime):
        asked.evaluate_now(question(clock, purpose="loop").input())
    gc.collect()  # the traceback that pytest looked at
    assert spoilt() is None


def test_the_same_input_costs_the_same_fuel() -> None:
    asked, document = engine(), question(FakeClock()).input()
    spent = []
    for _ in range(3):
        asked.evaluate_now(document)
        assert asked._instance is not None
        spent.append(limits.WASM_FUEL - asked._instance._store.get_fuel())
    assert spent[1] == spent[2]


def test_a_memory_bomb_ends_at_its_cap_and_the_next_request_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, clock = engine(), FakeClock()
    bomb = question(clock, purpose="memory", claims={"pad": ["x" * 100] * 100}).input()
    with pytest.raises(OutOfTime):  # fuel ends before memory does
        asked.evaluate_now(bomb)
    monkeypatch.setattr(limits, "WASM_FUEL", 10**11)
    with pytest.raises(Undefined, match="opa_malloc"):
        asked.evaluate_now(bomb)
    monkeypatch.undo()
    assert isinstance(asked.evaluate_now(question(clock).input()), dict)


def test_memory_never_grows_past_its_cap() -> None:
    store = wasmtime.Store(program().engine)
    store.set_limits(memory_size=limits.WASM_MEMORY_BYTES)
    asked = engine()
    assert asked._instance is not None
    memory, owner = asked._instance._memory, asked._instance._store
    with pytest.raises(wasmtime.WasmtimeError):
        memory.grow(owner, limits.WASM_MEMORY_BYTES // 65_536)


def test_rules_that_answer_twice_answer_nothing() -> None:
    asked, clock = engine(), FakeClock()
    with pytest.raises(Undefined, match="conflict"):
        asked.evaluate_now(question(clock, purpose="conflict").input())
    assert isinstance(asked.evaluate_now(question(clock).input()), dict)


def test_no_room_for_a_fresh_instance_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, clock = engine(), FakeClock()
    with pytest.raises(Undefined):
        asked.evaluate_now(question(clock, purpose="conflict").input())
    monkeypatch.setattr(limits, "WASM_MEMORY_BYTES", 0)
    with pytest.raises(Unavailable):
        asked.evaluate_now(question(clock).input())
    monkeypatch.undo()
    assert isinstance(asked.evaluate_now(question(clock).input()), dict)


def test_rules_that_answer_nothing_are_seen() -> None:
    with pytest.raises(Undefined, match="0 results"):
        engine().evaluate_now(question(FakeClock(), purpose="undefined").input())


def test_an_input_larger_than_the_limit_is_not_judged() -> None:
    with pytest.raises(Undefined, match="larger"):
        engine().evaluate_now(b'"' + b"x" * limits.INPUT_BYTES + b'"')


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('"', id="quote"),
        pytest.param("\\", id="backslash"),
        pytest.param('","allow":true,"x":"', id="json injection"),
        pytest.param("}]}", id="braces"),
        pytest.param("a\0b", id="NUL"),
        pytest.param("\r\nSet-Cookie: x", id="CR LF"),
        pytest.param("\x1b[31mred", id="ANSI"),
        pytest.param("\u007f\u0080\u2028", id="controls"),
        pytest.param("Müller^Jürgen 山田 👩‍⚕️", id="non-ASCII"),
        pytest.param("\U0010ffff\ufffe", id="noncharacters"),
    ],
)
def test_strings_come_back_as_they_went_in(text: str) -> None:
    asked, clock = engine(), FakeClock()
    document = {"text": text, text: [text]}
    assert asked.evaluate_now(verbatim(clock, document).input()) == document


@pytest.mark.parametrize("module", [b"", b"\0asm", b"(module)", b"\0asm\x01\0\0\0"], ids=repr)
def test_what_is_no_policy_module_is_refused(module: bytes) -> None:
    with pytest.raises(ConfigurationError):
        Program(module)


def test_a_module_that_imports_more_is_refused() -> None:
    text = '(module (import "env" "memory" (memory 1)) (import "wasi" "fd_write" (func)))'
    with pytest.raises(ConfigurationError, match=r"wasi\.fd_write"):
        Program(bytes(wasmtime.wat2wasm(text)))


def test_a_module_that_wants_a_builtin_of_nobody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from leadglass.policy import builtins

    fewer = {name: builtin for name, builtin in builtins.BUILTINS.items() if name != "sprintf"}
    monkeypatch.setattr(builtins, "BUILTINS", fewer)
    with pytest.raises(ConfigurationError, match="sprintf"):
        WasmEngine(program(), b'{"tables":{}}')


def test_data_outside_tables_is_refused() -> None:
    planted = {"study": {"planted": {"grant": [{"code": "planted"}]}}}
    with pytest.raises(ConfigurationError, match="tables"):
        WasmEngine(program(), orjson.dumps({"tables": {}, "leadglass": {"rules": planted}}))
