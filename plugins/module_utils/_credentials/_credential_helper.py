# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Credential helpers: the programs ``docker-credential-NAME`` (their protocol: docker/docker-credential-helpers)."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
import typing as t

from .._model._errors import CredentialError
from .._model._shown import quoted
from ._credential import Credential

TIME_LIMIT = 30.0
"""Seconds. Those of clouds ask a server."""
_MAXIMUM_OUTPUT = 64 * 1024
_LONGEST_MESSAGE = 300
_NAME = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_NOT_FOUND = "credentials not found in native keychain"
_ADVICE = "It may have expired: renew what the helper keeps, or give another credential"
_IDENTITY_TOKEN_USER = "<token>"
_GUARD = 'read -r group || exit; read -r _; kill -s KILL -- "-$group"'
"""Waits for the end of this process, of which its standard input tells it, and ends a group of processes then."""


def ask_helper(name: str, server: str, named_by: str) -> Credential | None:
    """Ask the program ``docker-credential-NAME`` for the credential of ``server``; None where it has none.

    ``named_by`` is the file that names the helper, for messages. Raises :class:`CredentialError`. What the program
    prints is shown only where it is the message of a failure.
    """
    if not _NAME.fullmatch(name):
        raise CredentialError(f"{named_by} names a credential helper {quoted(name)}, which cannot be the name of one")
    program = f"docker-credential-{name}"
    called = f"the credential helper {program}, which {named_by} names,"
    path = shutil.which(program)
    if path is None:
        raise CredentialError(
            f"{called} is not there",
            hint="Install it where the module runs, in a directory of the PATH that the module has",
        )
    status, output = _run(path, called, server)
    if len(output) > _MAXIMUM_OUTPUT:
        raise CredentialError(f"{called} prints more than {_MAXIMUM_OUTPUT} bytes")
    if status:
        message = output.decode("utf-8", "replace").strip()
        if message == _NOT_FOUND:
            return None
        # A helper that fails half-way must not get its secret shown.
        said = f": {message[:_LONGEST_MESSAGE]}" if message and "{" not in message else ""
        raise CredentialError(f"{called} fails with status {status}{said}")
    source = f"{program} for {server}, named by {named_by}"
    return _read(output, called, Credential(source=source, advice=_ADVICE))


def _run(path: str, called: str, server: str) -> tuple[int, bytes]:
    with tempfile.TemporaryFile() as asked:
        asked.write(server.encode("utf-8"))
        asked.seek(0)
        guard = _started_guard()
        try:
            process = _started(path, called, asked)
        except CredentialError:
            _end_guard(guard)
            raise
    with process:
        try:
            _arm(guard, process.pid)
            end = time.monotonic() + TIME_LIMIT
            output = _limited(t.cast(t.IO[bytes], process.stdout), end)
            if len(output) <= _MAXIMUM_OUTPUT:
                process.wait(max(0.0, end - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise CredentialError(f"{called} does not answer within {TIME_LIMIT:g} seconds") from None
        finally:
            # First: what the helper has left running, such as an agent, is its own from now on.
            _end_guard(guard)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output


def _started(path: str, called: str, asked: t.IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        # run_command is a method of AnsibleModule, which this layer does not know.
        return subprocess.Popen(  # pylint: disable=ansible-bad-function
            [path, "get"],
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Without a terminal it can ask nobody, and all that it starts ends with it.
            start_new_session=True,
        )
    except OSError as error:
        raise CredentialError(f"{called} cannot be run: {error.strerror}") from error


def _started_guard() -> subprocess.Popen[bytes] | None:
    """A process that ends the helper where this one is killed, by whatever signal; None where there is no shell.

    A signal at the death of the parent (prctl) would have to be asked for between fork and exec, where threads make any
    code of ours unsafe, and would reach the helper alone, not what it waits for. The end of a pipe, which only
    this process holds, needs nothing of that.
    """
    try:
        # As for the helper itself.
        return subprocess.Popen(  # pylint: disable=ansible-bad-function
            ["/bin/sh", "-c", _GUARD],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # What ends this process may end its whole group.
            start_new_session=True,
        )
    except OSError:
        return None


def _arm(guard: subprocess.Popen[bytes] | None, group: int) -> None:
    """Tell the guard whom to end."""
    if guard:
        with contextlib.suppress(BrokenPipeError):
            os.write(t.cast(t.IO[bytes], guard.stdin).fileno(), f"{group}\n".encode("ascii"))


def _end_guard(guard: subprocess.Popen[bytes] | None) -> None:
    if guard:
        guard.kill()
        # Leaving closes the pipe, and waits.
        with guard:
            pass


def _limited(stream: t.IO[bytes], end: float) -> bytes:
    """All that it prints, or, where that is too much, more than may be. Raises :class:`TimeoutError` at ``end``."""
    output = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while len(output) <= _MAXIMUM_OUTPUT:
            if not selector.select(max(0.0, end - time.monotonic())):
                raise TimeoutError
            piece = os.read(stream.fileno(), _MAXIMUM_OUTPUT + 1 - len(output))
            if not piece:
                break
            output += piece
    return output


def _read(output: bytes, called: str, empty: Credential) -> Credential:
    problem = CredentialError(f"{called} answers without a valid credential")
    try:
        document = json.loads(output.decode("utf-8"))
    except (ValueError, RecursionError):
        # The parser's own message may quote the answer, and with it a secret.
        raise problem from None
    if not isinstance(document, dict):
        raise problem
    username, secret = document.get("Username"), document.get("Secret")
    if not (isinstance(username, str) and username and isinstance(secret, str) and secret):
        raise problem
    is_token = username == _IDENTITY_TOKEN_USER
    found = empty._replace(**{"identity_token": secret} if is_token else {"username": username, "password": secret})
    if ":" in found.username or not found.is_text:
        raise problem
    return found
