# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gates and a signature cost: a comparison of many new images with five gates and one key, beside one without.

Usage: make bench ARGS="judging [--images N] [--rounds N]"

Starts two registries of its own, with TLS and a token server each, and pushes the images with a signature of cosign
each. Then the module image_diff_info compares them, in turns without and with gates and the key. A line for each kind
of comparison has the medians of the seconds, by the clock and of the processor, the requests, and the most memory that
one of its runs has taken. The last line has the ratios. Runs with the Python of the registries' harness; the module
runs with that of --core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / name) for name in ("registries", "integration/targets/setup_runs")]

from signing import key_of, signature_image  # noqa: E402

from fleet import start, stop  # noqa: E402
from images import image, layer  # noqa: E402
from seeding import Pusher  # noqa: E402
from specification import Specification  # noqa: E402
from state import State  # noqa: E402

KEY = key_of("benchmark")
GATES = [
    {"name": "labelled", "that": 'labels."org.opencontainers.image.version" != null'},
    {"name": "small", "that": "total_size < `1000000000`"},
    {"name": "platforms", "that": "contains(platforms, 'linux/amd64')"},
    {"name": "old enough", "that": "age_seconds > `60`"},
    {"name": "no latest", "that": "!contains(destination.tags[].tag, 'latest')"},
]
REPOSITORIES = 20


class Run(NamedTuple):
    """What one comparison took."""

    seconds: float
    processor: float
    """Seconds of processor time, which other work on the machine doesn't change much."""
    requests: int
    mebibytes: float


def seeded(state: State, number: int) -> list[dict[str, Any]]:
    """Push so many images, each with a signature. Returns them as options of the module."""
    base = [layer(f"judged/base/{place}", 2048) for place in range(3)]
    items = [{"repository": f"judged/{place % REPOSITORIES:02d}", "tag": f"1.{place}"} for place in range(number)]

    def push(places: range) -> None:
        with Pusher(state.registry("source"), str(state.ca_path)) as pusher:
            for place in places:
                made = image([*base, layer(f"judged/{place}", 2048)], f"judged {place}")
                pusher.push_manifest(items[place]["repository"], made, items[place]["tag"])
                tag = made.digest.replace(":", "-") + ".sig"
                pusher.push_manifest(items[place]["repository"], signature_image(KEY, made.digest), tag)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(push, [range(first, number, 4) for first in range(4)]))
    return items


def options_of(state: State, items: list[dict[str, Any]]) -> dict[str, Any]:
    """What the module is called with."""
    ends = [
        {"registry": state.registry(name)["address"], "auth_file": str(state.directory / "auth.json")}
        for name in ("source", "destination")
    ]
    source, destination = ({**end, "ca_path": str(state.ca_path)} for end in ends)
    return {**destination, "source": source, "images": items}


def compare(core: Path, options: dict[str, Any]) -> Run:
    """Compare once, in a process of its own."""
    command = [str(core / "bin" / "python"), str(HERE / "compare_once.py")]
    done = subprocess.run(command, input=json.dumps(options), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}")
    found = json.loads(done.stdout)
    if found["promoted"] != len(options["images"]):
        raise SystemExit(f"{found['promoted']} of {len(options['images'])} images would be promoted")
    return Run(found["seconds"], found["processor"], found["requests"], found["mebibytes"])


def report(name: str, runs: list[Run]) -> tuple[float, float]:
    """Print a line about runs. Returns the medians of their seconds, and of those of the processor."""
    seconds = statistics.median(run.seconds for run in runs)
    processor = statistics.median(run.processor for run in runs)
    most = max(run.mebibytes for run in runs)
    times = f"{seconds:6.2f} s {processor:6.2f} s of processor time"
    print(f"{name:28} {times} {runs[0].requests:7} requests {most:6.0f} MiB")
    return seconds, processor


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--core", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        state = State(Path(directory) / "registries")
        start(state, [Specification(name, tls=True, login="token") for name in ("source", "destination")])
        try:
            options = options_of(state, seeded(state, asked.images))
            key = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            judging = {**options, "gates": GATES, "signatures": [{"keys": [key]}]}
            runs: dict[str, list[Run]] = {"without gates and signatures": [], "with five gates and one key": []}
            for number in range(asked.rounds + 1):
                for (_name, found), given in zip(runs.items(), (options, judging)):
                    run = compare(asked.core, given)
                    # The first round warms up.
                    if number:
                        found.append(run)
        finally:
            stop(state)
    print(f"{asked.images} images, each signed and new to the destination; medians of {asked.rounds} rounds")
    without, judged = (report(name, found) for name, found in runs.items())
    print(f"ratio: {judged[0] / without[0]:.2f}, of processor time {judged[1] / without[1]:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
