"""The policy decision point: rules and tables in, one decision out (design: default deny, law 2).

`decide.Policy` is what the pipeline calls; `wasm` and `opa` are its two engines; `reload` puts a new policy set in
force. This package alone makes permits (`permits`).
"""
