# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The library that verifies and signs costs a task its start only where it is needed."""

from __future__ import annotations

import subprocess
import sys

from ansible_collections.imageops.registry.plugins.module_utils._promotion import _cryptography

_PACKAGE = "ansible_collections.imageops.registry.plugins.module_utils._promotion"


def _run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def test_it_is_imported_when_it_is_first_needed() -> None:
    program = f"""
import sys
from {_PACKAGE} import _cryptography, _signatures, _signing
print("cryptography" in sys.modules, _cryptography.x509.__name__, "cryptography" in sys.modules)
"""
    assert _run(program) == "False cryptography.x509 True"


def test_where_it_is_missing_the_problem_says_so() -> None:
    program = f"""
import sys
sys.modules["cryptography"] = None
from {_PACKAGE} import _cryptography
print(_cryptography.PROBLEM, _cryptography.INVALID)
"""
    said = _run(program)
    assert said.startswith("the Python library cryptography cannot be imported (") and said.endswith(") ()")


def test_it_has_no_other_parts() -> None:
    assert not hasattr(_cryptography, "other")
