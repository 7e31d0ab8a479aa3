# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signed images in a registry in memory."""

from __future__ import annotations

import typing as t

from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import referrers_tag
from ansible_collections.imageops.registry.tests.unit.support.documents import image
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer
from ansible_collections.imageops.registry.tests.unit.support.signing import (
    WAYS,
    private_key,
    public_pem,
    simple_signing,
)


class Signature(t.NamedTuple):
    """A signature in a registry: the image that it is of, its own digest, its tag, and the public key in PEM."""

    subject: str
    digest: str
    tag: str
    key: str

    @property
    def in_results(self) -> dict[str, t.Any]:
        """What a module says of it where it verifies, but for who has signed."""
        return {"form": "cosign_tag", "digest": self.digest, "subject": self.subject, "verified": True, "reason": ""}


def sign_by_tag(registry: RegistryServer, name: str) -> Signature:
    """Sign an image such as ``team/app:1.0``, as cosign does: under a tag beside it."""
    kind, sign = WAYS["P-256 with SHA-256"]
    key, subject, repository = private_key(kind), registry.tags[name], name.partition(":")[0]
    made, tag = simple_signing(subject, key, sign), f"{referrers_tag(subject)}.sig"
    registry.add_blob(made.content, repository)
    digest = registry.add(image(layers=[made.listed()]), f"{repository}:{tag}")
    return Signature(subject, digest, tag, public_pem(key).decode())
