# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills a promotion when the destination has seen some requests, looks at what is visible, and runs it again."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "setup_runs"))
from killing import kill_tree

PUT_PATHS = {"blobs": r"/blobs/uploads/", "manifests": r"/manifests/sha256:"}
SECONDS = 120
SLOWLY = json.dumps({"promote_requests_per_second": 10})
"""So that the kill comes before the tags."""
IN_PLACE = {"ANSIBLE_PYTHON_INTERPRETER": "auto_silent", "ANSIBLE_PYTHON_MODULE_RLIMIT_NOFILE": "0"}
"""As users have it, in place of what ansible-test sets. Killed are payloads: the target in_place has the others."""


class Failed(Exception):
    """What should not have happened."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("harness", "state", "registry", "images", "variables", "work", "what", "prefix"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--after", type=int, required=True)
    return parser.parse_args()


class Promotion:
    """One playbook run over a set of images."""

    def __init__(self, options: argparse.Namespace, images: list[dict[str, Any]]) -> None:
        self.options = options
        self.harness = Path(options.harness).resolve().parent
        self.result = Path(options.work, f"{options.prefix}-result.json")
        self.set = Path(options.work, f"{options.prefix}-images.json")
        self.set.write_text(json.dumps({"promote_images": images, "killed_result": str(self.result)}))
        self.playbook = Path(__file__).with_name("promote.yml")

    def requests(self, mark: str, *methods: str) -> list[str]:
        """The paths of the successful requests since ``mark``."""
        sys.path.insert(0, str(self.harness))
        from access_log import read_requests
        from state import State

        seen = read_requests(State(Path(self.options.state)), self.options.registry, since=mark)
        return [entry["path"] for entry in seen if entry["method"] in methods and entry["status"] < 300]

    def mark(self) -> str:
        sys.path.insert(0, str(self.harness))
        from access_log import mark_logs
        from state import State

        return str(mark_logs(State(Path(self.options.state))))

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        variables = ["-e", f"@{self.options.variables}", "-e", f"@{self.set}"]
        command = ["ansible-playbook", str(self.playbook), *variables, *arguments]
        log = self.result.with_suffix(".log").open("wb")
        env = {**os.environ, **environment}
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=env, start_new_session=True)

    def kill_after(self, count: int, what: str) -> None:
        """SIGKILL the playbook and all that it started when the destination has taken ``count`` things."""
        mark = self.mark()
        process = self.start("-e", SLOWLY)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if sum(bool(re.search(PUT_PATHS[what], path)) for path in self.requests(mark, "PUT")) >= count:
                kill_tree(process.pid)
                process.wait()
                return
            time.sleep(0.01)
        raise Failed(f"the promotion ended by itself before {count} {what} were there")

    def finish(self) -> dict[str, Any]:
        if self.start(**IN_PLACE).wait(SECONDS):
            raise Failed(f"the promotion that was run again failed:\n{self.result.with_suffix('.log').read_text()}")
        finished: dict[str, Any] = json.loads(self.result.read_text())
        return finished


def main() -> None:
    options = arguments()
    seeded = json.loads(Path(options.images).read_text())
    images = [
        {
            "repository": image["repository"],
            "tag": image["tag"],
            "destination_repository": image["repository"].replace("killed", options.prefix, 1),
        }
        for image in seeded
    ]
    promotion = Promotion(options, images)
    beginning = promotion.mark()
    promotion.kill_after(options.after, options.what)
    # A request that was under way when its client died may still be answered.
    time.sleep(0.5)
    writes = promotion.requests(beginning, "PUT")
    tags = [path for path in writes if "/manifests/" in path and "/manifests/sha256:" not in path]
    if tags:
        raise Failed(f"a tag was visible after the kill: {tags}")
    arrived = [path for path in writes if "/blobs/uploads/" in path]
    before_second = promotion.mark()
    finished = promotion.finish()
    if {image["action"] for image in finished["images"]} != {"promote"}:
        raise Failed(f"not everything was promoted: {finished}")
    if [image["digest"] for image in finished["images"]] != [image["digest"] for image in seeded]:
        raise Failed("the digests are not those of the source")
    uploads = [path for path in promotion.requests(before_second, "PUT") if "/blobs/uploads/" in path]
    distinct = {blob["digest"] for image in seeded for blob in image["blobs"]}
    if len(arrived) + len(uploads) != len(distinct):
        raise Failed(f"{len(arrived)} blobs had arrived, {len(uploads)} were sent again, of {len(distinct)} in all")
    if promotion.finish()["changed"]:
        raise Failed("a third run changed something")
    if options.what == "blobs" and not uploads:
        raise Failed("the kill came too late: all blobs had arrived")
    print(
        f"killed after {options.after} {options.what}: {len(arrived)} blobs had arrived, {len(uploads)} were sent later"
    )


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(str(failure))
