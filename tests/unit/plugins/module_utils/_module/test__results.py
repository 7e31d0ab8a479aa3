# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.imageops.registry.plugins.module_utils._model._errors import RepositoryMissing
from ansible_collections.imageops.registry.plugins.module_utils._module._results import failure


def test_a_failure_names_its_place() -> None:
    error = RepositoryMissing("no")
    assert failure(error, repository="a", tag="1") == {
        "repository": "a",
        "tag": "1",
        "msg": "no.",
        "error": error.facts(),
        "repository_missing": True,
    }
