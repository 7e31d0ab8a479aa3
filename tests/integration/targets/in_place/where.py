# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a module runs: each rule, as a line at -vvv tells it. The unit tests of the conditions have the details."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from runs import OUTPUT, Plain, Run, check, play, playbook, private_file, say, task

HERE = Path(__file__).resolve().parent
LINE = re.compile(r"^<(\S+)> imageops\.registry\.registry_info (runs .*)$", re.MULTILINE)
IN_PLACE = "runs in place"
NOBODY: Plain = {"registry": "localhost:1", "plain_http": True, "retries": 0}
"""It is quick to fail, and where it does doesn't matter."""


def told(rows: list[tuple[Plain, str]], hosts: Path, *, environment: Plain | None = None) -> Run:
    """Run a task a row, with these keywords, and compare what is told of it."""
    tasks = [
        task("registry_info", NOBODY, name=f"row {number}", ignore_errors=True, **keywords)
        for number, (keywords, _expected) in enumerate(rows)
    ]
    done = playbook(
        play(tasks, hosts="here"), {}, "-vvv", hosts=hosts, environment=environment, noise=True, afresh=True
    )
    lines = [line for _host, line in LINE.findall(done.output)]
    check(len(lines) == len(rows), f"{len(lines)} lines of {len(rows)} tasks:\n{done.output}")
    for (keywords, expected), line in zip(rows, lines):
        check(re.fullmatch(expected, line) is not None, f"{keywords}: {line}")
    return done


def rules_hold() -> None:
    """By variables, keywords and hosts."""
    other = f"runs as a payload: the interpreter is {re.escape(sys.executable)}, not .*"
    here = private_file(
        "where",
        "here ansible_connection=local\n"
        f"other ansible_connection=local ansible_python_interpreter='{sys.executable}'\n"
        "mine ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n",
    )
    told(
        [
            ({}, IN_PLACE),
            ({"vars": {"ansible_python_interpreter": "auto_silent"}}, IN_PLACE),
            ({"vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}}, IN_PLACE),
            ({"delegate_to": "localhost"}, IN_PLACE),
            ({"delegate_to": "mine"}, IN_PLACE),
            ({"delegate_to": "other"}, other),
            ({"vars": {"imageops_registry_in_place": False}, "delegate_to": "other"}, ".*in_place is false"),
            ({"environment": {"PYTHONDONTWRITEBYTECODE": "1"}, "delegate_to": "mine"}, ".* sets PYTHON.*"),
            ({"environment": {"HOME": "/nowhere"}}, IN_PLACE),
            ({"async": 60, "poll": 1, "delegate_to": "mine"}, ".*it is detached by async"),
            ({"check_mode": True}, IN_PLACE),
        ],
        here,
        environment={"ANSIBLE_PYTHON_INTERPRETER": "auto_silent"},
    )
    found = told([({}, IN_PLACE)], here, environment={"ANSIBLE_PYTHON_INTERPRETER": "auto_silent"})
    check("EXEC" not in found.output, f"something was started:\n{found.output}")
    say("12 tasks run where the rules say")


def debugging_leads_to_a_payload() -> None:
    """What is kept to be looked at is a payload."""
    temporary = OUTPUT / "kept"
    here = private_file(
        "where",
        "here ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}' "
        f"ansible_remote_tmp='{temporary}'\n",
    )
    told([({}, ".*ANSIBLE_KEEP_REMOTE_FILES is on")], here, environment={"ANSIBLE_KEEP_REMOTE_FILES": "1"})
    check(bool(list(temporary.rglob("AnsiballZ_registry_info.py"))), "no payload was kept")


def without_requests_there_is_a_payload() -> None:
    """An import that fails in Ansible's own Python is silent there; the module says what is missing."""
    missing = private_file("without/requests.py", "raise ImportError('hidden by this test')\n")
    here = private_file("where", f"here ansible_connection=local ansible_python_interpreter='{sys.executable}'\n")
    environment = {"PYTHONPATH": str(missing.parent)}
    expected = "runs as a payload: ImportError: hidden by this test"
    done = told([({}, expected)], here, environment=environment)
    check("Failed to import the required Python library (requests)" in done.of("row 0")["msg"], done.output)
    # A module that finds its libraries has nothing to say of them.
    found = task("registry_info", NOBODY, ignore_errors=True, environment={"PYTHONPATH": ""})
    quiet = playbook(play([found], hosts="here"), {}, hosts=here, environment=environment, afresh=True)
    check("refuses the connection" in quiet.of("registry_info")["msg"], quiet.output)
    check("hidden by" not in quiet.output, f"not silent:\n{quiet.output}")
