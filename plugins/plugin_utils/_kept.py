# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Results of a role's tasks that are too large for an event: kept in a file, so that callbacks don't see all of them.

Whatever a task registers is in its event too, and AWX cuts an event of more than 700 kB. So the parts that grow with
the number of images go into a private file in Ansible's own temporary directory, which Ansible removes when it ends.
What is registered has the name of the file in their place. Nobody but the user who runs Ansible can write there: what
comes back is what the task before has returned.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import typing as t

from ansible import constants

Plain = dict[str, t.Any]

KEPT = "kept"
"""The key of a result with the name of the file."""
LIMIT = 100_000
"""Bytes of JSON. What is smaller is registered as it is."""
PARTS = (
    *("images", "blobs", "manifests", "artifact_tags", "tags", "replaced_tags", "not_reverted"),
    *("given_up", "failures", "invocation"),
)
"""The parts of a result that grow with the number of images."""
_PREFIX = "imageops-registry-"
_NAME = re.compile(rf"{_PREFIX}[A-Za-z0-9_]+", re.ASCII)


def kept(result: Plain) -> Plain:
    """The result as it is to be registered. Raises :class:`OSError` where a large one can't be kept."""
    parts = {name: value for name, value in result.items() if name in PARTS}
    content = json.dumps(parts)
    if len(content) <= LIMIT:
        return result
    descriptor, path = tempfile.mkstemp(prefix=_PREFIX, dir=_directory())
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(content)
    return {**{name: value for name, value in result.items() if name not in PARTS}, KEPT: os.path.basename(path)}


def whole(result: t.Mapping[str, t.Any]) -> Plain:
    """A registered result with all its parts. Raises :class:`OSError` and :class:`ValueError` where there are none."""
    if KEPT not in result:
        return dict(result)
    name = str(result[KEPT])
    if not _NAME.fullmatch(name):
        raise ValueError(f"nothing is kept under the name {name!r}")
    with open(os.path.join(_directory(), name), encoding="ascii") as file:
        return {**{key: value for key, value in result.items() if key != KEPT}, **json.load(file)}


def _directory() -> str:
    # Settings are attributes that ansible-core makes when it is imported.
    return str(vars(constants)["DEFAULT_LOCAL_TMP"])
