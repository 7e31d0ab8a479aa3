# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans, and what became of them, for tests of what decides about promotions."""

from __future__ import annotations

import typing as t

from ansible_collections.imageops.registry.plugins.module_utils._blobs._blob_group import BlobOutcome
from ansible_collections.imageops.registry.plugins.module_utils._end._end import End
from ansible_collections.imageops.registry.plugins.module_utils._images._manifest_push import ManifestOutcome
from ansible_collections.imageops.registry.plugins.module_utils._images._tagging import TagItem, TagOutcome
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import ConnectionFailed
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.plugins.module_utils._promotion._copy import CopyRules, Promotion
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import ImageItem
from ansible_collections.imageops.registry.plugins.module_utils._promotion._make_plan import PlanRules, make_plan
from ansible_collections.imageops.registry.plugins.module_utils._promotion._outcomes import Failure, Outcomes, Part
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan import Plan
from ansible_collections.imageops.registry.plugins.module_utils._promotion._result import result_of
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress
from ansible_collections.imageops.registry.tests.unit.support.documents import CONFIG, descriptor, encoded, image, index
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry

Plain = dict[str, t.Any]
IMAGE = image()
IMAGE_BYTES = encoded(IMAGE)
IMAGE_DIGEST = compute_digest(IMAGE_BYTES)
OTHER = image(layers=[descriptor(), descriptor(b"another layer")])
OTHER_BYTES = encoded(OTHER)
OTHER_DIGEST = compute_digest(OTHER_BYTES)
INDEX = index(descriptor(IMAGE_BYTES, OCI_MANIFEST), descriptor(OTHER_BYTES, OCI_MANIFEST))
INDEX_DIGEST = compute_digest(encoded(INDEX))
CONFIG_DIGEST = compute_digest(CONFIG)
ANOTHER_LAYER = compute_digest(b"another layer")


def image_item(repository: str, **more: t.Any) -> ImageItem:
    """An image that has the same repository at the destination, unless ``more`` says another."""
    return ImageItem(**{"repository": repository, "destination_repository": repository, **more})


BY_TAG = image_item("team/app", tag="1", tags=("1", "stable"))
BY_DIGEST = image_item("team/app", digest=IMAGE_DIGEST, tags=("1", "stable"))
MULTI = image_item("team/app", tag="multi", tags=("multi",))


def filled_source() -> FakeRegistry:
    """A registry with two images and an index of both in ``team/app``."""
    registry = FakeRegistry("dev.example")
    registry.add("team/app", IMAGE, "1")
    registry.add("team/app", OTHER, "2")
    registry.add("team/app", INDEX, "multi")
    registry.add_blob(CONFIG, "team/app")
    return registry


def plan_for(source: FakeRegistry, destination: FakeRegistry, *items: ImageItem, **rules: t.Any) -> Plan:
    """The plan for these images."""
    return make_plan(source.client, destination.client, items, PlanRules(**rules))


def done(plan: Plan, **parts: t.Any) -> Outcomes:
    """What has happened where all went well, with changes; ``parts`` of it otherwise."""
    blobs = tuple(
        BlobOutcome(group.repository, digest, size or 0, "upload")
        for group in plan.blobs
        for digest, size in group.blobs
    )
    manifests = tuple(
        ManifestOutcome(one.repository, one.manifest.digest, one.manifest.media_type, one.manifest.size, "push")
        for one in plan.manifests
    )
    went_well = Outcomes(
        Part(blobs),
        Part(manifests),
        artifact_tags=Part(tuple(map(_moved, plan.artifact_tags))),
        tags=Part(tuple(map(_moved, plan.tags))),
    )
    for name, part in parts.items():
        setattr(went_well, name, part)
    return went_well


def _moved(tag: TagItem) -> TagOutcome:
    previous = tag.previous_digest or ""
    return TagOutcome(tag.repository, tag.tag, tag.digest, previous, "replace" if previous else "create")


def failing(repository: str, digest: str, tag: str = "") -> tuple[Failure, ...]:
    """What failed, alone."""
    return (Failure(repository, digest, ConnectionFailed(f"{digest} failed"), tag),)


def told(plan: Plan, outcomes: Outcomes) -> Plain:
    """What a role says of it."""
    return {**result_of(plan, outcomes), "transfer": {"requests": 3}}


def promoted(source: End, destination: End, *items: ImageItem, progress: Progress | None = None) -> Plain:
    """Promote images, with their artifacts, all or none. Returns the result."""
    plan = make_plan(source, destination, items, PlanRules(artifacts_of_equal=True))
    rules = CopyRules(all_or_nothing=True, check=False)
    return result_of(plan, Promotion(source, destination, plan, rules, progress or Progress()).carry_out())
