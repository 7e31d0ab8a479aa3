# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The image document at real registries, key by key: of an index, an image, an artifact, and of what isn't there."""

from __future__ import annotations

import json
from typing import Any

from runs import OUTPUT, REGISTRIES, WRITING, Plain, check, connection, main, mark, play, playbook, requests_since, task
from runs import say as said
from signed_images import NOTARY, SPDX, Signed, push_signed, signed, tag_of

from images import OCI_INDEX, OCI_MANIFEST, Manifest

KEYS = (
    *("reference", "registry", "repository", "tag", "digest", "media_type", "artifact_type", "kind", "total_size"),
    *("annotations", "manifest", "images", "platforms", "created", "age_seconds", "labels", "referrers", "signatures"),
    *("promotions", "destination", "first_seen_at", "first_seen_seconds", "now"),
)
MADE_AT = "2026-01-01T00:00:00Z"
PLATFORMS = ["linux/amd64", "linux/arm64/v8"]


def expect(document: Plain, **wanted: Any) -> None:
    """These keys have these values."""
    for name, value in wanted.items():
        check(document[name] == value, f"{document['reference']}: {name} is {document[name]}, not {value}")


def whole_size(*manifests: Manifest) -> int:
    """Bytes of manifests and their blobs, each once."""
    blobs = {blob.digest: blob.size for manifest in manifests for blob in manifest.blobs}
    return sum(blobs.values()) + sum(len(manifest.body) for manifest in manifests)


def looked_at(registry: str, made: Signed, **more: Any) -> list[Plain]:
    """The index, the first of its images, its SBOM, and a tag that isn't there."""
    sbom = next(manifest for _subject, manifest in made.referrers if json.loads(manifest.body)["artifactType"] == SPDX)
    names: list[Plain] = [{"tag": "1.0"}, {"digest": made.images[0].digest}, {"digest": sbom.digest}, {"tag": "none"}]
    images = [{"repository": made.repository, **name} for name in names]
    options = {**connection(registry), "images": images, **more}
    found: list[Plain] = playbook(play([task("image_info", options)]), {}).of("image_info")["images"]
    return found


def index_of(document: Plain, registry: str, made: Signed) -> None:
    address = REGISTRIES[registry]["address"]
    attestation = next(one for one in made.index.manifests if one not in made.images)
    expect(
        document,
        reference=f"{address}/{made.repository}:1.0",
        registry=address,
        repository=made.repository,
        tag="1.0",
        digest=made.index.digest,
        media_type=OCI_INDEX,
        artifact_type=None,
        kind="index",
        total_size=whole_size(made.index, *made.images, attestation),
        annotations={},
        manifest=json.loads(made.index.body),
        platforms=PLATFORMS,
        created=MADE_AT,
        signatures=[],
        promotions=[],
        destination=None,
        first_seen_at=None,
        first_seen_seconds=None,
    )
    check(document["labels"]["org.opencontainers.image.created"] == MADE_AT, f"{document['labels']}")
    check([one["digest"] for one in document["images"]] == [one.digest for one in made.images], "other images")
    for one, manifest, platform in zip(document["images"], made.images, PLATFORMS):
        body = json.loads(manifest.body)
        layers = [{"digest": x["digest"], "media_type": x["mediaType"], "size": x["size"]} for x in body["layers"]]
        wanted = {"platform": platform, "layers": layers, "created": MADE_AT, "total_size": whole_size(manifest)}
        check({name: one[name] for name in wanted} == wanted, f"{one} is not {wanted}")
        check(one["config"]["architecture"] == platform.split("/")[1] and one["age_seconds"] > 0, f"{one}")
        check(one["labels"] == one["config"]["config"]["Labels"], f"{one['labels']}")


def referrers_of(document: Plain, registry: str, made: Signed) -> None:
    """All that refers to the index and its children, however it was found; nothing that refers to something else."""
    by = "api" if REGISTRIES[registry]["flavour"] == "olareg" else "tag_schema"
    family = {one.digest for one in (made.index, *made.images)}
    wanted = {(manifest.digest, subject.digest, by) for subject, manifest in made.referrers if subject.digest in family}
    for subject in (made.index, *made.images):
        for suffix in (".sig", ".att"):
            tagged = made.tags.get(tag_of(subject.digest, suffix))
            if tagged:
                wanted.add((tagged.digest, subject.digest, "cosign_tag"))
    found = {(one["digest"], one["subject"], one["found_by"]) for one in document["referrers"]}
    check(found == wanted, f"{registry}: {found} is not {wanted}")
    sbom = next(one for one in document["referrers"] if one["artifact_type"] == SPDX)
    check(sbom["annotations"] == {"org.opencontainers.image.created": MADE_AT} and sbom["size"] > 0, f"{sbom}")


def documents() -> None:
    """Of each kind, with every key; the same time of day for all; and nothing is written."""
    records = OUTPUT / "records"
    records.mkdir(exist_ok=True)
    for registry in ("dev", *(name for name in ("olareg",) if name in REGISTRIES)):
        made = signed("image-info")
        push_signed(registry, made)
        beginning = mark()
        index, one, sbom, absent = looked_at(registry, made)
        check((absent["exists"], absent["document"]) == (False, None), f"{absent}")
        found = [entry["document"] for entry in (index, one, sbom)]
        check([tuple(document) for document in found] == [KEYS] * 3, f"other keys: {list(map(list, found))}")
        check(len({document["now"] for document in found}) == 1, "the times of day differ")
        index_of(found[0], registry, made)
        referrers_of(found[0], registry, made)
        first = made.images[0]
        size = whole_size(first)
        expect(found[1], kind="image", tag=None, digest=first.digest, media_type=OCI_MANIFEST, total_size=size)
        expect(found[1], platforms=PLATFORMS[:1], created=MADE_AT, labels=found[1]["images"][0]["labels"])
        check(found[1]["reference"].endswith(f"@{first.digest}") and found[1]["age_seconds"] > 0, f"{found[1]}")
        expect(found[2], kind="artifact", artifact_type=SPDX, images=[], platforms=[], labels={}, created=None)
        expect(found[2], age_seconds=None, annotations={"org.opencontainers.image.created": MADE_AT})
        check([entry["artifact_type"] for entry in found[2]["referrers"]] == [NOTARY], f"{found[2]['referrers']}")
        kept = looked_at(registry, made, record={"path": str(records)})[0]["document"]
        expect(kept, first_seen_at=None, first_seen_seconds=None)
        check(not list(records.iterdir()), "image_info has written something")
        writes = [entry for entry in requests_since(beginning, registry) if entry["method"] in WRITING]
        check(not writes, f"{registry}: {writes}")
        said(f"{registry}: {len(KEYS)} keys of an index, an image and an artifact")


main([documents])
