# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that appear whole or not at all, and that only their owner reads."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from errors import HarnessError


def write_private(path: Path, content: bytes) -> None:
    """Replace ``path`` atomically; mode 0600. A device such as /dev/null would be gone then, and is refused."""
    if path.exists() and not path.is_file():
        raise HarnessError(f"{path} is not a regular file.")
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp gives 0600
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_json(path: Path, value: Any) -> None:
    write_private(path, json.dumps(value, indent=2, sort_keys=True).encode() + b"\n")
