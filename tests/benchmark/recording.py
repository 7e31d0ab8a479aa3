# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What records cost: tags of many images are moved with a record, in a directory whose ledger knows many digests.

Usage: make bench ARGS="records [--images N] [--digests N] [--rounds N]"

Starts two registries of its own, and pushes the same images to both. Each round gives all of them a new tag, with
record.path. A line for the record and one for the ledger of first sights has the median of the seconds that reading
and writing them took, and the most. Runs with the Python of the registries' harness; the module runs with that of
--core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# The harness is programs of its own, and no package that could be imported otherwise.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "registries"))

from fleet import start, stop
from images import image, layer
from seeding import Pusher
from specification import Specification
from state import State

HERE = Path(__file__).resolve().parent
ENDS = ("source", "destination")
REPOSITORIES = 20


def seeded(state: State, number: int) -> list[dict[str, str]]:
    """Push so many images to both registries. Returns where each is."""
    base = layer("recorded/base", 2048)
    items = [{"repository": f"recorded/{place % REPOSITORIES:02d}", "tag": f"1.{place}"} for place in range(number)]

    def push(end: str, first: int) -> None:
        with Pusher(state.registry(end), str(state.ca_path)) as pusher:
            for place in range(first, number, 2):
                made = image([base, layer(f"recorded/{place}", 2048)], f"recorded {place}")
                pusher.push_manifest(items[place]["repository"], made, items[place]["tag"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda given: push(*given), [(end, first) for end in ENDS for first in (0, 1)]))
    return items


def write_ledger(directory: Path, number: int) -> None:
    """A ledger of first sights that knows so many digests."""
    digests = (f"sha256:{hashlib.sha256(str(place).encode()).hexdigest()}" for place in range(number))
    known = {f"registry.example/team/app@{digest}": "2026-01-01T00:00:00Z" for digest in digests}
    (directory / "first-seen.json").write_text(json.dumps(known, separators=(",\n", ": ")), encoding="ascii")


def copy(core: Path, options: dict[str, Any]) -> dict[str, float]:
    """Copy once, in a process of its own. Returns the seconds of each part."""
    command = [str(core / "bin" / "python"), str(HERE / "record_once.py")]
    done = subprocess.run(command, input=json.dumps(options), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--core", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--digests", type=int, default=100000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        state = State(Path(directory) / "registries")
        start(state, [Specification(name) for name in ENDS])
        runs = []
        try:
            items = seeded(state, asked.images)
            source, destination = ({"registry": state.registry(name)["address"], "plain_http": True} for name in ENDS)
            for number in range(asked.rounds):
                # A new directory each time: otherwise only the first run meets new digests.
                records = Path(directory) / f"records-{number}"
                records.mkdir()
                write_ledger(records, asked.digests)
                images = [{**item, "tags": [item["tag"], f"{item['tag']}-{number}"]} for item in items]
                record = {"path": str(records)}
                runs.append(copy(asked.core, {**destination, "source": source, "images": images, "record": record}))
        finally:
            stop(state)
    print(f"{asked.images} images get a new tag each; medians of {asked.rounds} rounds, and the most")
    for name, what in (
        ("record", "the record"),
        ("ledger", f"the ledger of {asked.digests} digests"),
        ("whole", "image_copy in all"),
    ):
        seconds = [run[name] for run in runs]
        print(f"{what:32} {statistics.median(seconds):6.2f} s, {max(seconds):6.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
