# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each module in place and as a payload, with the same input: nothing that can be seen from outside differs."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

from runs import (
    COLLECTION,
    OUTPUT,
    TWO_ENDS,
    Plain,
    Run,
    check,
    connection,
    module_options,
    play,
    playbook,
    private_file,
    say,
    seed,
    task,
)

HERE = Path(__file__).resolve().parent
WAYS = ("host-in-place", "host-payload")
"""Two hosts. What they have in common is named {{ inventory_hostname }}."""
HOST = "{{ inventory_hostname }}"
TIMES = re.compile(r'"(?:now": "[^"]+"|age_seconds": \d+)')
"""What an image document has of the time of the task."""
ENDS_IN_PLACE = ("out_of_memory", "killed", "agent", "imported")
ENDS = ("surroundings", "noisy", "values", "large", "secret", "temporary", "left", "raising", "failing", "returning")


def hosts() -> Path:
    """The same machine twice. Both ways use the Python that runs Ansible."""
    ways = [WAYS[0], f"{WAYS[1]} imageops_registry_in_place=no"]
    both = ["[all:vars]", "ansible_connection=local", "ansible_python_interpreter='{{ ansible_playbook_python }}'"]
    return private_file("two-hosts", "\n".join([*ways, *both]))


def compared(done: Run, what: str) -> None:
    """Fail where a task has another result in place."""
    results: dict[str, dict[str, str]] = {}
    for entry in done.results:
        kept = json.dumps([entry["status"], entry["result"]], sort_keys=True, indent=1)
        kept = TIMES.sub("TIME", kept)
        for way in WAYS:
            kept = kept.replace(way, "HOST")
        results.setdefault(entry["task"], {})[entry["host"]] = kept
    check(len(results) > 3, f"{what}: only {len(results)} tasks ran\n{done.output}")
    for name, both in results.items():
        check(set(both) == set(WAYS), f"{what}, {name}: it ran {set(both)}")
        check(both[WAYS[0]] == both[WAYS[1]], f"{what}, {name}: {both[WAYS[1]]}\nin place: {both[WAYS[0]]}")
    ran = re.findall(r"^<(\S+)> imageops\.registry\.\w+ (runs in place|runs as a payload)", done.output, re.MULTILINE)
    check(set(ran) == {(WAYS[0], "runs in place"), (WAYS[1], "runs as a payload")}, f"{what}: {set(ran)}")
    say(f"{what}: {len(results)} tasks have the same result")


def modules_are_equal() -> None:
    """Every module: check mode and diff, the first time, again, and where it fails."""
    image = seed("dev", "single", "in-place")[0]
    tasks: list[Plain] = []
    for module, known in module_options(image).items():
        options = {**connection("dev"), **known}
        if module in TWO_ENDS:
            options = {**connection("prod"), "source": connection("dev"), **known}
        if module in ("blob", "manifest"):
            options |= {"repository": f"in-place/{HOST}", "source_repository": image["repository"]}
        if module in ("image_copy", "image_diff_info"):
            options["images"] = [{**known["images"][0], "destination_repository": f"in-place/{HOST}"}]
        if module == "tag":
            options["tag"] = f"{HOST}-tag"
        for path in ("dest", "path"):
            if path in options:
                options[path] = f"{OUTPUT}/{HOST}-{module}"
        if not module.endswith("_info"):
            tasks.append(task(module, options, name=f"{module}, checked", check_mode=True, diff=True))
        tasks.append(task(module, {**options, "authfile": "{{ auth }}", "auth_file": "{{ auth }}"}, diff=True))
    nowhere = {**connection("dev"), "registry": "localhost:1", "retries": 0}
    tasks.append(task("registry_info", nowhere, name="nobody there", ignore_errors=True))
    tasks.append(task("tag_info", {**connection("dev"), "tagg": "x"}, name="no such option", ignore_errors=True))
    tasks.append(task("tag_info", {**connection("dev"), "jobs": "many"}, name="no number", ignore_errors=True))
    auth = str(private_file("empty-auth.json", "{}"))
    invocation = {"ANSIBLE_INJECT_INVOCATION": "true"}
    book = play(tasks, hosts="all")
    done = playbook(book, {"auth": auth}, "-vvv", environment=invocation, hosts=hosts(), noise=True, afresh=True)
    compared(done, "modules")
    warned = [entry for entry in done.results if entry["result"].get("warnings")]
    check(len(warned) >= 2 * len(module_options(image)), f"only {len(warned)} results have warnings")


def with_probe() -> dict[str, str]:
    """An environment in which the collection has one more module, that probes."""
    root = OUTPUT / "collections"
    copy = root / "ansible_collections/imageops/registry"
    shutil.rmtree(root, ignore_errors=True)
    for part in ("plugins", "meta"):
        shutil.copytree(COLLECTION / part, copy / part)
    for name in ("galaxy.yml", "MANIFEST.json"):
        if (COLLECTION / name).exists():
            shutil.copy(COLLECTION / name, copy / name)
    shutil.copy(HERE / "probe" / "module.py", copy / "plugins/modules/probe.py")
    shutil.copy(copy / "plugins/action/tag_info.py", copy / "plugins/action/probe.py")
    return {"ANSIBLE_COLLECTIONS_PATH": str(root)}


def processes_are_equal() -> None:
    """What a module finds, and how it may end, by a module that is made for it."""
    environment = {"TZ": "Asia/Kathmandu", "TMPDIR": str(OUTPUT), "SAID": 'it\'s "$HOME" \\ é', "NUMBER": 1}
    tasks = [
        task("probe", {"way": way, "password": "correct horse"}, name=way, ignore_errors=True, environment=environment)
        for way in (*ENDS, "left")
    ]
    tasks[-1]["name"] = "left again"
    tasks.append(task("probe", {"way": "leaving"}, name="leaving", ignore_errors=True))
    log = OUTPUT / "equal.log"
    log.unlink(missing_ok=True)
    variables = {**with_probe(), "ANSIBLE_LOG_PATH": str(log), "ANSIBLE_PIPELINING": "true"}
    done = playbook(play(tasks, hosts="all"), {}, "-vvv", environment=variables, hosts=hosts(), noise=True, afresh=True)
    compared(done, "processes")
    check("nobody reads this" not in log.read_text() + done.output, "a library's log is Ansible's")
    noisy = next(entry["result"] for entry in done.results if entry["task"] == "noisy")
    check(bool(noisy["warnings"] and noisy["deprecations"]), f"no warning, no deprecation: {noisy}")


def ends_in_place() -> None:
    """A crash is a sentence. A process that the module leaves behind delays nothing. Nothing is imported again."""
    tasks = [task("probe", {"way": way}, name=way, ignore_errors=True) for way in ENDS_IN_PLACE]
    began = time.monotonic()
    done = playbook(play(tasks, hosts=WAYS[0]), {}, environment=with_probe(), hosts=hosts(), afresh=True)
    check(time.monotonic() - began < 50, "it waited for the process that was left behind")
    memory, killed = (done.of(way) for way in ENDS_IN_PLACE[:2])
    check(memory["msg"] == "The machine has not enough memory for the module.", f"without memory: {memory}")
    check(killed["msg"].startswith("The module imageops.registry.probe was killed by SIGKILL"), f"killed: {killed}")
    check(done.of("imported")["by_ansible"], "it was imported by a worker process")
    for result in (memory, killed):
        check(result["failed"] and "\n" not in result["msg"], f"no sentence: {result}")
        told = set(result) - {"failed", "msg", "changed", "exception", "_ansible_no_log"}
        check(not told, f"it has {told}")
