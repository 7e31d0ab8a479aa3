# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.imageops.registry.plugins.module_utils._blobs._blob_group import BlobGroup
from ansible_collections.imageops.registry.plugins.module_utils._blobs._missing_blobs import (
    look_for_blobs,
    missing_blobs,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import AccessDenied
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.documents import transport
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

DIGEST = compute_digest(b"the content")
SMALL_DIGEST = compute_digest(b"small")
EMPTY_DIGEST = compute_digest(b"")


def blob(digest: str = DIGEST, repository: str = "a/b") -> str:
    return f"/v2/{repository}/blobs/{digest}"


def registry(server: ScriptedServer) -> Registry:
    return Registry(transport(server.host, retries=0, jobs=1), writing=False)


def group(
    *blobs: tuple[str, int | None], repository: str = "a/b", mount_from: tuple[str, ...] = (), source: str = ""
) -> BlobGroup:
    return BlobGroup(repository, source, mount_from, blobs)


def test_each_blob_is_looked_for_once(server: ScriptedServer) -> None:
    server.expect("HEAD", blob(), 200, length="9").expect("HEAD", blob(SMALL_DIGEST), 404)
    server.expect("HEAD", blob(repository="c"), 403).expect("GET", blob(repository="c"), 403)
    groups = [group((DIGEST, None), (SMALL_DIGEST, 5), (DIGEST, 9)), group((DIGEST, 9), repository="c")]
    found = look_for_blobs(registry(server), groups)
    assert found[:3] == [9, None, 9]
    assert isinstance(found[3], AccessDenied)


def test_what_is_missing_is_handed_on_with_where_it_can_be_mounted_from() -> None:
    groups = [
        group((DIGEST, 9), (SMALL_DIGEST, 5), repository="a", source="s/a", mount_from=("m", "a")),
        group((DIGEST, 9), repository="b"),
        group((DIGEST, 9), repository="c"),
        group((SMALL_DIGEST, None), (EMPTY_DIGEST, 0), repository="d"),
    ]
    found = [None, None, 9, AccessDenied("no"), None, -1]
    assert missing_blobs(groups, found) == [
        group((DIGEST, 9), repository="a", source="s/a", mount_from=("m", "b")),
        group((SMALL_DIGEST, 5), repository="a", source="s/a", mount_from=("m",)),
        group((SMALL_DIGEST, None), repository="d"),
    ]


def test_where_a_missing_blob_can_be_mounted_from_is_cut_after_three() -> None:
    groups = [group((DIGEST, 9), repository=name) for name in "abcdef"]
    assert missing_blobs(groups, [None, 9, 9, 9, 9, 9]) == [
        group((DIGEST, 9), repository="a", mount_from=("b", "c", "d"))
    ]
