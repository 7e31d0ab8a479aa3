# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine and the versions of all that took part."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

from contenders import Contender, Program


def describe(known: Mapping[str, Contender], core: Path, registry: str) -> list[str]:
    """Lines for a reader who wants to compare."""
    tools = {one.program: one.version() for one in known.values() if isinstance(one, Program)}
    question = "import ansible.release, sys; print(ansible.release.__version__, 'on Python', sys.version.split()[0])"
    return [
        f"{os.cpu_count()} processors ({_field('/proc/cpuinfo', 'model name')}), "
        f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 1024**2:.0f} GiB of memory, "
        f"Linux {platform.release()}, loopback",
        f"registries: distribution {_output(registry, '--version').split()[-1]}",
        f"ansible-core {_output(str(core / 'bin' / 'python'), '-c', question)}",
        ", ".join(f"{name} {version}" for name, version in tools.items()),
    ]


def _field(file: str, name: str) -> str:
    for line in Path(file).read_text(encoding="utf-8").splitlines():
        key, _colon, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "0"


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.stdout.strip() or "?"
