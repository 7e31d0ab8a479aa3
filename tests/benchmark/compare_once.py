# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""compare_once.py <OPTIONS: one run of image_diff_info with these options, which are JSON, and what it took, as JSON.

Needs ansible-core. The seconds are those of the module, without the imports of this process.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

# Where ansible_collections is, and what the soak has.
sys.path.insert(0, str(Path(__file__).resolve().parents[5]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "soak"))

from ansible_collections.imageops.registry.plugins.modules import image_diff_info

import module_process


def main() -> int:
    options = json.load(sys.stdin)
    with tempfile.TemporaryFile() as printed:
        began = time.monotonic()
        arguments = {**options, "_ansible_tmpdir": tempfile.gettempdir()}
        pid = module_process.begin(image_diff_info, arguments, printed.fileno())
        _pid, status, usage = os.wait4(pid, 0)
        seconds = time.monotonic() - began
        printed.seek(0)
        text = printed.read().decode()
    if status:
        print(text)
        return 1
    result = json.loads(text)
    processor = usage.ru_utime + usage.ru_stime
    found = {"seconds": seconds, "processor": processor, "mebibytes": usage.ru_maxrss / 1024}
    found.update(requests=result["transfer"]["requests"], promoted=result["counts"]["promote"])
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
