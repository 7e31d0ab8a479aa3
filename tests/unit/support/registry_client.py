# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of the protocol layer for a scripted server, and what its tests ask for."""

from __future__ import annotations

import typing as t
import urllib.parse

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import Credential
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import Referrers
from ansible_collections.imageops.registry.plugins.module_utils._end._upload_session import UploadSession
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import NotFound
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    OCI_INDEX,
    OCI_MANIFEST,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    DIGEST,
    encoded,
    errors,
    image,
    transport,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

TOKEN = Credential(token="tok")
CONTENT = encoded(image())
MANIFEST_DIGEST = compute_digest(CONTENT)
ENCODED_DIGEST = DIGEST.replace(":", "%3A")
INDEX_TYPE = {"Content-Type": OCI_INDEX}
DENIED = errors("DENIED")

ONE = "/v2/a/b/manifests/1"
TAGS = "/v2/a/b/tags/list"
BLOB = f"/v2/a/b/blobs/{DIGEST}"
UPLOADS = "/v2/a/b/blobs/uploads/"
MOUNT = UPLOADS + "?" + urllib.parse.urlencode({"mount": DIGEST, "from": "c/d"})
REFERRERS = f"/v2/a/b/referrers/{MANIFEST_DIGEST}"


def registry(server: ScriptedServer, *, writing: bool = True, **options: t.Any) -> Registry:
    """A client that tries nothing again, unless told otherwise."""
    options.setdefault("retries", 0)
    return Registry(transport(server.host, **options), writing=writing)


def plain_registry(server: ScriptedServer, **options: t.Any) -> Registry:
    """The same for a server whose script has every request, those as well that :class:`.Absence` leads to."""
    server.is_plain = True
    return registry(server, **options)


def known(server: ScriptedServer) -> Registry:
    """A :func:`plain_registry` that has shown to be one."""
    client = plain_registry(server)
    server.expect("GET", "/v2/a/tags/list", 404, errors("NAME_UNKNOWN"))
    with pytest.raises(NotFound):
        client.list_tags("a")
    return client


def described(content: bytes = CONTENT, media_type: str = OCI_MANIFEST, digest: str = "") -> dict[str, str]:
    """The headers of an answer that has a manifest, or to HEAD of one."""
    return {
        "Content-Type": media_type,
        "Content-Length": str(len(content)),
        "Docker-Content-Digest": digest or compute_digest(content),
    }


def start(server: ScriptedServer, location: str, **options: t.Any) -> UploadSession:
    """An upload session at that location."""
    server.expect("POST", UPLOADS, 202, headers={"Location": location, "Range": "0-0"})
    return registry(server, **options).start_upload("a/b")


def found_in(referrers: Referrers) -> list[str]:
    """The artifact types of what was found."""
    return [entry.artifact_type for entry in referrers.descriptors]
