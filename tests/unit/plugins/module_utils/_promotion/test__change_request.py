# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import cosign_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._promotion._change_request import change_request
from ansible_collections.imageops.registry.plugins.module_utils._promotion._copy import CopyRules, Promotion
from ansible_collections.imageops.registry.plugins.module_utils._promotion._descriptions import described
from ansible_collections.imageops.registry.plugins.module_utils._promotion._gates import GateResult
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan import Plan
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_as_plain import as_plain, from_plain
from ansible_collections.imageops.registry.plugins.module_utils._promotion._signatures import Judgement, Signature
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress
from ansible_collections.imageops.registry.tests.unit.support.documents import descriptor, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import image_item, plan_for

Plain = dict[str, t.Any]
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
BASE, OLD_LAYER, NEW_LAYER = b"b" * 30000, b"o" * 1000, b"n" * 2_000_000
SBOM = "application/spdx+json"
APP = image_item("team/app", tag="2", tags=("2", "stable"), artifacts=("all",))


def config(created: str, labels: Plain) -> bytes:
    inner = {"Labels": labels}
    return json.dumps({"os": "linux", "architecture": "amd64", "created": created, "config": inner}).encode()


def add(registry: FakeRegistry, config_bytes: bytes, layers: t.Sequence[bytes], *tags: str) -> str:
    """Put an image there, with its blobs. Returns its digest."""
    for blob in (config_bytes, *layers):
        registry.add_blob(blob, "team/app")
    document = image(config=descriptor(config_bytes, CONFIG_TYPE), layers=[descriptor(blob) for blob in layers])
    return registry.add("team/app", document, *tags).digest


OLD = config("2026-01-01T00:00:00Z", {"version": "1", "team": "a", "owner": "x"})
NEW = config("2026-02-01T00:00:00Z", {"version": "2", "team": "a", "note": "in two\nlines, with hunter2-hunter2"})


@pytest.fixture
def source() -> FakeRegistry:
    registry = FakeRegistry("dev.example")
    digest = add(registry, NEW, [BASE, NEW_LAYER], "2")
    manifest = registry.manifests["team/app", digest]
    subject = {"mediaType": manifest.media_type, "digest": digest, "size": manifest.size}
    registry.add("team/app", image(artifactType=SBOM, subject=subject))
    return registry


@pytest.fixture
def destination() -> FakeRegistry:
    registry = FakeRegistry("prod.example")
    add(registry, OLD, [BASE, OLD_LAYER], "stable")
    return registry


def hide(text: str) -> str:
    return text.replace("hunter2-hunter2", "********")


def diff_of(source: FakeRegistry, destination: FakeRegistry, plan: Plan, **more: t.Any) -> list[Plain]:
    """The diff of a run in check mode."""
    known = described(source.client, destination.client, plan)
    how = CopyRules(all_or_nothing=True, check=True)
    outcomes = Promotion(source.client, destination.client, plan, how, Progress()).carry_out()
    assert not outcomes.failures, outcomes.failures
    return change_request(plan, outcomes, known, hide, **more)


def test_a_promotion_reads_as_a_change(source: FakeRegistry, destination: FakeRegistry) -> None:
    plan = plan_for(source, destination, APP, summaries=True)
    gates = (GateResult("small", True, "error", True, ""), GateResult("new", False, "warning", False, "it is old"))
    judgement = Judgement(True, (Signature("cosign_tag", "d", "s", True, "key:k"),))
    judged = plan.images[0]._replace(gates=gates, judgement=judgement)
    (block,) = diff_of(source, destination, plan.with_images([judged]))
    old, new = destination.manifests["team/app", "stable"], source.manifests["team/app", "2"]
    artifact = next(one for one in source.manifests.values() if one.subject)
    assert block["before_header"] == "prod.example/team/app"
    assert block["after_header"] == "prod.example/team/app from dev.example/team/app:2"
    small = sum(len(blob) for blob in (OLD, BASE, OLD_LAYER)) + old.size
    assert block["before"] == (
        f"tag stable: {old.digest}, made 2026-01-01T00:00:00Z\n"
        "platforms: linux/amd64\n"
        f"size: {small / 1000:.1f} kB\n"
        "label owner: x\n"
        "label version: 1\n"
    )
    pushed = len(NEW) + len(NEW_LAYER) + new.size + artifact.size + sum(blob.size for blob in artifact.blobs())
    assert block["after"] == (
        f"tag 2: {new.digest}, made 2026-02-01T00:00:00Z\n"
        f"tag stable: {new.digest}, made 2026-02-01T00:00:00Z\n"
        "platforms: linux/amd64\n"
        "size: 2.0 MB\n"
        "label note: in two lines, with ********\n"
        "label version: 2\n"
        "layers: 1 (2.0 MB) new, 1 (30.0 kB) kept\n"
        f"content: 2 manifests and 4 blobs new ({pushed / 1e6:.1f} MB)\n"
        f"artifacts: 1 {SBOM}\n"
        "gates: small (passed), new (warning: it is old)\n"
        "signatures: verified by key:k (cosign_tag)\n"
    )


def test_digests_of_content_are_listed_where_somebody_asks(source: FakeRegistry, destination: FakeRegistry) -> None:
    plan = plan_for(source, destination, APP, summaries=True)
    (block,) = diff_of(source, destination, plan)
    (listed,) = diff_of(source, destination, plan, with_digests=True)
    layer = compute_digest(NEW_LAYER)
    assert layer not in block["after"] and compute_digest(BASE) not in listed["after"]
    assert f"  blob {layer} (2.0 MB)\n" in listed["after"]
    more = [line for line in listed["after"].splitlines() if line.startswith("  ")]
    assert len(more) == 6 and sum("manifest" in line for line in more) == 2


def test_what_is_not_changed_has_no_block_and_an_unchanged_tag_stays(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    digest = add(destination, NEW, [BASE, NEW_LAYER], "2")
    bare = APP._replace(artifacts=())
    equal = plan_for(source, destination, bare._replace(tags=("2",)), summaries=True)
    assert diff_of(source, destination, equal) == []
    (block,) = diff_of(source, destination, plan_for(source, destination, bare, summaries=True))
    line = f"tag 2: {digest}, made 2026-02-01T00:00:00Z\n"
    assert block["before"].startswith(line) and block["after"].startswith(line)
    assert "content: nothing new\n" in block["after"] and "layers" not in block["after"]


def test_a_tag_that_is_left_where_it_was_is_no_change(source: FakeRegistry, destination: FakeRegistry) -> None:
    plan = plan_for(source, destination, APP._replace(on_conflict="skip"), summaries=True)
    (block,) = diff_of(source, destination, plan)
    old = destination.manifests["team/app", "stable"].digest
    assert f"tag stable: {old}" in block["before"] and f"tag stable: {old}" in block["after"]
    assert "\ntag 2" not in block["before"] and block["after"].startswith("tag 2: ")


def test_an_image_without_a_tag_says_its_digest(source: FakeRegistry, destination: FakeRegistry) -> None:
    digest = source.manifests["team/app", "2"].digest
    plan = plan_for(source, destination, image_item("team/app", digest=digest), summaries=True)
    (block,) = diff_of(source, destination, plan)
    assert block["before"] == "" and block["after"].splitlines()[:2] == [
        f"without a tag: {digest}",
        "platforms: linux/amd64",
    ]


def test_the_same_content_is_new_once(source: FakeRegistry, destination: FakeRegistry) -> None:
    twice = [APP._replace(tags=(tag,), artifacts=()) for tag in ("a", "b")]
    first, second = diff_of(source, destination, plan_for(source, destination, *twice, summaries=True))
    assert "layers: 1 (2.0 MB) new, 1 (30.0 kB) kept\n" in first["after"]
    assert "layers: 0 new, 2 (2.0 MB) kept\ncontent: nothing new\n" in second["after"]


def test_a_signature_that_is_replaced_is_named(source: FakeRegistry, destination: FakeRegistry) -> None:
    digest = source.manifests["team/app", "2"].digest
    tag = cosign_tags(digest)[0]
    new = source.add("team/app", image(annotations={"a": "new"}, layers=[descriptor(b"new")]), tag).digest
    old = destination.add("team/app", image(annotations={"a": "old"}, layers=[descriptor(b"old")]), tag).digest
    (block,) = diff_of(source, destination, plan_for(source, destination, APP, summaries=True))
    assert f"tag {tag} (artifact): {old}\n" in block["before"]
    assert f"tag {tag} (artifact): {new}\n" in block["after"]


def test_a_plan_is_quoted_and_asks_for_one_config_more(source: FakeRegistry, destination: FakeRegistry) -> None:
    plan = plan_for(source, destination, APP)
    gates = (GateResult("small", True, "error", True, ""),)
    kept = as_plain(plan.with_images([plan.images[0]._replace(gates=gates)]))
    given = from_plain(json.loads(json.dumps(kept)), [APP], source.name, destination.name)
    source.calls.clear()
    (block,) = diff_of(source, destination, given)
    assert source.calls == [f"GET team/app {compute_digest(NEW)}"]
    assert "made 2026-02-01T00:00:00Z" in block["after"]
    assert block["after"].endswith("according to the plan, gates: small (passed)\n")
    kept["images"][0]["gates"] = [{"name": "small"}]
    strange = from_plain(kept, [APP], source.name, destination.name)
    assert "gates" not in diff_of(source, destination, strange)[0]["after"]


def test_a_plan_keeps_what_its_images_are(source: FakeRegistry, destination: FakeRegistry) -> None:
    plan = plan_for(source, destination, APP, summaries=True)
    kept = json.loads(json.dumps(as_plain(plan)))
    given = from_plain(kept, [APP], source.name, destination.name)
    assert diff_of(source, destination, given) == diff_of(source, destination, plan)
    for tag in kept["tags"]:
        tag["summary"] = {"media_type": "x"}
    (block,) = diff_of(source, destination, from_plain(kept, [APP], source.name, destination.name))
    assert "label owner: x\n" in block["before"] and "label" not in block["after"]


def test_what_a_registry_says_stays_on_its_line_and_short(source: FakeRegistry, destination: FakeRegistry) -> None:
    forged = config("2026-02-01T00:00:00Z", {"a\ntag x": "y\rtag z: \x1b[31m" + "w" * 500})
    add(source, forged, [BASE], "2")
    (block,) = diff_of(source, destination, plan_for(source, destination, APP, summaries=True))
    (line,) = [one for one in block["after"].splitlines() if one.startswith("label a")]
    assert line.startswith("label a tag x: y tag z:  [31mwww")
    assert line.endswith("www...") and len(line) < 240 and "\x1b" not in block["after"]
