# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets of a module in place: known to Ansible afterwards, shown to nobody, written to no file."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path

from leaks import Processes, Secrets
from runs import (
    CONFIG,
    OUTPUT,
    REGISTRIES,
    check,
    connection,
    core_version,
    play,
    playbook,
    private_file,
    say,
    seed,
    task,
)
from watched import Watched

REGISTRY = "dev-token"
LAYER = 256 * 1024
OF_ANSIBLE = re.compile(r"[a-z0-9_]{8}|pymp-\w+|listener-\w+|ansible-local-\w+|debug")
"""What Ansible's main process makes: Python tries the directory for temporary files, multiprocessing has one in it with
a socket, so has Ansible, and ansible-core 2.22 makes one for traces in its home."""


def nothing_is_shown() -> None:
    """By option and by file, with success and without: at -vvvv, with the log, in ps, in results and in files."""
    (image,) = seed(REGISTRY, "single", "in-place", layer_size=LAYER)
    entry = REGISTRIES[REGISTRY]
    known = Secrets()
    known.accounts["the password"] = (entry["username"], entry["password"])
    wrong = "wrong-" + entry["password"][::-1]
    known.accounts["the wrong password"] = (entry["username"], wrong)
    options = connection(REGISTRY)
    auth = f"{CONFIG['registries_state']}/auth.json"
    by_file = {"registry": entry["address"], "ca_path": options["ca_path"], "auth_file": auth}
    by_option = {**options, "password": "{{ secret }}"}
    image_of = {"repository": image["repository"], "tag": image["tag"]}
    copied = [{**image_of, "destination_repository": "in-place/secret"}]
    private_file("the-password", entry["password"])
    say_it = "{{ lookup('ansible.builtin.file', '" + str(OUTPUT / "the-password") + "') }}"
    tasks = [
        task("manifest_info", {**by_file, **image_of}, register="by_file"),
        task("manifest_info", {**by_option, **image_of}, name="by option", register="by_option"),
        task("image_copy", {**by_option, "source": by_file, "images": copied}, register="copied"),
        task(
            "manifest_info",
            {**by_option, "password": "{{ wrong }}", **image_of},
            name="refused",
            register="refused",
            ignore_errors=True,
        ),
    ]
    if core_version() >= (2, 22):
        # What was read from a file in a module is masked in what a later task shows.
        tasks.append({"name": "said", "ansible.builtin.debug": {"msg": say_it}})
    # A short path: ansible-core opens sockets in its temporary directory.
    place = Path(tempfile.mkdtemp(prefix="in-place-"))
    kept = "{{ [by_file, by_option, copied, refused] | map('list') }}"
    tasks.append({"name": "registered", "ansible.builtin.debug": {"msg": kept}})
    for name in ("tmp", "home", "remote", "ansible", "local"):
        (place / name).mkdir()
    environment = {
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
        "ANSIBLE_HOME": str(place / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(place / "local"),
        "ANSIBLE_LOG_PATH": str(place / "log"),
    }
    variables = {"secret": entry["password"], "wrong": wrong, "ansible_remote_tmp": str(place / "remote")}
    try:
        with Processes() as processes, Watched(*place.iterdir()) as files:
            done = playbook(play(tasks), variables, "-vvvv", "--diff", environment=environment, noise=True, afresh=True)
        check(done.output.count("runs in place") == 4, f"not in place:\n{done.output}")
        check(done.of("refused")["failed"], "the wrong password is right")
        known.search("output", done.output.encode())
        known.search("results", json.dumps(done.results).encode())
        for line in processes.seen:
            known.search("ps", line)
        for path in place.rglob("*"):
            if path.is_file():
                known.search(f"file {path}", path.read_bytes())
        names = done.of("registered")["msg"]
        check(len(names) == 4 and all("changed" in found for found in names), f"registered were {names}")
        shown = json.dumps([names, done.results])
        check("_ansible_new_secrets" not in shown, f"secrets are left in a result: {names}")
        made = {name for name in files.made if not OF_ANSIBLE.fullmatch(name)}
        check(not made, f"files were made: {made}")
        if core_version() >= (2, 22):
            check(done.of("said")["msg"] == "$REDACTED$", f"a later task says {done.of('said')['msg'][:3]}...")
    finally:
        shutil.rmtree(place)
    say(f"nothing in {len(done.output)} characters, {len(processes.seen)} command lines")
