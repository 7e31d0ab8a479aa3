# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a secret may have gone: it is searched for in every form that it may take, and in what ps shows."""

from __future__ import annotations

import base64
import json
import os
import re
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from runs import Failed, check

_PAUSE = 0.02
"""Seconds between two looks at the processes."""
_OFTEN = 25
JWT = re.compile(rb"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}")


class Secrets:
    """All that must not be seen, by what it is."""

    def __init__(self) -> None:
        self.accounts: dict[str, tuple[str, str]] = {}
        self.tokens: dict[str, str] = {}

    def forms(self) -> Iterator[tuple[str, bytes]]:
        """Every secret in every form in which it might leak."""
        for name, (username, password) in self.accounts.items():
            pair = f"{username}:{password}".encode()
            yield f"{name}, Basic", base64.b64encode(pair)
            yield f"{name}, Basic for URLs", base64.urlsafe_b64encode(pair)
            yield from self._written(name, password)
        for name, token in self.tokens.items():
            yield from self._written(name, token)

    @staticmethod
    def _written(name: str, text: str) -> Iterator[tuple[str, bytes]]:
        forms = {
            "as it is": text,
            "in base64": base64.b64encode(text.encode()).decode().rstrip("="),
            "in a URL": urllib.parse.quote(text, safe=""),
            "in a path": urllib.parse.quote(text),
            "in a form": urllib.parse.quote_plus(text),
            "in JSON": json.dumps(text)[1:-1],
            "in JSON with all characters": json.dumps(text, ensure_ascii=False)[1:-1],
            "in Python": repr(text)[1:-1],
            "in YAML": text.replace("'", "''"),
        }
        for form in dict.fromkeys(forms.values()):
            yield f"{name} {[key for key, value in forms.items() if value == form][0]}", form.encode()

    def search(self, where: str, content: bytes) -> None:
        """Fail where one of them occurs, or any token of a registry does. What was found isn't shown."""
        forms = list(self.forms())
        for name, form in forms:
            if form in content:
                before = content.partition(form)[0][-300:]
                for _name, other in forms:
                    before = before.replace(other, b"...")
                raise Failed(f"{where}: it contains {name}, after: {before.decode('utf-8', 'replace')}")
        check(JWT.search(content) is None, f"{where}: it contains a token that a registry has issued")


class Processes:
    """The command lines of all processes while it is entered, as ps shows them."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Processes:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        """A process that has just begun may become another one: it is looked at often, and later now and then."""
        looks: dict[str, int] = {}
        while not self._ended.wait(_PAUSE):
            running = [entry for entry in os.listdir("/proc") if entry.isdigit()]
            looks = {pid: looks.get(pid, -1) + 1 for pid in running}
            for pid, number in looks.items():
                if number < _OFTEN or number % _OFTEN == 0:
                    self._look(pid)

    def _look(self, pid: str) -> None:
        try:
            self.seen.add(Path("/proc", pid, "cmdline").read_bytes())
        except OSError:
            return
