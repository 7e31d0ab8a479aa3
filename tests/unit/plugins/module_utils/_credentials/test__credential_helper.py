# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import time
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials import _credential_helper
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential_helper import ask_helper
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import CredentialError

SECRET = "hard-to-guess"
FILE = "the auth file /f"


@pytest.fixture
def helper(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], None]:
    """Makes the program docker-credential-test of a shell script, and puts it into the PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def make(script: str) -> None:
        program = tmp_path / "docker-credential-test"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(stat.S_IRWXU)

    return make


def answer(**changes: object) -> str:
    document = {"ServerURL": "r", "Username": "ci", "Secret": SECRET, **changes}
    return f"cat > /dev/null; printf '%s' '{json.dumps(document)}'"


def ask(server: str = "r:5000") -> tuple[str, str, str] | None:
    found = ask_helper("test", server, FILE)
    return None if found is None else (found.username, found.password, found.identity_token)


def refused() -> str:
    with pytest.raises(CredentialError) as caught:
        ask()
    assert SECRET not in str(caught.value) and caught.value.__cause__ is None
    assert not caught.value.facts()["url"]
    return caught.value.reason


def test_a_helper_gets_the_server_and_answers_with_a_login(
    helper: t.Callable[[str], None], tmp_path: pathlib.Path
) -> None:
    helper(f'test "$#" = 1 && test "$1" = get && cat > {tmp_path}/server; {answer()}')
    assert ask() == ("ci", SECRET, "")
    assert (tmp_path / "server").read_text() == "r:5000"
    found = ask_helper("test", "r:5000", FILE)
    assert str(found) == f"the credential of docker-credential-test for r:5000, named by {FILE}"


def test_a_helper_that_does_not_read_the_server_answers_all_the_same(helper: t.Callable[[str], None]) -> None:
    helper("exec <&-; " + answer().partition("; ")[2])
    assert ask("r" * 1000000) == ("ci", SECRET, "")


def test_the_user_token_has_an_identity_token(helper: t.Callable[[str], None]) -> None:
    helper(answer(Username="<token>"))
    assert ask() == ("", "", SECRET)


def test_a_helper_may_have_none(helper: t.Callable[[str], None]) -> None:
    helper("echo 'credentials not found in native keychain'; exit 1")
    assert ask() is None


def test_a_helper_that_fails_is_quoted(helper: t.Callable[[str], None]) -> None:
    helper("echo 'no credentials server URL'; exit 3")
    assert refused() == (
        f"the credential helper docker-credential-test, which {FILE} names, fails with status 3: "
        "no credentials server URL"
    )
    helper(f"echo {SECRET} >&2; exit 4")
    assert refused().endswith("fails with status 4")
    helper(answer() + "; exit 5")
    assert refused().endswith("fails with status 5")
    helper("kill -9 $$")
    assert refused().endswith("fails with status -9")


@pytest.mark.parametrize(
    "script",
    [
        "true",
        f"echo {SECRET}",
        f"echo '\"{SECRET}\"'",
        f"echo '[\"{SECRET}\"]'",
        "printf '\\377'",
        "head -c 60000 /dev/zero | tr '\\0' '['",
        answer(Username=""),
        answer(Username=None),
        answer(Username="c:i"),
        answer(Secret=""),
        answer(Secret=[SECRET]),
        answer(Secret=f"{SECRET}\ud800"),
        answer(Username="<token>", Secret=f"{SECRET}\ud800"),
    ],
)
def test_an_answer_that_is_no_login_is_an_error(helper: t.Callable[[str], None], script: str) -> None:
    helper(script)
    assert refused().endswith("answers without a valid credential")


def test_a_helper_that_prints_without_end_is_an_error(helper: t.Callable[[str], None]) -> None:
    helper("head -c 70000 /dev/zero")
    assert refused().endswith("prints more than 65536 bytes")
    helper("cat /dev/zero")
    assert refused().endswith("prints more than 65536 bytes")


def test_a_helper_that_hangs_is_ended_with_all_that_it_started(
    helper: t.Callable[[str], None], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_credential_helper, "TIME_LIMIT", 0.5)
    helper(f"sleep 600 & echo $! > {tmp_path}/pid; wait")
    assert refused().endswith("does not answer within 0.5 seconds")
    assert end_of(int((tmp_path / "pid").read_text()))


def runs(pid: int) -> bool:
    """Whether a process does anything: one that has ended may still be waited for."""
    try:
        # Not the command line: while a process becomes another program, it has none.
        state = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def end_of(*pids: int) -> bool:
    """Whether all of them end within some seconds."""
    deadline = time.monotonic() + 10
    while any(map(runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(runs, pids))


def pid_in(path: pathlib.Path) -> int:
    """The number that a process has written, or will write."""
    deadline = time.monotonic() + 10
    while not (path.exists() and path.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.01)
    return int(path.read_text())


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="it looks at processes as Linux shows them")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("threaded", [False, True])
def test_a_helper_ends_with_the_process_that_asks_it_and_an_agent_does_not(
    helper: t.Callable[[str], None], tmp_path: pathlib.Path, number: signal.Signals, threaded: bool
) -> None:
    agent = f"setsid sh -c 'echo $$ > {tmp_path}/agent; exec sleep 600' > /dev/null 2>&1 < /dev/null &"
    helper(f"{agent} echo $$ > {tmp_path}/own; sleep 600 & echo $! > {tmp_path}/child; wait")
    code = "\n".join(
        (
            "import signal, threading",
            f"from {ask_helper.__module__} import ask_helper",
            "" if number == signal.SIGKILL else f"signal.signal({int(number)}, signal.SIG_DFL)",
            "ask = lambda: ask_helper('test', 'r', 'f')",
            "threading.Thread(target=ask).start()" if threaded else "ask()",
        )
    )
    place = str(pathlib.Path(_credential_helper.__file__).parents[6])
    asking = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": place})
    own, child, agent_pid = (pid_in(tmp_path / name) for name in ("own", "child", "agent"))
    try:
        assert not end_of_none(own, child, agent_pid)
        asking.send_signal(number)
        asking.wait()
        assert end_of(own, child)
        assert runs(agent_pid)
    finally:
        for pid in (own, child, agent_pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def end_of_none(*pids: int) -> list[int]:
    """Those that have ended."""
    return [pid for pid in pids if not runs(pid)]


def test_nothing_is_left_of_a_helper_that_has_answered_but_what_it_started(
    helper: t.Callable[[str], None], tmp_path: pathlib.Path
) -> None:
    helper(f"sleep 600 > /dev/null 2>&1 < /dev/null & echo $! > {tmp_path}/agent; {answer()}")
    before = children_of(os.getpid())
    for _time in range(3):
        assert ask() == ("ci", SECRET, "")
        agent = pid_in(tmp_path / "agent")
        time.sleep(0.1)
        assert runs(agent)
        os.kill(agent, signal.SIGKILL)
    assert children_of(os.getpid()) == before


def test_without_a_shell_a_helper_is_asked_all_the_same(
    helper: t.Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(answer())
    started = subprocess.Popen

    def without_shell(command: list[str], **options: t.Any) -> t.Any:
        if command[0] == "/bin/sh":
            raise FileNotFoundError
        return started(command, **options)

    monkeypatch.setattr(_credential_helper.subprocess, "Popen", without_shell)
    assert ask() == ("ci", SECRET, "")


def children_of(pid: int) -> set[int]:
    """The children that a process has, those that have ended and weren't waited for included."""
    found = set()
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.add(int(path.parent.name))
    return found


def test_a_helper_that_is_missing_or_broken_is_named(helper: t.Callable[[str], None], tmp_path: pathlib.Path) -> None:
    assert refused() == f"the credential helper docker-credential-test, which {FILE} names, is not there"
    program = tmp_path / "docker-credential-test"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(stat.S_IRWXU)
    with pytest.raises(CredentialError, match="cannot be run: No such file"):
        ask()


@pytest.mark.parametrize("name", ["", "a/b", "../x", "x y", "x;y", "x\n", "\u00e4"])
def test_a_name_that_is_none_is_not_run(name: str) -> None:
    with pytest.raises(CredentialError, match=f"{FILE} names a credential helper"):
        ask_helper(name, "r", FILE)
