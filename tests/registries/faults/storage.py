# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries whose storage fails."""

from __future__ import annotations

from faults.base import Answer, Fault, Request, json_answer, whole_number

_NO_SPACE = {"DriverName": "filesystem", "Enclosed": {"Op": "write", "Path": "/var/lib/registry", "Err": 28}}


class DiskFull(Fault):
    name = "disk-full"
    summary = "once so many bytes were uploaded, all that writes gets the 500 of a registry that has no space"
    argument = "bytes (default 0)"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._left = whole_number(argument, 0)

    def before(self, request: Request) -> Answer | None:
        if request.method not in ("POST", "PUT", "PATCH"):
            return None
        with self.lock:
            self._left -= request.body.size or 0
            full = self._left < 0 or (not self._left and not request.body.size)
        if not full:
            return None
        request.acted.append(self.name)
        return json_answer(500, {"errors": [{"code": "UNKNOWN", "message": "unknown error", "detail": _NO_SPACE}]})
