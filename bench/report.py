"""What is made of the figures: medians, ratios, verdicts and the table. Pure: no clock, no process, no file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

PEERS = ("gateway", "nginx", "nginx-256k", "envoy")
"""Who is measured, in the order of the columns."""


@dataclass(frozen=True, slots=True)
class Target:
    """A figure of the gateway beside its bound. `what` says what is compared, such as "x of nginx"."""

    what: str
    measured: float
    bound: float
    sense: Literal["at least", "under"]

    @property
    def met(self) -> bool:
        return self.measured >= self.bound if self.sense == "at least" else self.measured < self.bound

    def verdict(self) -> str:
        """Return `met`, or by how much of the bound it is short."""
        if self.met:
            return "met"
        gap = self.bound - self.measured if self.sense == "at least" else self.measured - self.bound
        return f"short by {gap / self.bound:.0%}" if self.bound else "short"

    def text(self) -> str:
        sign = ">=" if self.sense == "at least" else "<"
        return f"{number(self.measured)} {self.what} (target {sign} {number(self.bound)}): {self.verdict()}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: the figures of each round by who gave them, and the targets they are held to."""

    name: str
    unit: str
    rounds: Mapping[str, Sequence[float]]
    targets: Sequence[Target] = ()
    note: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the row as JSON."""
        targets = [{**asdict(target), "met": target.met} for target in self.targets]
        medians = {name: median(values) for name, values in self.rounds.items() if values}
        return {**asdict(self), "median": medians, "targets": targets}


def median(values: Sequence[float]) -> float:
    """Return the middle of the values, the mean of the two in the middle of an even number."""
    if not values:
        raise ValueError("no values")
    ordered, half = sorted(values), len(values) // 2
    return float(ordered[half]) if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` (0 to 1) of all values do not exceed."""
    if not values or not 0 <= share <= 1:
        raise ValueError("no values, or a share outside 0 to 1")
    ordered = sorted(values)
    return float(ordered[max(0, -int(-share * len(ordered) // 1) - 1)])


def ratio(rounds: Mapping[str, Sequence[float]], other: str, bound: float) -> Target:
    """Return the gateway's median over another's, to be at least `bound`."""
    return Target(f"x {other}", median(rounds["gateway"]) / median(rounds[other]), bound, "at least")


def number(value: float) -> str:
    """Return a figure with as many digits as mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.3f}"


def table(rows: Sequence[Row]) -> str:
    """Return the table as Markdown: medians, with the spread of the rounds in brackets behind the gateway's."""
    lines = [
        "| row | unit | " + " | ".join(PEERS) + " | target |",
        "|---|---|" + "--:|" * len(PEERS) + "---|",
    ]
    for row in rows:
        cells = [_cell(row.rounds.get(peer, ()), spread=peer == "gateway") for peer in PEERS]
        said = "; ".join(target.text() for target in row.targets) or row.note or "-"
        lines.append(f"| {row.name} | {row.unit} | {' | '.join(cells)} | {said} |")
    return "\n".join(lines)


def _cell(values: Sequence[float], *, spread: bool) -> str:
    if not values:
        return "-"
    text = number(median(values))
    if spread and len(values) > 1:
        text += f" ({number(min(values))} - {number(max(values))})"
    return text


def footnotes(rows: Sequence[Row]) -> list[str]:
    """Return the notes of rows that have both targets and a note."""
    return [f"{row.name}: {row.note}" for row in rows if row.note and row.targets]
