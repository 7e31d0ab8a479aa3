# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changelog: its fragments are well-formed, and CHANGELOG.md is what antsibull-changelog makes of it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "changelogs/changelog.yaml"
PAGE = "CHANGELOG.md"


def complaints(*arguments: str) -> Iterator[str]:
    """What antsibull-changelog, of the same environment, finds fault with."""
    program = Path(sys.executable).parent / "antsibull-changelog"
    done = subprocess.run(
        [sys.executable, str(program), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        yield done.stdout.strip() or f"antsibull-changelog {arguments[0]} failed"


def stale() -> Iterator[str]:
    """That the page differs from its source."""
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory, PAGE)
        failed = list(complaints("generate", "--output", str(made), "--output-format", "md"))
        page = ROOT / PAGE
        if failed:
            yield f"{SOURCE}: {failed[0]}"
        elif not page.is_file() or page.read_bytes() != made.read_bytes():
            yield f"{PAGE}: differs from {SOURCE}; run: antsibull-changelog generate"


def main() -> int:
    broken = [*complaints("lint"), *complaints("lint-changelog-yaml", "--strict", SOURCE), *stale()]
    for line in broken:
        print(line)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
