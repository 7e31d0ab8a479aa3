# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._listing import list_tags, resolve_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import AccessDenied
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.documents import encoded, errors, image, transport
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

MANIFEST = encoded(image())
DIGEST = compute_digest(MANIFEST)


@pytest.fixture
def registry(server: ScriptedServer) -> t.Iterator[Registry]:
    opened = Registry(transport(server.host, jobs=1), writing=False)
    yield opened
    opened.close()


def test_tags_of_repositories(server: ScriptedServer, registry: Registry) -> None:
    server.expect("GET", "/v2/a/b/tags/list", 200, {"name": "a/b", "tags": ["2", "1"]})
    server.expect("GET", "/v2/c/tags/list", 404, errors("NAME_UNKNOWN"))
    server.expect("GET", "/v2/d/tags/list", 403, errors("DENIED"))
    there, missing, refused = list_tags(registry, ["a/b", "c", "d"])
    assert there == ["1", "2"]
    assert missing is None
    assert isinstance(refused, AccessDenied)


def test_tags_are_resolved(server: ScriptedServer, registry: Registry) -> None:
    headers = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": DIGEST}
    server.expect("HEAD", "/v2/a/b/manifests/1.0", 200, MANIFEST, headers)
    server.expect("HEAD", "/v2/a/b/manifests/gone", 404)
    assert resolve_tags(registry, [("a/b", "1.0"), ("a/b", "gone")]) == [
        {"digest": DIGEST, "media_type": OCI_MANIFEST, "size": len(MANIFEST)},
        None,
    ]
