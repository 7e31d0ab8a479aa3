# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make demo: two private registries with TLS and login, images in one of them, and their promotion to the other.

The registries and their images are kept in `.build/demo`; a second demo finds everything promoted.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import common
import making
import pythons
import running
from common import COPY, Failed, say

STATE = common.BUILD / "demo" / "registries"
IMAGES = common.BUILD / "demo" / "images.json"
RESULT = common.BUILD / "demo" / "result.json"
HARNESS = Path("tests", "registries", "registries.py")
PLAY = COPY / "tests" / "demo" / "promote.yml"
SOURCE, DESTINATION = "dev", "prod"
SEED = ["--layers", "3", "--layer-size", "1MiB"]


def harness(what: str, *arguments: object, cleanup: bool = False) -> None:
    venv = making.venv(pythons.REGISTRIES)
    command = [venv / "bin" / "python", COPY / HARNESS, what, "--state", STATE, *arguments]
    env = running.environment_for(venv)
    status, output = running.run(command, f"demo-registries-{what}", cleanup=cleanup, env=env)
    if status:
        raise Failed(running.shorten(output))


def play(core: Path) -> dict[str, Any]:
    """Run the playbook once. Returns whether it ``changed`` something, its report as ``lines``, and its ``recap``."""
    RESULT.unlink(missing_ok=True)
    variables = {"demo_state": str(STATE), "demo_images": str(IMAGES), "demo_result": str(RESULT)}
    command = [core / "bin" / "ansible-playbook", PLAY, "-e", json.dumps(variables)]
    env = running.environment_for(core, ANSIBLE_LOCALHOST_WARNING="0", ANSIBLE_INVENTORY_UNPARSED_WARNING="0")
    status, output = running.run(command, "demo-play", env=env)
    if status:
        raise Failed(f"{running.shorten(output)}\nThe playbook failed.")
    recap = next((line for line in output.splitlines() if line.startswith("localhost ")), "")
    result: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8"))
    result["recap"] = " ".join(recap.partition(":")[2].split())
    return result


def tell_all(result: dict[str, Any]) -> None:
    for line in result["lines"]:
        say(f"  {line}")
    say(f"  Ansible says: {result['recap']}")


def harness_words(what: str) -> str:
    """A command of the harness as a user can enter it in the repository."""
    python = common.shown(making.venv(pythons.REGISTRIES) / "bin" / "python")
    return shlex.join([python, str(HARNESS), what, "--state", common.shown(STATE)])


def main() -> int:
    with common.lock():
        making.sync()
        making.prepare_home()
        making.system_packages({"docker-registry": "docker-registry"})
        newest = pythons.cores()[-1]
        making.venvs(newest, pythons.REGISTRIES)
        core = making.venv(newest)
        STATE.parent.mkdir(parents=True, exist_ok=True)
        known_before = IMAGES.exists()
        try:
            harness("start", f"{SOURCE},tls,login=token", f"{DESTINATION},tls,login=htpasswd")
            harness("seed", "--registry", SOURCE, *SEED, "--output", IMAGES)
            known = json.loads((STATE / "registries.json").read_text(encoding="utf-8"))["registries"]
            say(
                f"Two private registries run, with TLS: {SOURCE} ({known[SOURCE]['address']}, token login) "
                f"and {DESTINATION} ({known[DESTINATION]['address']}, htpasswd login)."
            )
            say(f"{len(json.loads(IMAGES.read_text(encoding='utf-8')))} images are in {SOURCE}. The playbook runs ...")
            tell_all(play(core))
            say("Once more: what is equal is left alone ...")
            again = play(core)
            tell_all(again)
        finally:
            harness("stop", cleanup=True)
    if again["changed"]:
        raise Failed("The second run changed something, and it must not.")
    say(f"Done: {DESTINATION} serves what {SOURCE} serves. The playbook: tests/demo/promote.yml")
    say(f"Both registries are stopped; they keep their images in {common.shown(STATE)}. This starts them again:")
    say(f"  {harness_words('start')}")
    say("Addresses and passwords are then in registries.json there; `stop` instead of `start` ends them.")
    if known_before:
        say("The images were there from an earlier demo; after `make clean`, a demo begins from nothing.")
    return 0


if __name__ == "__main__":
    running.command(main)
