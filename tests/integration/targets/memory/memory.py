# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A large layer on all its ways, and the memory that the modules take for it."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from pathlib import Path

from private_memory import little_memory
from runs import CONFIG, OUTPUT, Failed, Plain, check, harness, inventory, main, play, playbook, private_file, say, task

SIZE = int(CONFIG["layer_mib"]) * 1024**2
LIMIT_MIB = 100
NEEDED_GIB = 5 * SIZE / 1024**3
STATE = OUTPUT / "memory-registries"
REPOSITORY = "large/layer"
FILE, DOWNLOADED, PEAKS = OUTPUT / "large", OUTPUT / "large-downloaded", OUTPUT / "peaks"

# Runs the real Python as a child, and notes how much memory it took at most.
WRAPPER = f"""#!{sys.executable}
import resource, subprocess, sys
status = subprocess.call([{sys.executable!r}, *sys.argv[1:]])
with open({str(PEAKS)!r}, "a") as stream:
    stream.write(f"{{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}}\\n")
sys.exit(status)
"""


def large_file() -> str:
    """A sparse file with the size of a large layer. Returns its digest."""
    with FILE.open("wb") as stream:
        stream.write(b"a layer")
        stream.truncate(SIZE)
    digest = hashlib.sha256()
    with FILE.open("rb", buffering=0) as stream:
        for piece in iter(lambda: stream.read(1024**2), b""):
            digest.update(piece)
    return f"sha256:{digest.hexdigest()}"


def ways(digest: str) -> list[Plain]:
    """From a file to a registry, from there to another one, and from that into a file."""
    registries = json.loads((STATE / "registries.json").read_text(encoding="utf-8"))["registries"]
    first, second = ({"registry": registries[name]["address"], "plain_http": True} for name in ("first", "second"))
    blob = {"repository": REPOSITORY, "digest": digest}
    return [
        task("blob", {**first, "repository": REPOSITORY, "path": str(FILE)}, name="from file to registry"),
        task("blob", {**second, **blob, "source": first}, name="from registry to registry"),
        task("blob_download", {**second, **blob, "dest": str(DOWNLOADED)}, name="from registry to file"),
    ]


def flat_memory() -> None:
    """Each way takes less than 100 MiB."""
    free = shutil.disk_usage(OUTPUT).free / 1024**3
    if free < NEEDED_GIB:
        raise Failed(f"{free:.1f} GiB of disk space are free at {OUTPUT}, and this target needs {NEEDED_GIB:.1f}.")
    wrapper = private_file("measured-python", WRAPPER)
    wrapper.chmod(0o700)
    try:
        harness("start", "--state", str(STATE), "first", "second")
        digest = large_file()
        for step in ways(digest):
            PEAKS.unlink(missing_ok=True)
            started = time.monotonic()
            done = playbook(play([step]), {}, hosts=inventory(wrapper))
            took = time.monotonic() - started
            result = done.of(step["name"])
            check(result["changed"] is True, f"{step['name']}: {result}")
            transfer = result["transfer"]
            moved = max(transfer["bytes_uploaded"], transfer["bytes_downloaded"])
            check(moved == SIZE, f"{step['name']}: {moved} bytes were moved")
            peaks = [int(line) / 1024 for line in PEAKS.read_text().split()]
            check(bool(peaks) and max(peaks) < LIMIT_MIB, f"{step['name']}: {peaks} MiB of memory")
            say(f"{step['name']}: {SIZE / 1024**3:g} GiB in {took:.0f} s, at most {max(peaks):.0f} MiB of memory")
        check(DOWNLOADED.stat().st_size == SIZE, f"the file has {DOWNLOADED.stat().st_size} bytes")
    finally:
        for file in (FILE, DOWNLOADED):
            Path(file).unlink(missing_ok=True)
        harness("stop", "--state", str(STATE), "--delete")


main([flat_memory, little_memory])
