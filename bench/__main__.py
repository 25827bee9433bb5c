"""`python -m bench [--quick] [--only NAME]`: run the rows, print the table, write bench/results/*.json."""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench import machine, people, viewer
from bench.backup import BACKUP
from bench.links import LINKS
from bench.load import Wrk
from bench.minimise import MINIMISE
from bench.report import Row, footnotes, table
from bench.rig import RAISED, BenchError, Rig
from bench.rows import ROWS as PEERS
from bench.rows import Bench
from bench.searches import SEARCHES
from bench.views import VIEWS

ROWS = {**PEERS, **people.ROWS, **viewer.ROWS, **BACKUP, **LINKS, **SEARCHES, **VIEWS, **MINIMISE}
_RESULTS = Path(__file__).parent / "results"
CONDITIONS = (
    """Everything on in the gateway: ES256 token, enrolled device with posture reported over mTLS, leased decision of \
the shipped policy, record on disk. The peers check nothing. One worker each, access logs off, upstream kept alive.""",
    """Plaintext rows: wrk shows no client certificate there, so each plaintext connection counts as one over which \
the bench's device has proven its certificate; it is judged on every request all the same. TLS rows: real mTLS.""",
    f"""Raised for the bench: max_connections {RAISED} (shipped 24), limits.per_subject (shipped 1000/s). Eight people \
share one workstation (devices table), since one person may have eight requests at the archive.""",
    "Medians of interleaved rounds; in brackets the least and the most. GB is 10^9 bytes.",
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: to look, not to quote")
    parser.add_argument("--only", action="append", choices=ROWS, help="this row alone (may be given again)")
    parser.add_argument("--rounds", type=int, help="rounds of each row (5; with --quick 2)")
    parser.add_argument("--seconds", type=float, help="seconds of each round (4; with --quick 2)")
    return parser.parse_args()


async def _run(options: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="leadglass-bench-") as folder:
        rig = Rig(Path(folder))
        try:
            await rig.start()
            quick = options.quick
            bench = Bench(
                rig, Wrk(rig), options.rounds or (2 if quick else 5), options.seconds or (2 if quick else 4), quick
            )
            for name in options.only or ROWS:
                sys.stderr.write(f"bench: {name}\n")
                try:
                    done = await ROWS[name](bench)
                except BenchError as error:  # the other rows still tell something
                    done = [Row(name, "-", {}, note=f"failed: {error}")]
                rows += [_with_missing(row, rig.missing) for row in done]
        finally:
            await rig.stop()
    return rows


def _with_missing(row: Row, missing: list[str]) -> Row:
    return replace(row, note=f"{row.note} not there: {', '.join(missing)}".strip()) if missing else row


def main() -> int:
    options = _arguments()
    taken_on, when = machine.facts(), datetime.now(UTC)
    try:
        rows = asyncio.run(_run(options))
    except BenchError as error:
        sys.stderr.write(f"bench: error: {error}\n")
        return 3
    print(table(rows))
    print()
    for line in (*CONDITIONS, *footnotes(rows)):
        print(f"- {line}")
    print("- " + ", ".join(f"{name} {value}" for name, value in taken_on.items()))
    _RESULTS.mkdir(exist_ok=True)
    file = _RESULTS / f"{when:%Y%m%dT%H%M%SZ}{'-quick' if options.quick else ''}.json"
    document = {
        "at": when.isoformat(timespec="seconds"),
        "quick": options.quick,
        "machine": taken_on,
        "conditions": CONDITIONS,
        "rows": [row.document() for row in rows],
    }
    file.write_text(json.dumps(document, indent=1) + "\n")
    print(f"\nwritten: {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
