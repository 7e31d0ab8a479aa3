# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that fail for every module: one sentence that names what and where, no traceback, no secret."""

from __future__ import annotations

import json
from typing import NamedTuple

from runs import CONFIG, REGISTRIES, TWO_ENDS, Plain, call, check, connection, module_options, say, seed, task

PASSWORD = "not-the-password-of-anybody"
HTPASSWD, TOKEN, DEV = "prod-htpasswd", "dev-token", "dev"


class Failing(NamedTuple):
    """A connection, and what the sentence says of it."""

    name: str
    options: Plain
    says: tuple[str, ...]
    by_ansible: bool = False
    """Whether ansible-core says it, in its own words."""


def connections() -> list[Failing]:
    htpasswd, token, dev = (REGISTRIES[name]["address"] for name in (HTPASSWD, TOKEN, DEV))
    other_ca = f"{CONFIG['registries_state']}/other-ca/ca.crt"
    here = {"registry": dev, "plain_http": True}
    return [
        *(
            Failing(
                f"a wrong password ({name})",
                connection(name, password=PASSWORD),
                (f"Cannot log in to {address}: ", "401"),
            )
            for name, address in ((HTPASSWD, htpasswd), (TOKEN, token))
        ),
        Failing("an unknown host", {"registry": "registry.invalid", "plain_http": True}, ("registry.invalid", "DNS")),
        Failing("a refused connection", {"registry": "localhost:1", "plain_http": True}, ("localhost:1",)),
        Failing("HTTP in place of TLS", {"registry": htpasswd, "plain_http": True}, (htpasswd, "plain_http")),
        Failing("TLS in place of HTTP", {"registry": dev}, (dev, "plain_http")),
        Failing("another CA", connection(HTPASSWD, ca_path=other_ca), (htpasswd, "certificate")),
        Failing(
            "a malformed registry",
            {"registry": "https://registry.example/v2"},
            ("registry: malformed registry 'https://registry.example/v2'",),
        ),
        Failing(
            "an auth file that is not there",
            {**here, "auth_file": "/nowhere/auth.json"},
            (f"Cannot log in to {dev}: auth_file: ", "/nowhere/auth.json"),
        ),
        Failing(
            "a CA file that is not there",
            connection(HTPASSWD, ca_path="/nowhere/ca.crt"),
            (f"Cannot reach {htpasswd}: ca_path: ", "/nowhere/ca.crt"),
        ),
        Failing("no registry", {}, ("registry",), by_ansible=True),
    ]


def failing_connections() -> None:
    """Every module, with every one of them."""
    image = seed(DEV, "single", "traps")[0]
    cases = [
        (f"{module}: {failing.name}", module, options, failing)
        for module, options in module_options(image).items()
        for failing in connections()
    ]
    tasks = []
    for name, module, options, failing in cases:
        source = {"source": connection(DEV)} if module in TWO_ENDS else {}
        given = {**failing.options, **source, **options, "retries": 0}
        tasks.append(task(module, given, name=name, ignore_errors=True))
    done = call(tasks)
    for name, _module, _options, failing in cases:
        _check(name, done.of(name), failing)
    say(f"{len(cases)} connections fail")


def _check(name: str, result: Plain, failing: Failing) -> None:
    message = result["msg"]
    check(result["failed"] and not result.get("changed"), f"{name}: it does not fail: {result}")
    check("\n" not in message, f"{name}: more than a line: {message}")
    if not failing.by_ansible:
        check(message.endswith("."), f"{name}: no sentence: {message}")
        check("error" in result or "failures" in result, f"{name}: no facts: {result}")
    for words in failing.says:
        check(words in message, f"{name}: {words!r} is not in: {message}")
    # ansible-core adds the arguments, and from 2.22 on what the playbook's process has to hide.
    ours = {key: value for key, value in result.items() if key != "invocation" and not key.startswith("_ansible")}
    text = json.dumps(ours, ensure_ascii=False)
    check("Traceback" not in text, f"{name}: a traceback: {text}")
    for secret in (PASSWORD, REGISTRIES[HTPASSWD]["password"], REGISTRIES[TOKEN]["password"]):
        check(secret not in text, f"{name}: a password is shown")
