# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys

from ansible_collections.imageops.registry.plugins.plugin_utils._orphan import ansible_of_worker, is_orphaned, parent_of


def test_a_process_that_nobody_has_left_alone_has_its_ansible() -> None:
    assert ansible_of_worker() == os.getppid()
    assert not is_orphaned()


def test_the_parent_of_a_process_is_found_and_0_where_it_has_gone() -> None:
    assert parent_of(os.getpid()) == os.getppid()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert parent_of(process.pid) == os.getpid()
        process.kill()
    assert parent_of(process.pid) == 0
