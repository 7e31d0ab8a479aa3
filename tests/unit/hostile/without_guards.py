# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take out each guard against hostile registries, one at a time, and see that its tests fail.

Usage: without_guards.py [WORD...], for the guards in whose names all of the words occur. Needs pytest, and what the
collection needs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from guards import GUARDS, Guard

ROOT = Path(__file__).resolve().parents[3]
HERE = "tests/unit/hostile"
TIMEOUT = 300
"""Seconds for the tests of one guard: some guards keep a task from going on for ever."""
TIMEOUT_OF_ALL = 1800


def copied(folder: Path) -> Path:
    """The parts of the collection that the tests need, where Python finds them by its name."""
    copy = folder / "ansible_collections" / "imageops" / "registry"
    for part in ("plugins", "tests/unit"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def run(copy: Path, tests: set[str], timeout: int) -> str:
    """``pass``, ``fail`` or what else came of the tests, which are given by the first part of their names."""
    files = sorted({f"{HERE}/{test.partition('::')[0]}" for test in tests})
    names = " or ".join(sorted({test.partition("::")[2] for test in tests}))
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", names, *files]
    env = dict(os.environ, PYTHONPATH=str(copy.parents[2]), PYTHONDONTWRITEBYTECODE="1")
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "fail (it goes on for ever)"
    words = {0: "pass", 1: "fail", 5: "no such test"}
    return words.get(done.returncode, f"pytest ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")


def without(copy: Path, guard: Guard) -> str:
    """What comes of a guard's tests without it."""
    path = copy / "plugins" / "module_utils" / guard.file
    content = path.read_text(encoding="utf-8")
    if content.count(guard.text) != 1:
        return f"its text is in {guard.file} {content.count(guard.text)} times"
    path.write_text(content.replace(guard.text, guard.replacement), encoding="utf-8")
    try:
        return run(copy, {guard.tests}, TIMEOUT)
    finally:
        path.write_text(content, encoding="utf-8")


def main() -> int:
    chosen = [guard for guard in GUARDS if all(word in guard.name for word in sys.argv[1:])]
    if not chosen:
        print("No guard has such a name.")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(Path(folder))
        found = run(copy, {guard.tests for guard in chosen}, TIMEOUT_OF_ALL)
        if found != "pass":
            print(f"With all guards in place, their tests must pass: {found}")
            return 2
        useless = 0
        for guard in chosen:
            found = without(copy, guard)
            useless += not found.startswith("fail")
            print(
                f"fails without it: {'yes' if found.startswith('fail') else 'no '}  {guard.name} [{guard.file}]", end=""
            )
            print("" if found == "fail" else f" ({found})", flush=True)
    print(f"{len(chosen)} guards, {useless} of which no test needs.")
    return 1 if useless else 0


if __name__ == "__main__":
    sys.exit(main())
