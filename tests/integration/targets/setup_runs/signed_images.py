# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image with everything around it: platforms, attestations, signatures old and new, and what refers to these."""

from __future__ import annotations

import json
from typing import NamedTuple

from runs import REGISTRIES, state_at
from signing import bundle, key_of, referrer, signature_image

from images import AMD64, ARM64, OCI_INDEX, Manifest, Platform, image, index, layer
from seeding import Pusher

KEY = key_of("release")
UNKNOWN = Platform("unknown", "unknown")
SPDX = "application/spdx+json"
NOTARY = "application/vnd.cncf.notary.signature"


class Signed(NamedTuple):
    """An index with images, attestations of BuildKit, and artifacts of every kind around it."""

    repository: str
    index: Manifest
    images: tuple[Manifest, ...]
    tags: dict[str, Manifest]
    referrers: list[tuple[Manifest, Manifest]]
    """Subject, and what refers to it."""


def attested_index(images: tuple[Manifest, ...], attestation: Manifest) -> Manifest:
    """An index as BuildKit writes it: an attestation beside the first of the images."""
    whole = index([(images[0], AMD64), (images[1], ARM64), (attestation, UNKNOWN)])
    document = json.loads(whole.body)
    document["manifests"][2]["annotations"] = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": images[0].digest,
    }
    body = json.dumps(document, separators=(",", ":")).encode()
    return Manifest(OCI_INDEX, body, (), whole.manifests)


def signed(name: str) -> Signed:
    images = tuple(image([layer(f"{name}/{at.architecture}", 20000)], name, at) for at in (AMD64, ARM64))
    statement = image([layer(f"{name}/statement", 3000)], name, UNKNOWN)
    top = attested_index(images, statement)
    sbom = referrer(SPDX, f'{{"name":"{name}"}}'.encode(), top)
    tags = {
        tag_of(top.digest, ".sig"): signature_image(KEY, top.digest),
        tag_of(images[1].digest, ".sig"): signature_image(KEY, images[1].digest),
        tag_of(images[0].digest, ".att"): image([layer(f"{name}/attestation", 2000)], "attestation"),
    }
    return Signed(
        f"whole/{name}",
        top,
        images,
        tags,
        [(top, sbom), (images[0], bundle(KEY, images[0])), (sbom, referrer(NOTARY, b"signature", sbom))],
    )


def tag_of(digest: str, suffix: str = "") -> str:
    return digest.replace(":", "-") + suffix


def push_signed(registry: str, made: Signed) -> None:
    """Push it all, and, where the registry has no referrers API, keep the lists of referrers as a client must."""
    state = state_at()
    with Pusher(state.registry(registry), str(state.ca_path)) as pusher:
        pusher.push_manifest(made.repository, made.index, "1.0")
        for tag, manifest in made.tags.items():
            pusher.push_manifest(made.repository, manifest, tag)
        for subject, manifest in made.referrers:
            pusher.push_manifest(made.repository, manifest, manifest.digest)
            if REGISTRIES[registry]["flavour"] != "olareg":
                pusher.push_manifest(made.repository, list_of(manifest), tag_of(subject.digest))


def list_of(*manifests: Manifest) -> Manifest:
    """A list of referrers as clients keep it."""
    entries = [
        {**manifest.descriptor(), "artifactType": json.loads(manifest.body)["artifactType"]} for manifest in manifests
    ]
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return Manifest(OCI_INDEX, json.dumps(body, separators=(",", ":")).encode())
