# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the environment of a task must not do to a connection: certificates, ~/.netrc, cookies; and what fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from failing import failing_connections
from forwarder import Forwarder
from runs import CONFIG, REGISTRIES, Plain, check, connection, main, play, playbook, private_file, say, seed, task

RIGHT = CONFIG["registries_ca"]
WRONG = json.loads(Path(CONFIG["registries_state"], "registries.json").read_text())["other_ca_path"]
UNTRUSTED = "is not trusted"
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
TLS = ("prod-htpasswd", "dev-token")


def without(options: Plain, *names: str) -> Plain:
    return {name: value for name, value in options.items() if name not in names}


class Cases:
    """Tasks that ask a registry for an image, each in an environment of its own, and how each must end."""

    def __init__(self) -> None:
        self._tasks: list[Plain] = []
        self._expected: dict[str, str] = {}

    def add(self, name: str, options: Plain, environment: Plain, failure: str = "", **more: Any) -> None:
        """``failure`` is what the message of the failure must contain; empty where the task must find the image."""
        keywords = {"name": name, "environment": environment, "ignore_errors": True, **more}
        self._tasks.append(task("manifest_info", options, **keywords))
        self._expected[name] = failure

    def run(self) -> None:
        done = playbook(play(self._tasks), {})
        messages: set[str] = set()
        for name, failure in self._expected.items():
            result = done.of(name)
            if failure:
                check(result["failed"], f"{name}: it does not fail: {result}")
                check(failure in result["msg"], f"{name}: {result['msg']}")
                messages.add(result["msg"])
            else:
                check(result.get("exists") is True, f"{name}: {result.get('msg', result)}")
        say(f"{len(self._expected)} tasks; those that fail say: {' | '.join(sorted(messages))}")


def certificates() -> None:
    """An explicit ca_path counts and nothing else; without it, the bundle of the environment does."""
    cases = Cases()
    for name in TLS:
        image = {"repository": seed(name, "single", "traps")[0]["repository"], "tag": "1.0"}
        options = {**connection(name), **image}
        for bundle in BUNDLES:
            cases.add(f"{name}: {bundle} is wrong, ca_path is right", options, {bundle: WRONG})
            cases.add(
                f"{name}: {bundle} is right, ca_path is wrong",
                {**options, "ca_path": WRONG},
                {bundle: RIGHT},
                UNTRUSTED,
            )
            cases.add(f"{name}: {bundle} is right, no ca_path", without(options, "ca_path"), {bundle: RIGHT})
            cases.add(f"{name}: {bundle} is wrong, no ca_path", without(options, "ca_path"), {bundle: WRONG}, UNTRUSTED)
        cases.add(f"{name}: nothing is given", without(options, "ca_path"), {}, UNTRUSTED)
        loose = {**without(options, "ca_path"), "validate_certs": False}
        cases.add(f"{name}: validate_certs is false", loose, {})
        cases.add(f"{name}: validate_certs is false, the bundle is wrong", loose, {BUNDLES[0]: WRONG})
    cases.run()


def netrc() -> None:
    """A ~/.netrc neither replaces a login nor gives one."""
    cases = Cases()
    for name in TLS:
        entry = REGISTRIES[name]
        image = {"repository": seed(name, "single", "traps")[0]["repository"], "tag": "1.0"}
        other = private_file(f"{name}-other/.netrc", "machine localhost login main password of-another\n")
        right = f"machine localhost login {entry['username']} password {entry['password']}\n"
        own = private_file(f"{name}-own/.netrc", right)
        for variables, what in (({"HOME": str(other.parent)}, "~/.netrc"), ({"NETRC": str(other)}, "NETRC")):
            cases.add(f"{name}: another account in {what}", {**connection(name), **image}, variables)
        cases.add(
            f"{name}: no login but in ~/.netrc",
            {**connection(name, None), **image},
            {"HOME": str(own.parent)},
            "401" if name == "prod-htpasswd" else "anonymous access",
        )
    cases.run()


def both_ends() -> None:
    """Each end is verified with its own ca_path, whatever the environment says."""
    image = seed("dev-token", "single", "traps")[0]
    images = [{"repository": image["repository"], "tag": image["tag"]}]
    environment = {BUNDLES[0]: WRONG}

    def compare(name: str, destination: Plain, source: Plain) -> Plain:
        options = {**destination, "source": source, "images": images}
        return task("image_diff_info", options, name=name, environment=environment, ignore_errors=True)

    right = connection("prod-htpasswd"), connection("dev-token")
    done = playbook(
        play(
            [
                compare("right", *right),
                compare("destination", {**right[0], "ca_path": WRONG}, right[1]),
                compare("source", right[0], {**right[1], "ca_path": WRONG}),
            ]
        ),
        {},
    )
    check(not done.of("right")["failed"], str(done.of("right")))
    for end, name in (("destination", "prod-htpasswd"), ("source", "dev-token")):
        message = done.of(end)["msg"]
        check(UNTRUSTED in message and REGISTRIES[name]["address"] in message, f"{end}: {message}")
        say(f"{end}: {message}")


def cookies() -> None:
    """A cookie is never brought back: two tasks of one account would share a session."""
    image = seed("dev", "single", "traps")[0]
    forwarder = Forwarder(REGISTRIES["dev"]["address"])
    try:
        options = {"registry": forwarder.address, "plain_http": True, "repository": image["repository"], "tag": "1.0"}
        playbook(play([task("manifest_info", {**options, "include": ["content", "config"]})]), {})
    finally:
        forwarder.close()
    check(len(forwarder.seen) > 1, f"only {len(forwarder.seen)} requests came")
    check(set(forwarder.seen) == {None}, f"cookies came back: {forwarder.seen}")
    say(f"{len(forwarder.seen)} requests, no cookie")


def conditions() -> None:
    """Our booleans are booleans: ansible-core takes nothing else in a condition."""
    image = seed("dev", "single", "traps")[0]
    place = {**connection("dev"), "repository": image["repository"]}
    there = {**place, "tag": image["tag"]}
    missing = {**place, "tag": "none"}
    compare = {
        **connection("prod"),
        "source": connection("dev"),
        "images": [{"repository": image["repository"], "tag": "1.0"}],
    }
    gone = {**place, "digest": "sha256:" + 64 * "0"}
    questions = [
        ("manifest_info", there, "exists", True),
        ("manifest_info", missing, "exists", False),
        ("blob_info", {**place, "digest": image["blobs"][0]["digest"]}, "exists", True),
        ("blob_info", gone, "exists", False),
        ("registry_info", {**connection("dev")}, "is_registry", True),
        ("image_diff_info", compare, "differs", True),
        ("tag", {**there, "digest": image["digest"]}, "changed", False),
        ("manifest", {**gone, "state": "absent"}, "changed", False),
        ("manifest", {**gone, "source": connection("dev")}, "repository_missing", False),
    ]
    tasks: list[Plain] = []
    for number, (module, options, key, expected) in enumerate(questions):
        answer = f"answer_{number}"
        tasks.append(task(module, options, register=answer, failed_when=False))
        condition = f"{answer}.{key}" if expected else f"not {answer}.{key}"
        tasks.append({"name": f"{module}: {condition}", "ansible.builtin.debug": {"msg": "yes"}, "when": condition})
    done = playbook(play(tasks), {})
    unasked = [entry["task"] for entry in done.results if entry["status"] != "ok"]
    check(not unasked, f"these did not hold: {unasked}")
    say(f"{len(questions)} conditions hold")


main([certificates, netrc, both_ends, cookies, conditions, failing_connections])
