"""Compiled rules, run in process: OPA's WebAssembly ABI 1.2 on wasmtime, with caps on fuel and memory.

One `Machine` holds one instance. Data is loaded once; each evaluation writes its input behind the data, calls the
one-shot `opa_eval`, and reads the result: the heap pointer handed to `opa_eval` frees the evaluation before. Whatever
ends an evaluation early (fuel, memory, a conflict in the rules, a host builtin that fails) spoils the instance, so
it is thrown away and the next evaluation gets a fresh one.

Source: OPA documentation, "WebAssembly" (ABI versions, exports, imports, evaluation).
"""

import ctypes
import weakref
from collections.abc import Callable
from typing import Any, Final

import orjson
import wasmtime

from leadglass import limits
from leadglass.model.errors import ConfigurationError
from leadglass.policy import builtins, regovalue
from leadglass.policy.engine import OutOfTime, Unavailable, Undefined

ENTRYPOINT: Final = "leadglass/decision"
EXPLAIN: Final = "leadglass/explain"  # what each rule says by itself
ENTRYPOINTS: Final = (ENTRYPOINT, EXPLAIN)
_PAGE: Final = 65_536
_JSON: Final = 0  # result format of opa_eval
_MAX_ARITY: Final = 4  # opa_builtin0 .. opa_builtin4
_RESULT_BYTES: Final = 8_192  # first guess; doubled until the terminator shows


class _Aborted(Exception):
    """The module called `opa_abort`: out of memory, or rules that answer twice."""


class Program:
    """A compiled module, ready to be instantiated. Refuses a module that asks for a builtin outside ours."""

    def __init__(self, module: bytes) -> None:
        """Compile `module`. Raises ConfigurationError for one that is not OPA's or wants what we do not give."""
        config = wasmtime.Config()
        config.consume_fuel = True
        config.cranelift_opt_level = "speed"
        self.engine = wasmtime.Engine(config)
        try:
            self.module = wasmtime.Module(self.engine, module)
        except wasmtime.WasmtimeError as error:
            raise ConfigurationError(
                "the compiled policy is not a WebAssembly module", hint="run `leadglass policy build`"
            ) from error
        self._check_imports()
        self.builtins = Instance(self, b"{}").builtins  # refuses builtins and entry points that are not ours

    def _check_imports(self) -> None:
        for wanted in self.module.imports:
            known = wanted.name in _HOST or wanted.name == "memory"
            if wanted.module != "env" or not known:
                raise ConfigurationError(
                    f"the compiled policy imports {wanted.module}.{wanted.name}, which is not part of OPA's ABI 1.2",
                    hint="run `leadglass policy build`",
                )


_HOST: Final = ("opa_abort", "opa_println", *(f"opa_builtin{n}" for n in range(_MAX_ARITY + 1)))


class Instance:
    """One instance of a program with its data loaded. Not for two evaluations at once."""

    def __init__(self, program: Program, data: bytes) -> None:
        """Instantiate and load `data` (JSON). Raises ConfigurationError when the module or the data will not do."""
        self._store = wasmtime.Store(program.engine)
        self._store.set_limits(memory_size=limits.WASM_MEMORY_BYTES)
        self._store.set_fuel(limits.WASM_FUEL * 10)  # loading, not judging
        try:
            self._link(program)
            self._load(data)
        except (wasmtime.WasmtimeError, wasmtime.Trap, _Aborted, KeyError) as error:
            raise ConfigurationError(
                f"the compiled policy cannot be loaded: {_first_line(error)}", hint="run `leadglass policy build`"
            ) from error

    def _link(self, program: Program) -> None:
        store = self._store
        needs = next((i.type for i in program.module.imports if i.name == "memory"), None)
        if not isinstance(needs, wasmtime.MemoryType):
            raise KeyError("memory")
        most = limits.WASM_MEMORY_BYTES // _PAGE
        self._memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(needs.limits.min, most)))
        i32 = wasmtime.ValType.i32()
        host: dict[str, Any] = {
            "memory": self._memory,
            "opa_abort": wasmtime.Func(store, wasmtime.FuncType([i32], []), _weakly(self._abort)),
            "opa_println": wasmtime.Func(store, wasmtime.FuncType([i32], []), lambda _address: None),
        }
        for arity in range(_MAX_ARITY + 1):
            signature = wasmtime.FuncType([i32] * (arity + 2), [i32])
            host[f"opa_builtin{arity}"] = wasmtime.Func(store, signature, _weakly(self._builtin))
        imports = [host[wanted.name or ""] for wanted in program.module.imports]
        exports: Any = wasmtime.Instance(store, program.module, imports).exports(store)
        self._exports: Any = exports
        abi = (
            exports["opa_wasm_abi_version"].value(store),
            exports["opa_wasm_abi_minor_version"].value(store),
        )
        if abi[0] != 1 or abi[1] < 2:  # noqa: PLR2004 - the ABI that has the one-shot opa_eval
            raise ConfigurationError(f"the compiled policy speaks ABI {abi[0]}.{abi[1]}; 1.2 or later is needed")
        self._eval = exports["opa_eval"]

    def _load(self, data: bytes) -> None:
        wanted: dict[str, int] = orjson.loads(self._dump(self._call("builtins")))
        unknown = sorted(set(wanted) - set(builtins.BUILTINS))
        if unknown:
            raise ConfigurationError(
                f"the compiled policy calls {', '.join(unknown)}, which the gateway does not offer",
                hint=f"the host offers {', '.join(sorted(builtins.BUILTINS))} beside what OPA compiles in",
            )
        self.builtins = tuple(sorted(wanted))
        self._builtins = {number: builtins.BUILTINS[name] for name, number in wanted.items()}
        points: dict[str, int] = orjson.loads(self._dump(self._call("entrypoints")))
        if ENTRYPOINT not in points:
            raise ConfigurationError(f"the compiled policy has no entry point {ENTRYPOINT}")
        self._points = points
        self._data = self._parse(data)
        self._heap: int = self._call("opa_heap_ptr_get")

    def evaluate(self, document: bytes, entrypoint: str = ENTRYPOINT) -> bytes:
        """Return the result set for this input, as JSON. Raises OutOfTime or Undefined; the instance is then spoilt."""
        size, heap, point = len(document), self._heap, self._points[entrypoint]
        try:
            self._store.set_fuel(limits.WASM_FUEL)
            self._write(heap, document)
            found: int = self._eval(self._store, 0, point, self._data, heap, size, heap + size, _JSON)
            return self._text(found)
        except wasmtime.Trap as trap:
            if trap.trap_code == wasmtime.TrapCode.OUT_OF_FUEL:
                raise OutOfTime from None
            raise Undefined(f"the rules trapped: {_first_line(trap)}") from None
        except (wasmtime.WasmtimeError, IndexError) as error:
            raise Undefined(f"the rules could not be run: {_first_line(error)}") from None
        except _Aborted as error:
            raise Undefined(f"the rules aborted: {error}") from None
        except builtins.BuiltinError as error:
            raise Undefined(f"a builtin failed: {error}") from None

    def _call(self, name: str, *args: int) -> int:
        result: int = self._exports[name](self._store, *args)
        return result

    def _write(self, address: int, value: bytes) -> None:
        end, size = address + len(value), self._memory.data_len(self._store)
        if end > size:
            self._memory.grow(self._store, (end - size + _PAGE - 1) // _PAGE)
        self._memory.write(self._store, value, address)

    def _parse(self, value: bytes) -> int:
        address = self._call("opa_malloc", len(value))
        self._write(address, value)
        parsed = self._call("opa_json_parse", address, len(value))
        if not parsed:
            raise KeyError("data")
        return parsed

    def _dump(self, address: int) -> bytes:
        return self._text(self._call("opa_json_dump", address))

    def _text(self, address: int) -> bytes:
        """Return the NUL-terminated string at `address`, within the bounds of the memory."""
        most = self._memory.data_len(self._store) - address
        if address <= 0 or most <= 0:
            raise IndexError(address)
        base = ctypes.addressof(self._memory.data_ptr(self._store).contents) + address
        size = _RESULT_BYTES
        while True:
            piece = ctypes.string_at(base, min(size, most))
            if (end := piece.find(0)) >= 0:
                return piece[:end]
            if size >= most:
                raise IndexError(address)
            size *= 4

    def _abort(self, address: int) -> None:
        raise _Aborted(self._text(address).decode("utf-8", "replace"))

    def _builtin(self, number: int, _context: int, *operands: int) -> int:
        try:
            values = [regovalue.parse(self._text(self._call("opa_value_dump", operand))) for operand in operands]
            result = orjson.dumps(self._builtins[number](*values))
        except (ValueError, TypeError) as error:
            raise builtins.BuiltinError(type(error).__name__) from None
        return self._parse(result)


class WasmEngine:
    """Compiled rules with their data. Answers at once, on the caller's own time."""

    name: Final = "wasm"

    def __init__(self, program: Program, data: bytes) -> None:
        """Take a program and the data document (JSON, `tables` alone). Raises ConfigurationError."""
        if orjson.loads(data).keys() != {"tables"}:  # what lands under leadglass.rules would pose as a rule
            raise ConfigurationError("data outside `tables` would pose as a rule")
        self._program, self._data = program, data
        self._instance: Instance | None = Instance(program, data)

    def evaluate_now(self, document: bytes, entrypoint: str = ENTRYPOINT) -> object:
        """Return what the rules say to this input (JSON that fits its schema). Raises NoAnswer.

        `entrypoint` EXPLAIN gives what each rule says by itself, before it is composed into a decision.
        """
        if len(document) > limits.INPUT_BYTES:
            raise Undefined("the input is larger than the gateway judges")
        try:
            instance = self._instance or Instance(self._program, self._data)
            self._instance = None  # spoilt, unless the evaluation ends as it should
            results = orjson.loads(instance.evaluate(document, entrypoint))
        except ConfigurationError as error:  # no room for a fresh instance
            raise Unavailable(str(error)) from None
        except orjson.JSONDecodeError:
            raise Undefined("the rules' result is not JSON") from None
        self._instance = instance
        if len(results) != 1:
            raise Undefined(f"the rules gave {len(results)} results")
        return results[0]["result"]

    async def evaluate(self, document: bytes) -> object:
        """Return what the rules say to this input (JSON). Raises NoAnswer."""
        return self.evaluate_now(document)

    async def close(self) -> None:
        """Drop the instance."""
        self._instance = None


def _weakly(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call of `method` that does not keep its instance.

    wasmtime keeps a host function for as long as its store lives, and a method keeps the instance that holds the store:
    neither would ever end, and each would hold its megabyte.
    """
    held = weakref.WeakMethod(method)

    def call(*arguments: int) -> object:
        alive = held()
        if alive is None:
            raise _Aborted("the instance is gone")
        return alive(*arguments)

    return call


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
