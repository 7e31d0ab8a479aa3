# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that shows what it finds, and ends in every way in which a module may end."""

from __future__ import annotations

import datetime
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.imageops.registry.plugins.module_utils._run._attachment import take_directory

DOCUMENTATION = """
module: probe
"""
IMPORTED_BY = os.getpid()


def surroundings(module: AnsibleModule) -> None:
    """What a process finds where it begins."""
    umask = os.umask(0)
    os.umask(umask)
    ignored = [number.name for number in signal.Signals if signal.getsignal(number) is signal.SIG_IGN]
    own = ("_", "SHLVL", "PWD", "OLDPWD")
    # As every module does, first of all.
    take_directory()
    module.exit_json(
        cwd=os.getcwd(),
        environment={name: value for name, value in os.environ.items() if name not in own},
        files=resource.getrlimit(resource.RLIMIT_NOFILE),
        hour=time.strftime("%H %Z", time.localtime(0)),
        ignored=ignored,
        interpreter=sys.executable,
        mask=sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        stdin=sys.stdin.read(),
        terminal=os.isatty(0) or os.isatty(1) or os.isatty(2),
        tempdir=tempfile.gettempdir(),
        timer=signal.getitimer(signal.ITIMER_REAL),
        umask=umask,
    )


def noisy(module: AnsibleModule) -> None:
    """Warnings, deprecations, and output that is no result."""
    logging.getLogger("urllib3").warning("said in a log: %s", "nobody reads this")
    warnings.warn("said by a library", stacklevel=1)
    print("before")
    print("on stderr", file=sys.stderr)
    module.warn("a warning")
    module.deprecate("old", version="99.0.0", collection_name="imageops.registry")
    module.exit_json(stdout="a\nb", stderr="c", results="none", ansible_facts={"probed": True})


def values(module: AnsibleModule) -> None:
    """What JSON doesn't know by itself."""
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5)
    module.exit_json(set={1}, tuple=(1, 2), bytes=b"\xc3\xa9", moment=moment, keys={1: {None: "x"}}, text="é\u2028")


def large(module: AnsibleModule) -> None:
    """More than any pipe holds."""
    module.exit_json(text="x" * 3_000_000)


def secret(module: AnsibleModule) -> None:
    """A secret that is an option."""
    module.exit_json(value=f"it is {module.params['password']}")


def temporary(module: AnsibleModule) -> None:
    """A file in the module's own directory for temporary files."""
    with open(os.path.join(module.tmpdir, "probe"), "w", encoding="utf-8") as file:
        file.write("x")
    module.exit_json(msg="made")


def left(module: AnsibleModule) -> None:
    """What the run before has changed."""
    os.environ["LEFT_BY_PROBE"] = os.environ.get("LEFT_BY_PROBE", "") + "x"
    module.exit_json(found=os.environ["LEFT_BY_PROBE"])


def raising(module: AnsibleModule) -> None:
    try:
        raise ValueError("the cause")
    except ValueError as error:
        raise RuntimeError("the effect") from error


def failing(module: AnsibleModule) -> None:
    module.warn("before it failed")
    module.fail_json(msg="it fails", exception="a traceback", more=[1])


def leaving(module: AnsibleModule) -> None:
    print("no result", file=sys.stderr)
    sys.exit(3)


def returning(module: AnsibleModule) -> None:
    """It doesn't end as modules do."""


def out_of_memory(module: AnsibleModule) -> None:
    raise MemoryError


def killed(module: AnsibleModule) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def imported(module: AnsibleModule) -> None:
    """Who has imported it: Ansible's main process, whose worker has forked this one."""
    with open(f"/proc/{os.getppid()}/stat", encoding="ascii") as file:
        ansible = int(file.read().rpartition(")")[2].split()[1])
    module.exit_json(by_ansible=ansible == IMPORTED_BY)


def agent(module: AnsibleModule) -> None:
    """A process that stays, with all descriptors that it can inherit."""
    subprocess.Popen(["sleep", "60"], close_fds=False, start_new_session=True)
    module.exit_json()


WAYS = {
    way.__name__: way
    for way in (
        *(surroundings, noisy, values, large, secret, temporary, left),
        *(raising, failing, leaving, returning, out_of_memory, killed, agent, imported),
    )
}


def main() -> None:
    options = {"way": {"choices": list(WAYS)}, "password": {"no_log": True}, "many": {"aliases": ["much"]}}
    module = AnsibleModule(options, supports_check_mode=True)
    WAYS[module.params["way"]](module)


if __name__ == "__main__":
    main()
