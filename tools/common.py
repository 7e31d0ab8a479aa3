# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the commands of the Makefile share. Standard library only, Python 3.9 or newer.

Everything that is made goes to `.build`: virtual environments, a home directory for the tools, logs, and a copy of
the collection at the path where ansible-test wants to find it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
from pathlib import Path


class Failed(Exception):
    """A sentence for the user; the command ends with it."""


def build_directory() -> Path:
    """`.build`, or the directory named by BUILD_DIR.

    ansible-test starts programs by a first line that neither takes blanks nor a long path: then everything goes
    through a short symbolic link.
    """
    path = Path(os.environ.get("BUILD_DIR") or ROOT / ".build").resolve()
    if len(str(path)) <= 60 and re.fullmatch(r"[\w./+-]+", str(path), re.ASCII):
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    link = Path(tempfile.gettempdir(), f"imageops-registry-{os.getuid()}-{name}")
    try:
        link.symlink_to(path, target_is_directory=True)
    except FileExistsError:
        pass
    if not link.is_symlink() or link.lstat().st_uid != os.getuid() or Path(os.readlink(link)) != path:
        raise SystemExit(f"{link} is in the way; remove it, or set BUILD_DIR to a short path without blanks.")
    return link


ROOT = Path(__file__).resolve().parent.parent
BUILD = build_directory()
COLLECTIONS = BUILD / "collections"
INSIDE = Path("ansible_collections", "imageops", "registry")
COPY = COLLECTIONS / INSIDE
HOME = BUILD / "home"
LOGS = BUILD / "logs"


def say(text: str) -> None:
    print(text, flush=True)


def shown(path: Path) -> str:
    """A path as a user looks for it: from the repository, unless BUILD_DIR says otherwise."""
    return str(path) if os.environ.get("BUILD_DIR") else str(Path(".build", path.relative_to(BUILD)))


class lock:  # noqa: N801 - reads as a statement
    """One command at a time in one build directory."""

    def __enter__(self) -> None:
        # Through the link, which may lead to nothing yet.
        BUILD.resolve().mkdir(parents=True, exist_ok=True)
        self._stream = (BUILD / "lock").open("w")
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another command that uses {shown(BUILD)} (or set BUILD_DIR to another directory) ...")
            fcntl.flock(self._stream, fcntl.LOCK_EX)

    def __exit__(self, *_exc: object) -> None:
        self._stream.close()


class Count:
    """What passed and what failed, kept in a file for the command that adds them up."""

    def __init__(self, name: str) -> None:
        self.file = BUILD / "counts" / name
        self.passed = self.failed = 0
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.unlink(missing_ok=True)

    def add(self, passed: int, failed: int) -> None:
        self.passed += passed
        self.failed += failed

    def close(self) -> int:
        """Write the file; the exit status of the command. Nothing passed is a failure, too."""
        if not self.passed and not self.failed:
            self.failed = 1
        self.file.write_text(f"{self.passed} {self.failed}\n")
        return 1 if self.failed else 0
