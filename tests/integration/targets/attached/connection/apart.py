# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host of its own on this machine: what runs there shares no session, and so no fate, with the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
name: apart
author:
  - imageops maintainers (@imageops)
short_description: Run commands in sessions of their own
description:
  - As the connection C(local), in a session of its own for every command, as a server of SSH does.
options:
  pipelining:
    description:
      - As everywhere.
    type: bool
    default: false
    vars:
      - name: ansible_pipelining
"""

import shlex
import typing as t

from ansible.plugins.connection.local import Connection as LocalConnection


class Connection(LocalConnection):
    """The connection."""

    transport = "attached_apart"

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, t.Any, t.Any]:
        """Run a command and wait for it."""
        apart = f"setsid --wait /bin/sh -c {shlex.quote(cmd)}"
        found: tuple[int, t.Any, t.Any] = super().exec_command(apart, in_data=in_data, sudoable=sudoable)
        return found
