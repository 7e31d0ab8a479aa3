# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module of the collection in a fork of this process, which has imported it already. Needs ansible-core."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ansible.module_utils.testing import patch_module_args

_ENDED_OTHERWISE = 70
"""The status of one that doesn't end as modules do."""


def begin(module: ModuleType, arguments: Mapping[str, Any], output: int) -> int:
    """Begin it, as Ansible does; all that it prints goes to an open file. Returns its process."""
    pid = os.fork()
    if pid:
        return pid
    status = _ENDED_OTHERWISE
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        with patch_module_args(dict(arguments)):
            module.main()
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
