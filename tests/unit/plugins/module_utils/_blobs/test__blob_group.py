# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.imageops.registry.plugins.module_utils._blobs._blob_group import BlobGroup, group_as_plain
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest

SOUND, DAMAGED = compute_digest(b"sound"), compute_digest(b"damaged")


def test_only_what_is_replaced_says_so() -> None:
    group = BlobGroup("a/b", "s", ("m", "n"), ((SOUND, 5), (DAMAGED, None)), frozenset({DAMAGED}))
    assert group_as_plain(group) == {
        "repository": "a/b",
        "source_repository": "s",
        "mount_from": ["m", "n"],
        "blobs": [{"digest": SOUND, "size": 5}, {"digest": DAMAGED, "size": None, "replace": True}],
    }
