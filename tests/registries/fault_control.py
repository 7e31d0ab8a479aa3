# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which faults a running proxy plays: a file that is replaced as a whole, and looked at with every request."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from faults import parse_faults
from faults.base import Fault
from files import write_json


class FaultControl:
    """Faults by repository; the empty one stands for all that have none of their own, and for what is in none."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._faults: dict[str, list[Fault]] = {}

    def read(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._path.read_text(encoding="utf-8"))
        return found

    def switch(self, faults: Mapping[str, str]) -> None:
        """From now on play these, and no others; they begin anew. Raises :class:`HarnessError`."""
        for text in faults.values():
            parse_faults(text)
        write_json(self._path, faults)

    def faults(self, repository: str) -> list[Fault]:
        """Those for a request to that repository."""
        with self._lock:
            found = os.stat(self._path)
            if (found.st_ino, found.st_mtime_ns) != self._seen:
                self._faults = {name: parse_faults(text) for name, text in self.read().items()}
                self._seen = (found.st_ino, found.st_mtime_ns)
            return self._faults.get(repository, self._faults[""])
