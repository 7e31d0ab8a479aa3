# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests, digests and connections that several tests need."""

from __future__ import annotations

import json
import time
import typing as t

from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credentials import Credentials
from ansible_collections.imageops.registry.plugins.module_utils._credentials._secrets import Secrets
from ansible_collections.imageops.registry.plugins.module_utils._http._endpoint import Endpoint
from ansible_collections.imageops.registry.plugins.module_utils._http._transport import Transport
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_INDEX, OCI_MANIFEST
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters

CONFIG = b'{"architecture":"amd64","os":"linux"}'
LAYER = b"not really a layer"
DIGEST = compute_digest(LAYER)
OTHER_DIGEST = compute_digest(b"something else")
DIGEST_512 = compute_digest(LAYER, "sha512")
PASSWORD = "pass-word-of-the-tests"
LOGIN = Credential("ci", PASSWORD)


def descriptor(
    content: bytes = LAYER, media_type: str = "application/vnd.oci.image.layer.v1.tar", **more: t.Any
) -> dict[str, t.Any]:
    """The descriptor of some bytes."""
    return {"mediaType": media_type, "digest": compute_digest(content), "size": len(content), **more}


def image(**changes: t.Any) -> dict[str, t.Any]:
    """An image manifest. A change to None drops the key."""
    document: dict[str, t.Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(CONFIG, "application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor()],
    }
    document.update(changes)
    return {key: value for key, value in document.items() if value is not None}


def index(*children: dict[str, t.Any], **changes: t.Any) -> dict[str, t.Any]:
    """An index of the given descriptors. A change to None drops the key."""
    document: dict[str, t.Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(children)}
    document.update(changes)
    return {key: value for key, value in document.items() if value is not None}


def encoded(document: dict[str, t.Any]) -> bytes:
    """The bytes of a document."""
    return json.dumps(document).encode()


def errors(*codes: str, **first: t.Any) -> dict[str, t.Any]:
    """A registry's error body."""
    entries: list[dict[str, t.Any]] = [{"code": code, "message": code.lower()} for code in codes]
    entries[0].update(first)
    return {"errors": entries}


class Naps:
    """Stands in for ``time.sleep``: notes what was asked for and comes back at once."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        time.sleep(0)


def transport(
    host: str,
    naps: Naps | None = None,
    *,
    credential: Credential = ANONYMOUS,
    secrets: Secrets | None = None,
    **options: t.Any,
) -> Transport:
    """A transport to a registry without TLS that never really waits. The credential is that of all repositories.

    ``secrets`` are those that it knows, and learns.
    """
    secrets = secrets or Secrets()
    options.setdefault("credentials", Credentials(host, (), given=credential, on_secret=secrets.own))
    options.setdefault("plain_http", True)
    options.setdefault("timeout", 5.0)
    return Transport(Endpoint(host, **options), Counters(), secrets=secrets, sleep=naps or Naps())
