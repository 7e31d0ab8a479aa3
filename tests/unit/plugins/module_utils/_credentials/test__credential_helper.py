# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pathlib
import stat
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
    assert refused().endswith("doesn't answer within 0.5 seconds")
    child = pathlib.Path("/proc", (tmp_path / "pid").read_text().strip(), "cmdline")
    deadline = time.monotonic() + 10
    while child.exists() and child.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not child.exists() or not child.read_bytes()


def test_a_helper_that_is_missing_or_broken_is_named(helper: t.Callable[[str], None], tmp_path: pathlib.Path) -> None:
    assert refused() == f"the credential helper docker-credential-test, which {FILE} names, isn't there"
    program = tmp_path / "docker-credential-test"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(stat.S_IRWXU)
    with pytest.raises(CredentialError, match="can't be run: No such file"):
        ask()


@pytest.mark.parametrize("name", ["", "a/b", "../x", "x y", "x;y", "x\n", "\u00e4"])
def test_a_name_that_is_none_is_not_run(name: str) -> None:
    with pytest.raises(CredentialError, match=f"{FILE} names a credential helper"):
        ask_helper(name, "r", FILE)
