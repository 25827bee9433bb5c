"""Compiling a policy set: rules to WebAssembly with a manifest that says what they were compiled from.

The same rules under the same relative paths give the same bytes, so anyone can repeat a build. A compiled policy is
used only when the manifest beside it names the very rules that are in force, and the very bytes of the module.
"""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from leadglass.model.errors import ConfigurationError
from leadglass.policy import check, program, tables
from leadglass.policy.sources import PolicySet
from leadglass.policy.wasm import ENTRYPOINTS, Program

MODULE: Final = "policy.wasm"
MANIFEST: Final = "manifest.json"
_HINT: Final = "run `leadglass policy build`; it needs the opa program"


def compile_rules(files: PolicySet) -> bytes:
    """Return the rules as a module. Raises ConfigurationError with what `opa build` says."""
    with program.laid_out(files.rules) as folder:
        points = [argument for point in ENTRYPOINTS for argument in ("-e", point)]
        ran = program.run(["build", "-t", "wasm", *points, "-o", "bundle.tar.gz", *sorted(files.rules)], folder)
        if ran.code:
            raise ConfigurationError(f"the rules do not compile: {ran.err}", hint="mend the rule that is named")
        with tarfile.open(folder / "bundle.tar.gz") as bundle:
            member = bundle.extractfile("/policy.wasm")
            if member is None:
                raise ConfigurationError("opa build gave no module")
            return member.read()


def manifest(files: PolicySet, module: bytes) -> dict[str, Any]:
    """Return what is written beside a compiled module."""
    return {
        "source_sha256": files.source,
        "wasm_sha256": hashlib.sha256(module).hexdigest(),
        "entrypoints": list(ENTRYPOINTS),
        "opa_version": program.version(),
        "builtins": list(Program(module).builtins),
        "checked": check.VERSION,
    }


def write(folder: Path, files: PolicySet) -> dict[str, Any]:
    """Compile the rules into `folder` and return the manifest. Raises ConfigurationError."""
    module = compile_rules(files)
    made = manifest(files, module)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (
            (MODULE, module),
            (MANIFEST, orjson.dumps(made, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)),
        ):
            whole = folder / f".{name}.new"
            whole.write_bytes(content)
            whole.replace(folder / name)
    except OSError as error:
        raise ConfigurationError(f"cannot write {folder}: {error.strerror}") from None
    return made


def load(files: PolicySet) -> Program:
    """Return the compiled form of the rules in `files`. Raises ConfigurationError when there is none that fits them."""
    for folder in files.builds:
        found = _matching(folder, files.source)
        if found is not None:
            return Program(found)
    raise ConfigurationError(
        "the rules are not compiled, or have changed since", where=str(files.builds[0]), hint=_HINT
    )


def _matching(folder: Path, source: str) -> bytes | None:
    try:
        stated = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    if not isinstance(stated, dict) or stated.get("source_sha256") != source:
        return None
    where = str(folder / MODULE)
    try:
        module = (folder / MODULE).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=where, hint=_HINT) from None
    if hashlib.sha256(module).hexdigest() != stated.get("wasm_sha256"):
        raise ConfigurationError("is not the module that its manifest names", where=where, hint=_HINT)
    if stated.get("checked") != check.VERSION or stated.get("entrypoints") != list(ENTRYPOINTS):
        raise ConfigurationError("was not checked by this version of the gateway", where=where, hint=_HINT)
    return module


def bundle(files: PolicySet) -> bytes:
    """Return the set as a bundle for an OPA server (tar.gz), its revision that of the set."""
    about = {"revision": files.revision, "roots": ["leadglass", "tables"], "rego_version": 1}
    content: Mapping[str, bytes] = {
        **files.rules,
        "data.json": tables.data(files.tables),
        ".manifest": orjson.dumps(about),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, text in sorted(content.items()):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(text), 0o644
            archive.addfile(member, io.BytesIO(text))
    return out.getvalue()
