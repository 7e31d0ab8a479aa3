# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import atexit
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import Detached
from ansible_collections.imageops.registry.plugins.module_utils._run import _attachment
from ansible_collections.imageops.registry.plugins.module_utils._run._attachment import Attachment
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress
from ansible_collections.imageops.registry.plugins.plugin_utils import _core_internals
from ansible_collections.imageops.registry.plugins.plugin_utils._child import Child, Outcome
from ansible_collections.imageops.registry.plugins.plugin_utils._child_process import ModuleRun

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere modules do not run in place."),
    # Other tests may have left threads. Workers of Ansible that have some aren't forked.
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
]

PLAIN: dict[str, t.Any] = {"_ansible_remote_tmp": "/tmp", "_ansible_keep_remote_files": False}


class Ran(t.NamedTuple):
    """What is left of a module that ran in place."""

    outcome: Outcome
    states: bytes

    @property
    def result(self) -> dict[str, t.Any]:
        found: dict[str, t.Any] = json.loads(self.outcome.stdout.splitlines()[-1])
        return found


def run(
    main: t.Callable[[], object],
    directory: pathlib.Path,
    *,
    environment: t.Mapping[str, str] | None = None,
    ansible: int | None = None,
) -> Ran:
    arguments = _core_internals.encoded(dict(PLAIN), "probe")
    states = bytearray()
    work = ModuleRun(main, arguments, str(directory), environment or {}, ansible or os.getppid())
    with Child(work.run) as child:
        outcome = child.outcome(states.extend, lambda: None)
    return Ran(outcome, bytes(states))


def exit_with(**result: t.Any) -> None:
    AnsibleModule({}).exit_json(**result)


def test_a_module_finds_what_a_process_of_its_own_would_have(tmp_path: pathlib.Path) -> None:
    tempfile.gettempdir()

    def main() -> None:
        exit_with(
            cwd=os.getcwd(),
            said=os.environ["SAID"],
            stdin=sys.stdin.read(),
            temporary=tempfile.gettempdir(),
            terminal=[os.isatty(number) for number in range(3)],
            zone=time.strftime("%H", time.localtime(0)),
        )

    ran = run(main, tmp_path, environment={"SAID": "this", "TMPDIR": str(tmp_path), "TZ": "XXX-5"})
    assert ran.outcome.status == 0
    expected = {"cwd": str(tmp_path), "said": "this", "stdin": "", "temporary": str(tmp_path), "zone": "05"}
    assert {name: ran.result[name] for name in expected} == expected
    assert ran.result["terminal"] == [False] * 3
    assert "SAID" not in os.environ


def test_warnings_are_returned_and_not_shown(tmp_path: pathlib.Path) -> None:
    def main() -> None:
        module = AnsibleModule({})
        module.warn("a warning")
        module.deprecate("old", version="99.0.0", collection_name="imageops.registry")
        module.exit_json()

    result = run(main, tmp_path).result
    assert "a warning" in json.dumps(result["warnings"])
    assert "old" in json.dumps(result["deprecations"])


def test_neither_log_nor_end_of_the_parent_is_that_of_the_module(tmp_path: pathlib.Path) -> None:
    log, ended = tmp_path / "log", tmp_path / "ended"
    handler = logging.FileHandler(log)
    logging.root.addHandler(handler)
    atexit.register(ended.write_text, "the parent")

    def main() -> None:
        logging.getLogger("urllib3").error("a URL")
        atexit.register((tmp_path / "own").write_text, "x")
        exit_with()

    try:
        assert run(main, tmp_path).outcome.status == 0
    finally:
        atexit.unregister(ended.write_text)
        logging.root.removeHandler(handler)
        handler.close()
    assert log.read_text(encoding="utf-8") == ""
    assert not ended.exists()
    assert (tmp_path / "own").exists()


@pytest.mark.parametrize(
    "code, status", [(None, 0), (0, 0), (3, 3), (True, 1), ("a text", 1)], ids=["none", "0", "3", "true", "text"]
)
def test_the_exit_status_is_that_of_a_process(tmp_path: pathlib.Path, code: t.Any, status: int) -> None:
    assert run(lambda: sys.exit(code), tmp_path).outcome.status == status


def test_an_exception_and_a_return_are_results(tmp_path: pathlib.Path) -> None:
    raised = run(lambda: {}["nothing"], tmp_path)
    assert raised.outcome.status == 1
    assert raised.result["failed"] is True
    returned = run(lambda: None, tmp_path)
    assert "did not handle its own exit" in json.dumps(returned.result)


def test_too_little_memory_is_a_sentence(tmp_path: pathlib.Path) -> None:
    def main() -> None:
        raise MemoryError

    ran = run(main, tmp_path)
    assert ran.outcome.status == 1
    assert ran.result == {"failed": True, "msg": "The machine has not enough memory for the module."}


def attached(show: bool = False) -> Attachment:
    return Attachment("", progress(), show=show, say=lambda _text: None)


def progress() -> Progress:
    made = Progress()
    made.expect(1, 10)
    made.begin("team/app", "sha256:" + "0" * 64, 10).add(5)
    return made


def checked() -> None:
    try:
        attached().check()
    except Detached as error:
        exit_with(said=str(error))
    exit_with(said="go on")


def test_a_tag_moves_only_while_worker_and_ansible_live(tmp_path: pathlib.Path) -> None:
    assert run(checked, tmp_path).result["said"] == "go on"
    said = run(checked, tmp_path, ansible=1 << 30).result["said"]
    assert "the Ansible that started the task has ended" in said


@pytest.mark.parametrize("show", [True, False])
def test_how_far_it_is_is_handed_over(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, show: bool) -> None:
    monkeypatch.setattr(_attachment, "_PAUSE", 0.05)

    def main() -> None:
        bond = attached(show)
        bond.open()
        time.sleep(0.5)
        bond.close()
        exit_with()

    lines = run(main, tmp_path).states.splitlines()
    assert len(lines) == int(show)
    if show:
        assert json.loads(lines[0])["bytes_moved"] == 5


# Ansible, its worker, and the child of that, which says whether it is held for every line that it reads.
HELD = """
import os, sys
from ansible_collections.imageops.registry.plugins.plugin_utils._child_process import _holder

ansible = os.getpid()
if not os.fork():
    if not os.fork():
        holds = _holder(ansible)
        for _line in sys.stdin:
            print(holds(), flush=True)
        os._exit(0)
    os.wait()
    os._exit(0)
os.wait()
"""


def test_a_child_is_held_until_ansible_is_killed_although_its_worker_lives() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HELD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as ansible:

        def is_held() -> str:
            print(file=ansible.stdin, flush=True)
            return t.cast("t.IO[str]", ansible.stdout).readline()

        assert is_held() == "True\n"
        ansible.kill()
        ansible.wait()
        assert is_held() == "False\n"
