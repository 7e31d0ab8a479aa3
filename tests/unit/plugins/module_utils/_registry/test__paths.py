# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    InvalidInput,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    Manifest,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    DIGEST,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_client import (
    CONTENT,
    registry,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer


@pytest.mark.parametrize("call", ["head_blob", "get_blob", "delete_blob"])
@pytest.mark.parametrize(
    ("repository", "digest"),
    [("../x", DIGEST), ("A/b", DIGEST), ("a/b", "sha256:../../x"), ("a/b", "latest"), ("a/b?x", DIGEST)],
)
def test_no_malformed_name_or_digest_reaches_the_wire(
    server: ScriptedServer, call: str, repository: str, digest: str
) -> None:
    with pytest.raises(InvalidInput):
        getattr(registry(server), call)(repository, digest)
    assert server.connections == 0


@pytest.mark.parametrize("reference", ["", "../x", "sha256:../../x", "a/b", "x" * 129, "1?x"])
def test_no_malformed_reference_reaches_the_wire(server: ScriptedServer, reference: str) -> None:
    client = registry(server)
    for call in (client.head_manifest, client.get_manifest, client.delete_manifest):
        with pytest.raises(InvalidInput):
            call("a/b", reference)
    with pytest.raises(InvalidInput):
        client.put_manifest("a/b", reference, Manifest.parse(CONTENT))
    assert server.connections == 0
