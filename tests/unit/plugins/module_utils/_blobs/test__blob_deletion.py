# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._blob_deletion import delete_blobs
from ansible_collections.imageops.registry.plugins.module_utils._blobs._blob_group import BlobGroup, BlobOutcome
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import RegistryError, Unsupported
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.documents import transport
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

DIGEST = compute_digest(b"the content")
SMALL_DIGEST = compute_digest(b"small")
EMPTY_DIGEST = compute_digest(b"")


def blob(digest: str = DIGEST, repository: str = "a/b") -> str:
    return f"/v2/{repository}/blobs/{digest}"


def registry(server: ScriptedServer) -> Registry:
    return Registry(transport(server.host, retries=0, jobs=1), writing=True)


def group(*blobs: tuple[str, int | None]) -> BlobGroup:
    return BlobGroup("a/b", "", (), blobs)


@pytest.mark.parametrize("check", [True, False])
def test_blobs_are_deleted_where_they_are(server: ScriptedServer, check: bool) -> None:
    server.expect("HEAD", blob(), 200, length="9")
    if not check:
        server.expect("DELETE", blob(), 202)
    server.expect("HEAD", blob(SMALL_DIGEST), 404)
    server.expect("HEAD", blob(EMPTY_DIGEST), 200, length=None)
    if not check:
        server.expect("DELETE", blob(EMPTY_DIGEST), 405)
        server.expect("HEAD", blob(), 404)
    outcomes = delete_blobs(
        registry(server), [group((DIGEST, None), (SMALL_DIGEST, None), (EMPTY_DIGEST, None))], check=check
    )
    assert outcomes[:2] == [BlobOutcome("a/b", DIGEST, 9, "delete"), BlobOutcome("a/b", SMALL_DIGEST, 0, "absent")]
    if check:
        assert outcomes[2] == BlobOutcome("a/b", EMPTY_DIGEST, 0, "delete")
    else:
        assert isinstance(outcomes[2], RegistryError)


def test_a_delete_after_which_the_blob_is_still_there_is_an_error(server: ScriptedServer) -> None:
    # Registries without deletes may answer so.
    server.expect("HEAD", blob(), 200, length="9").expect("DELETE", blob(), 404).expect("HEAD", blob(), 200, length="9")
    server.expect("HEAD", blob(SMALL_DIGEST), 200, length="5").expect("DELETE", blob(SMALL_DIGEST), 404)
    server.expect("HEAD", blob(SMALL_DIGEST), 404)
    refused, gone = delete_blobs(registry(server), [group((DIGEST, None), (SMALL_DIGEST, None))], check=False)
    assert isinstance(refused, Unsupported) and "is not there, although it is" in str(refused)
    assert gone == BlobOutcome("a/b", SMALL_DIGEST, 5, "delete")
