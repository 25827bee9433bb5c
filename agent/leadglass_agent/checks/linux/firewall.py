"""Whether a packet filter turns away what nobody asked for: nftables, or else iptables."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from leadglass_agent import commands
from leadglass_agent.checks.base import Check, Result, Surroundings, unknown

_NOT_ALLOWED = (b"Operation not permitted", b"Permission denied", b"you must be root")


def _last_verdicts(rules: list[dict[str, Any]]) -> Iterator[str]:
    for rule in rules:
        expressions = rule["expr"]
        # A rule without a match ends its chain for everything that came this far.
        if not any("match" in expression for expression in expressions):
            yield from (key for expression in expressions for key in expression if key in {"drop", "reject"})


def parse_nft(output: bytes) -> Result:
    """Judge `nft --json list ruleset`."""
    try:
        entries = json.loads(output)["nftables"]
        chains = [entry["chain"] for entry in entries if "chain" in entry]
        rules = [entry["rule"] for entry in entries if "rule" in entry]
        inputs = [
            chain for chain in chains if chain.get("hook") == "input" and chain["family"] in {"inet", "ip", "ip6"}
        ]
        closed = []
        for chain in inputs:
            key = (chain["family"], chain["table"], chain["name"])
            own = [rule for rule in rules if (rule["family"], rule["table"], rule["chain"]) == key]
            if chain.get("policy") == "drop" or any(_last_verdicts(own)):
                closed.append("/".join(key))
    except (ValueError, KeyError, TypeError):
        return unknown("nft printed something else than a ruleset")
    value = {"program": "nftables", "input_chains": len(inputs), "closed": closed[:8]}
    if closed:
        return Result("pass", value)
    return Result("fail", value, "no nftables input chain drops what it does not know")


def parse_iptables(output: bytes) -> Result:
    """Judge `iptables --list-rules INPUT`."""
    lines = output.decode("ascii", "replace").splitlines()
    policy = next((line.split()[2] for line in lines if re.fullmatch(r"-P INPUT \w+", line)), None)
    if policy is None:
        return unknown("iptables printed no policy for INPUT")
    closed = policy == "DROP" or any(re.fullmatch(r"-A INPUT -j (DROP|REJECT.*)", line) for line in lines)
    value = {"program": "iptables", "policy": policy}
    return Result("pass", value) if closed else Result("fail", value, "iptables lets in what it does not know")


def _ask(program: str, parse: Callable[[bytes], Result], *arguments: str) -> Result | None:
    """Return what `program` shows, None when it is not installed."""
    if commands.find(program) is None:
        return None
    output = commands.run(program, *arguments)
    if output.code == 0:
        return parse(output.stdout)
    if any(words in output.stderr for words in _NOT_ALLOWED):
        return unknown("only root may read the rules; run the agent as root")
    return unknown(f"{program} failed")


def _collect(_: Surroundings) -> Result:
    answers = (
        _ask("nft", parse_nft, "--json", "list", "ruleset"),
        _ask("iptables", parse_iptables, "--list-rules", "INPUT"),
    )
    given = [answer for answer in answers if answer is not None]
    if not given:
        return Result("fail", {"program": None}, "neither nftables nor iptables is installed")
    # Either may be the one in use: a pass of one is enough, and what cannot be told is no failure.
    order = ("pass", "unknown", "fail")
    return min(given, key=lambda answer: order.index(answer.status))


CHECK = Check(
    id="firewall",
    title="Firewall",
    passes="an input chain drops or rejects what no rule accepts",
    reads="nft, iptables",
    values="`program`, and what it was seen to do",
    interval=60,
    collect=_collect,
)
