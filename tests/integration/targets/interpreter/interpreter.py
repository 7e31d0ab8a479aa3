# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Libraries that are missing: requests where modules run, jmespath where Ansible itself runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from runs import (
    OUTPUT,
    PROMOTE,
    TWO_ENDS,
    check,
    connection,
    inventory,
    main,
    module_options,
    play,
    playbook,
    private_file,
    say,
    seed,
    task,
)

PREFIX = "interpreter"
COPY = "Copy what differs, and move the tags last"


def bare_python() -> Path:
    """A Python without any library."""
    place = OUTPUT / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    return place / "bin" / "python"


def check_message(module: str, message: str) -> None:
    for part in ("requests", "ansible_python_interpreter"):
        check(part in message, f"{module} does not speak of {part}: {message}")
    check("\n" not in message, f"the message of {module} has many lines: {message}")


def modules_explain() -> None:
    """Every module fails, with a sentence and without a traceback."""
    image = seed("dev", "single", PREFIX)[0]
    tasks = []
    for module, options in module_options(image).items():
        source = {"source": connection("dev")} if module in TWO_ENDS else {}
        tasks.append(task(module, {**connection("prod"), **source, **options}, ignore_errors=True))
    done = playbook(play(tasks), {}, hosts=inventory(bare_python()))
    for module in module_options(image):
        result = done.of(module)
        check(result["failed"], f"{module} does not fail: {result}")
        check_message(module, result["msg"])
    say(f"{len(tasks)} modules say: {result['msg']}")


def role_explains() -> None:
    """The role fails with the same sentence, in a play of the user's and in the playbook of the collection."""
    image = seed("dev", "single", PREFIX)[0]
    variables = {
        "promote_source": connection("dev"),
        "promote_destination": connection("prod"),
        "promote_images": [{"repository": image["repository"], "tag": image["tag"]}],
    }
    role = play([], roles=["imageops.registry.promote"])
    for name in (role, PROMOTE):
        done = playbook(name, variables, hosts=inventory(bare_python()), expected=2)
        check_message("the role", done.of("Compare digests")["msg"])


def what_would_be_discovered_does_no_harm() -> None:
    """A host with the local connection needs no interpreter: Ansible's own has what the modules need."""
    image = seed("dev", "single", PREFIX)[0]
    variables = {
        "promote_source": connection("dev"),
        "promote_destination": connection("prod"),
        "promote_images": [{"repository": image["repository"], "tag": image["tag"]}],
    }
    discovers = f"localhost ansible_connection=local ansible_interpreter_python_fallback='[\"{bare_python()}\"]'\n"
    hosts = private_file("discovers", discovers)
    payload = {**variables, "imageops_registry_in_place": False}
    environment = {"ANSIBLE_PYTHON_INTERPRETER": "auto_silent"}
    done = playbook(PROMOTE, payload, hosts=hosts, environment=environment, expected=2, noise=True, afresh=True)
    check_message("the role", done.of("Compare digests")["msg"])
    done = playbook(PROMOTE, variables, hosts=hosts, environment=environment, afresh=True)
    check(done.of(COPY)["changed"] is True, f"nothing was promoted:\n{done.output}")
    say(f"{PROMOTE} promotes where Ansible would discover a Python without requests")


def jmespath_is_for_the_filter() -> None:
    """Without jmespath the filter query says so, and the role promotes and verifies."""
    missing = private_file("without/jmespath.py", "raise ImportError('hidden by this test')\n")
    environment = {"PYTHONPATH": str(missing.parent)}
    ask = {"name": "Ask", "ansible.builtin.debug": {"msg": "{{ [] | imageops.registry.query('@') }}"}}
    done = playbook(play([ask]), {}, environment=environment, expected=2, afresh=True)
    message = done.of("Ask")["msg"]
    check("needs the Python library jmespath where Ansible itself runs" in message, f"the filter says: {message}")
    image = seed("dev", "single", PREFIX)[0]
    variables = {
        "promote_source": connection("dev"),
        "promote_destination": connection("prod"),
        "promote_images": [
            {
                "repository": image["repository"],
                "tag": image["tag"],
                "destination_repository": f"{PREFIX}/without-jmespath",
                "tags": ["1.0", "stable"],
            }
        ],
    }
    done = playbook(PROMOTE, variables, environment=environment, afresh=True)
    verified = [(entry["tag"], entry["digest"]) for entry in done.of(COPY)["tags"]]
    check(verified == [(tag, image["digest"]) for tag in ("1.0", "stable")], f"verified were {verified}")
    say("the role promotes without jmespath")


main([modules_explain, role_explains, what_would_be_discovered_does_no_harm, jmespath_is_for_the_filter])
