# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run playbooks as a user does, and look at what they print, what they return and what the registries saw."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from terminal import Answer, run_in_terminal

from access_log import mark_logs, read_requests
from catalogue import Options
from errors import HarnessError
from seeding import seed as seed_images
from state import State

Plain = dict[str, Any]

HERE = Path(__file__).resolve().parent
OUTPUT = Path(os.environ["OUTPUT_DIR"])
RESULTS = OUTPUT / "results.jsonl"
"""The results of the tasks of a playbook, one a line."""
CONFIG: Plain = json.loads((HERE.parent.parent / "integration_config.yml").read_text(encoding="utf-8"))
REGISTRIES: dict[str, Plain] = CONFIG["registries"]
COLLECTION = Path(os.environ["ANSIBLE_COLLECTIONS_PATH"].split(":")[0], "ansible_collections/imageops/registry")
TWO_ENDS = {"blob", "image_copy", "image_diff_info", "manifest"}
"""Modules that take ``source``."""
PROMOTE = "imageops.registry.promote"
TRANSFER = "imageops.registry.transfer"
WRITING = {"POST", "PUT", "PATCH", "DELETE"}

_NOISE = re.compile(r"^\s*(\[(DEPRECATION )?WARNING\]|Traceback \(most recent call last\))", re.MULTILINE)


class Failed(Exception):
    """A sentence that says what isn't as it should be."""


class Run(NamedTuple):
    """One run of ansible-playbook. ``results`` are those of its tasks, in their order."""

    status: int
    output: str
    results: list[Plain]

    def of(self, task: str) -> Plain:
        """The result of the task of that name."""
        found = [entry for entry in self.results if entry["task"].rpartition(" : ")[2] == task]
        if len(found) != 1:
            raise Failed(f"{len(found)} results of the task {task!r}\n{self.output}")
        return {**found[0]["result"], "failed": found[0]["status"] == "failed"}


def core_version() -> tuple[int, int]:
    """The release of ansible-core that runs."""
    said = subprocess.run(["ansible", "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = said.partition("core ")[2].split(".")[:2]
    return int(major), int(minor)


def check(condition: bool, complaint: str) -> None:
    """Raise :class:`Failed` with the complaint unless the condition holds."""
    if not condition:
        raise Failed(complaint)


def say(text: str) -> None:
    """Print a figure for whoever reads the log."""
    print(text, flush=True)


def private_file(name: str, content: str) -> Path:
    """A file that only we can read, in the directory of this run."""
    path = OUTPUT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(content, encoding="utf-8")
    return path


def inventory(python: str | Path = "{{ ansible_playbook_python }}") -> Path:
    """An inventory with an explicit localhost that runs modules with that Python."""
    return private_file("inventory", f"localhost ansible_connection=local ansible_python_interpreter='{python}'\n")


def play(tasks: list[Plain], **keywords: Any) -> Path:
    """A playbook with these tasks. JSON is YAML."""
    whole = {"name": "Generated", "hosts": "localhost", "gather_facts": False, **keywords, "tasks": tasks}
    return private_file("play.yml", json.dumps([whole], indent=2))


def task(module: str, options: Plain, **keywords: Any) -> Plain:
    """A task that calls a module of ours, and is named after it unless ``name`` is given."""
    return {"name": module, f"imageops.registry.{module}": options, **keywords}


def write_task(expression: str, path: Path) -> Plain:
    """A task that writes a value to a file, in JSON, as tasks find it: nothing is masked then."""
    content = {"content": "{{ " + expression + " | to_json }}", "dest": str(path), "mode": "0600"}
    return {"name": "Write down", "ansible.builtin.copy": content}


def modules() -> list[str]:
    """All modules of the collection."""
    found = sorted(path.stem for path in COLLECTION.glob("plugins/modules/*.py"))
    check(len(found) > 5, f"no modules in {COLLECTION}")
    return found


def module_options(image: Plain) -> dict[str, Plain]:
    """For every module, options with which it works on a seeded image, apart from those of the connection.

    Where a module takes ``source``, that is to be added.
    """
    repository, digest = image["repository"], image["digest"]
    tag: Plain = {"repository": repository, "tag": image["tag"]}
    blob: Plain = {"repository": repository, "digest": image["blobs"][0]["digest"]}
    known: dict[str, Plain] = {
        "blob": blob,
        "blob_download": {**blob, "dest": str(OUTPUT / "downloaded")},
        "blob_info": blob,
        "image_archive": {"state": "exported", "path": str(OUTPUT / "layout"), "images": [tag]},
        "image_copy": {"images": [tag]},
        "image_diff_info": {"images": [tag]},
        "manifest": {"repository": repository, "digest": digest},
        "manifest_info": {**tag, "include": ["config"]},
        "referrer_info": tag,
        "image_info": tag,
        "promotion_info": tag,
        "signature_info": {**tag, "signatures": [{"mode": "none"}]},
        "registry_info": {"repository": repository},
        "repository_info": {},
        "tag": {**tag, "digest": digest},
        "tag_info": {"repository": repository, "resolve": True},
    }
    unknown = set(modules()) - set(known)
    check(not unknown, f"these modules need options here: {unknown}")
    return {name: known[name] for name in modules()}


def playbook(
    name: str | Path,
    variables: Plain,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    hosts: Path | None = None,
    expected: int | None = 0,
    noise: bool = False,
    afresh: bool = False,
    answer: Answer | None = None,
) -> Run:
    """Run a playbook with these extra variables.

    ``expected`` is its exit status, None for any. It must print neither a warning nor a traceback, unless ``noise``.
    It runs in a process that has imported Ansible already, which is quicker, unless ``afresh``: for what Ansible does
    when it starts, and for what is seen of its process. With an ``answer``, it runs in a terminal, where that is typed.
    """
    RESULTS.unlink(missing_ok=True)
    extra = private_file("variables.json", json.dumps(variables))
    arguments = ("-i", str(hosts or inventory()), "-e", f"@{extra}", *arguments, str(name))
    try:
        status, output = _run(arguments, _environment(environment or {}), answer, afresh=afresh)
    finally:
        extra.unlink()
    results = []
    if RESULTS.exists():
        results = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    if expected is not None and status != expected:
        raise Failed(f"{name} ended with status {status}, not {expected}:\n{output}")
    if not noise and _NOISE.search(output):
        raise Failed(f"{name} printed a warning or a traceback:\n{output}")
    return Run(status, output, results)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """That of ansible-playbook, which writes down the results of tasks."""
    ours = {name: value for name, value in os.environ.items() if name != "RUNS_STARTED"}
    recording = {"ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callbacks"), "ANSIBLE_CALLBACKS_ENABLED": "record"}
    return {**ours, **recording, "RECORD_FILE": str(RESULTS), **more}


def _run(
    arguments: tuple[str, ...], environment: dict[str, str], answer: Answer | None, *, afresh: bool
) -> tuple[int, str]:
    """The exit status, and the output, of ansible-playbook."""
    if answer is not None:
        return run_in_terminal(["ansible-playbook", *arguments], environment, answer)
    if afresh:
        return _started(arguments, environment)
    return _imported(tuple(environment.items())).run(arguments)


def _started(arguments: Iterable[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """The exit status, and the output, of ansible-playbook."""
    done = subprocess.run(
        ["ansible-playbook", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
        check=False,
    )
    return done.returncode, done.stdout


class _Imported:
    """A process that has imported Ansible, and runs one playbook at a time. It ends when we do."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["python", str(HERE / "playbooks.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(self, arguments: Iterable[str]) -> tuple[int, str]:
        """The exit status, and the output, of ansible-playbook."""
        printed = OUTPUT / "playbook.log"
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        print(json.dumps({"arguments": list(arguments), "output": str(printed)}), file=stdin, flush=True)
        status = stdout.readline()
        check(status != "", "the process that runs playbooks has ended")
        return int(status), printed.read_text(encoding="utf-8", errors="replace")


@cache
def _imported(environment: tuple[tuple[str, str], ...]) -> _Imported:
    return _Imported(dict(environment))


def call(tasks: list[Plain], *, at_a_time: int = 1) -> Run:
    """Call the modules of these tasks without a playbook, each in a process of its own, so many at a time.

    Tasks that have the same ``series`` follow one another; they stand together in the list.

    For what a module does, where it doesn't matter who calls it, since a call is much quicker than a task. Tasks are as
    :func:`task` makes them, with ``check_mode`` and ``ignore_errors``, and ``warns`` where one may warn; no templates.
    """
    calls: list[Plain] = []
    for entry in tasks:
        (key,) = (key for key in entry if key.startswith("imageops.registry."))
        internal = {"_ansible_check_mode": entry.get("check_mode", False), "_ansible_tmpdir": str(OUTPUT)}
        calls.append({"module": key.rpartition(".")[2], "arguments": {**entry[key], **internal}})
    names = [entry.get("series", number) for number, entry in enumerate(tasks)]
    series = [[entry for _name, entry in found] for _name, found in groupby(zip(names, calls), itemgetter(0))]
    env = {name: value for name, value in os.environ.items() if name != "RUNS_STARTED"}
    soak = Path(CONFIG["registries_script"]).parents[1] / "soak"
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(COLLECTION.parents[2]), str(soak), env.get("PYTHONPATH")]))
    done = subprocess.run(
        ["python", str(HERE / "call_modules.py")],
        input=json.dumps({"series": series, "at_a_time": at_a_time}),
        capture_output=True,
        text=True,
        env=env,
        check=False,
        timeout=600,
    )
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) != len(tasks):
        raise Failed(f"{len(lines)} of {len(tasks)} modules could be called:\n{done.stderr}")
    results = []
    for entry, line in zip(tasks, lines):
        answer = json.loads(line)
        try:
            result = json.loads(answer["printed"])
        except json.JSONDecodeError:
            raise Failed(f"{entry['name']} printed no result:\n{answer['printed']}") from None
        failed = bool(result.get("failed"))
        if answer["status"] != int(failed):
            raise Failed(f"{entry['name']} ended with status {answer['status']}: {result}")
        if failed and not entry.get("ignore_errors"):
            raise Failed(f"{entry['name']} failed: {result}")
        noise = (result.get("warnings") and not entry.get("warns")) or result.get("deprecations")
        if noise or "Traceback" in str(result.get("exception")):
            raise Failed(f"{entry['name']} has a warning or a traceback: {result}")
        results.append({"task": entry["name"], "status": "failed" if failed else "ok", "result": result})
    return Run(done.returncode, done.stdout, results)


def connection(name: str, account: str | None = "", **more: Any) -> Plain:
    """The connection options of a registry. ``account`` is "" for the main one, "pull_", or None for no login."""
    entry = REGISTRIES[name]
    options: Plain = {"registry": entry["address"]}
    if entry["tls"]:
        options["ca_path"] = CONFIG["registries_ca"]
    else:
        options["plain_http"] = True
    if entry["login"] != "none" and account is not None:
        options.update(username=entry[f"{account}username"], password=entry[f"{account}password"])
    return {**options, **more}


def state_at(directory: str | Path = "") -> State:
    """The registries of a directory, by default those that were started for all targets."""
    return State(directory or CONFIG["registries_state"])


def harness(*arguments: str) -> str:
    """What the harness of the registries answers."""
    command = [CONFIG["registries_python"], CONFIG["registries_script"], *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(done.stderr.strip())
    return done.stdout.strip()


def seed(registry: str, kinds: str, prefix: str, *, state: State | None = None, **options: Any) -> list[Plain]:
    """Made-up images in a registry; the options are those of the harness."""
    return seed_images(state or state_at(), registry, kinds.split(","), Options(prefix=prefix, **options))


def mark() -> str:
    """The present moment, for :func:`requests_since`."""
    return mark_logs(state_at())


def requests_since(moment: str, registry: str, source: str = "registry") -> list[Plain]:
    """The requests that a registry, or its token server, has seen since."""
    return read_requests(state_at(), registry, moment, source)


def lines(requests: Iterable[Plain]) -> list[str]:
    """Requests in a few words each, sorted."""
    return sorted(f"{request['method']} {request['path']} {request['status']}" for request in requests)


def main(steps: Iterable[Any]) -> None:
    """Do the steps, functions without arguments, one after the other; stop at the first that fails."""
    for step in steps:
        started = time.monotonic()
        try:
            step()
        except (Failed, HarnessError) as failure:
            sys.exit(f"{step.__name__}: {failure}")
        say(f"ok: {step.__name__} ({time.monotonic() - started:.1f} s)")
