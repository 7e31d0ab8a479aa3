# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import ConnectionFailed, LocalFileError
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.plugins.module_utils._promotion._copy import CopyRules, Promotion
from ansible_collections.imageops.registry.plugins.module_utils._promotion._first_sights import FirstSights
from ansible_collections.imageops.registry.plugins.module_utils._promotion._gates import Gate, read_gates
from ansible_collections.imageops.registry.plugins.module_utils._promotion._judging import Conditions, judge_plan
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan import Plan
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_as_plain import as_plain, from_plain
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_conditions import check_conditions
from ansible_collections.imageops.registry.plugins.module_utils._promotion._public_keys import public_key
from ansible_collections.imageops.registry.plugins.module_utils._promotion._signature_rules import SignatureRule
from ansible_collections.imageops.registry.plugins.module_utils._promotion._trust import Trust
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress
from ansible_collections.imageops.registry.tests.unit.support import documents
from ansible_collections.imageops.registry.tests.unit.support.documents import descriptor, encoded, image, index
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import image_item, plan_for
from ansible_collections.imageops.registry.tests.unit.support.signing import (
    WAYS,
    private_key,
    public_pem,
    signed_statement,
    simple_signing,
)

KIND, SIGN = WAYS["P-256 with SHA-256"]
KEY = private_key(KIND)
TRUST = Trust((public_key(public_pem(KEY), "keys"),))
REQUIRED = SignatureRule(("*",), "required", TRUST)
CONFIG = json.dumps({"os": "linux", "architecture": "amd64", "config": {"Labels": {"team": "app"}}}).encode()
IMAGE = image(config=descriptor(CONFIG, "application/vnd.oci.image.config.v1+json"))
DIGEST = compute_digest(encoded(IMAGE))
OTHER = image(annotations={"other": "image"})
ITEM = image_item("team/app", tag="1", tags=("1",), artifacts=("all",))
OTHER_ITEM = image_item("team/other", tag="1", tags=("1",))


@pytest.fixture
def source() -> FakeRegistry:
    registry = FakeRegistry("dev.example")
    registry.add("team/app", IMAGE, "1")
    registry.add("team/other", OTHER, "1")
    for config in (CONFIG, documents.CONFIG):
        registry.add_blob(config, "team/app", "team/other")
    return registry


def gates(*expressions: str, **changes: t.Any) -> tuple[Gate, ...]:
    empty = {"msg": None, "severity": "error", "repositories": None}
    return read_gates([{"name": f"gate {n}", "that": that, **empty, **changes} for n, that in enumerate(expressions)])


def sign(source: FakeRegistry, repository: str = "team/app", digest: str = DIGEST) -> None:
    made = simple_signing(digest, KEY, SIGN)
    source.add_blob(made.content, repository)
    source.add(repository, image(layers=[made.listed()]), f"{referrers_tag(digest)}.sig")


def judged(source: FakeRegistry, destination: FakeRegistry, *items: t.Any, **conditions: t.Any) -> Plan:
    plan = plan_for(source, destination, *(items or (ITEM,)))
    source.calls.clear()
    destination.calls.clear()
    return judge_plan(plan, source.client, destination.client, Conditions(**conditions))


def test_without_conditions_nothing_is_asked(source: FakeRegistry, destination: FakeRegistry) -> None:
    plan = judged(source, destination)
    assert plan.images[0].action == "promote" and not plan.images[0].gates and plan.images[0].judgement is None
    assert not source.calls and not destination.calls


def test_all_that_fails_is_in_the_reason_and_what_passed_is_told(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    found = gates("labels.team == 'app'", "labels.owner == 'me'", "total_size < `10`")
    plan = judged(source, destination, gates=found, signatures=(REQUIRED,))
    (one,) = plan.images
    assert one.action == "refused"
    assert one.reason == (
        f"dev.example/team/app:1: {DIGEST} has no signature; gate 'gate 1': labels.owner == 'me' is not true (it gave "
        "false); gate 'gate 2': total_size < `10` is not true (it gave false)"
    )
    assert [(result.name, result.passed) for result in one.gates] == [
        ("gate 0", True),
        ("gate 1", False),
        ("gate 2", False),
    ]
    assert one.judgement is not None and one.judgement.verified is False
    assert not plan.promoted and not plan.manifests and not plan.blobs and not plan.tags
    assert not destination.calls


def test_what_meets_the_conditions_is_promoted(source: FakeRegistry, destination: FakeRegistry) -> None:
    sign(source)
    found = gates(
        "labels.team == 'app'", "signatures[0].verified", 'destination.tags == `[{"tag": "1", "digest": null}]`'
    )
    plan = judged(source, destination, gates=found, signatures=(REQUIRED,))
    (one,) = plan.images
    assert (one.action, one.reason) == ("promote", "")
    assert all(result.passed for result in one.gates), one.gates
    assert one.judgement is not None and one.judgement.verified is True
    plain = as_plain(plan)["images"][0]
    assert plain["verified"] is True and len(plain["gates"]) == 3 and len(plain["signatures"]) == 1
    assert plan.manifests and plan.tags


def test_a_gate_over_labels_costs_the_config_and_no_manifest(source: FakeRegistry, destination: FakeRegistry) -> None:
    judged(source, destination, gates=gates("labels.team == 'app'", "age_seconds > `5` || `true`", "digest != 'x'"))
    assert source.calls == [f"GET team/app {compute_digest(CONFIG)}"]
    judged(source, destination, gates=gates("digest != 'x'", "kind == 'image'", "manifest.schemaVersion == `2`"))
    assert not source.calls


def test_what_is_equal_is_not_judged(source: FakeRegistry, destination: FakeRegistry) -> None:
    destination.add("team/app", IMAGE, "1")
    plan = judged(source, destination, gates=gates("`false`"), signatures=(REQUIRED,))
    assert plan.images[0].action == "unchanged" and not plan.images[0].gates
    assert not source.calls


def test_gates_and_rules_are_for_their_repositories(source: FakeRegistry, destination: FakeRegistry) -> None:
    conditions = {
        "gates": gates("`false`", repositories=["team/other"]),
        "signatures": (SignatureRule(("team/app",), "none"),),
    }
    plan = judged(source, destination, ITEM, OTHER_ITEM, **conditions)
    first, second = plan.images
    assert (first.action, first.gates) == ("promote", ())
    assert first.judgement is not None and first.judgement.verified is None
    assert second.action == "refused" and "no rule of signatures matches" in second.reason and "gate 0" in second.reason
    # The content of the other stays in the plan, and nothing else.
    assert {manifest.repository for manifest in plan.manifests} == {"team/app"}
    assert {group.repository for group in plan.blobs} == {"team/app"}


def test_what_two_images_share_stays_in_the_plan_for_the_one_that_passes(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    source.add("team/app", index(descriptor(encoded(IMAGE), OCI_MANIFEST)), "all")
    both = image_item("team/app", tag="all", tags=("all",))
    plan = judged(source, destination, ITEM, both, gates=gates("kind == 'image'"))
    assert [one.action for one in plan.images] == ["promote", "refused"]
    assert [planned.manifest.digest for planned in plan.manifests] == [DIGEST]
    assert len(plan.blobs[0].blobs) == 2


def test_a_warning_promotes(source: FakeRegistry, destination: FakeRegistry) -> None:
    plan = judged(source, destination, gates=gates("labels.owner == 'me'", severity="warning"))
    assert plan.images[0].action == "promote" and not plan.images[0].gates[0].passed


@pytest.mark.parametrize(
    ("content", "size", "problem"),
    [
        (b"{}", 4 * 1024 * 1024 + 1, "its config has 4194305 bytes, and at most 4194304 are read"),
        (b"[]", 2, "its config is not a JSON object"),
        (b'{"config": {"Labels": {"licence": "AGPL"}}', 0, "its config is not a JSON object"),
    ],
)
def test_a_gate_over_what_a_config_would_say_never_passes_unseen(
    source: FakeRegistry, destination: FakeRegistry, content: bytes, size: int, problem: str
) -> None:
    source.add_blob(content, "team/app")
    config = descriptor(content, "application/vnd.oci.image.config.v1+json", size=size or len(content))
    made = source.add("team/app", image(config=config), "odd")
    told = f"{made.digest}: {problem}"
    index_of = source.add("team/app", index(descriptor(made.content, OCI_MANIFEST)), "all")
    blind = ("!contains(not_null(labels.licence, ''), 'AGPL')", "length(images) >= `0`", "`true` || @", "!created")
    for tag in ("odd", "all"):
        item = image_item("team/app", tag=tag, tags=(tag,))
        (one,) = judged(source, destination, item, gates=gates(*blind, "kind != 'x'")).images
        assert one.action == "refused" and told in one.reason
        assert [(found.passed, found.value) for found in one.gates] == [(False, told)] * 4 + [(True, True)]
        (one,) = judged(source, destination, item, gates=gates(*blind, severity="warning")).images
        assert one.action == "promote" and not any(found.passed for found in one.gates)
        assert judged(source, destination, item, gates=gates("total_size > `0`")).images[0].action == "promote"
    assert index_of.digest


def test_what_can_not_be_read_fails_the_image(source: FakeRegistry, destination: FakeRegistry) -> None:
    source.failing[f"GET team/app {compute_digest(CONFIG)}"] = ConnectionFailed("no answer")
    plan = judged(source, destination, ITEM, OTHER_ITEM, gates=gates("labels.team == 'app' || `true`"))
    assert plan.images[0].action == "failed" and "no answer" in plan.images[0].reason
    assert plan.images[1].action == "promote" and {one.repository for one in plan.manifests} == {"team/other"}


def test_what_verifies_must_be_copied_with_the_image(source: FakeRegistry, destination: FakeRegistry) -> None:
    sign(source)
    left_behind = ITEM._replace(artifacts=())
    plan = judged(source, destination, left_behind, signatures=(REQUIRED,))
    assert plan.images[0].action == "refused" and "artifacts" in plan.images[0].reason
    plan = judged(source, destination, left_behind, signatures=(REQUIRED._replace(mode="if_present"),))
    assert plan.images[0].action == "promote"


def test_a_signature_that_is_at_the_destination_needs_not_be_copied(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    sign(source)
    there = source.manifests["team/app", f"{referrers_tag(DIGEST)}.sig"]
    destination.add("team/app", there.document, f"{referrers_tag(DIGEST)}.sig")
    assert judged(source, destination, signatures=(REQUIRED,)).images[0].action == "promote"


def test_of_some_platforms_the_signature_of_the_whole_index_counts(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    platforms = [{"os": "linux", "architecture": name} for name in ("amd64", "arm64")]
    children = [descriptor(encoded(one), OCI_MANIFEST, platform=at) for one, at in zip((IMAGE, OTHER), platforms)]
    source.add("team/app", OTHER)
    top = source.add("team/app", index(*children), "all")
    made = signed_statement(top.digest, KEY, SIGN)
    source.add_blob(made.content, "team/app")
    about = descriptor(top.content, top.media_type)
    source.add("team/app", image(artifactType=made.layer.media_type, layers=[made.listed()], subject=about))
    item = image_item("team/app", tag="all", tags=("all",), platforms=("linux/amd64",), artifacts=("all",))
    plan = judged(source, destination, item, signatures=(REQUIRED._replace(mode="if_present"),))
    (one,) = plan.images
    assert one.action == "promote" and one.digest != top.digest
    assert one.judgement is not None and [found.subject for found in one.judgement.signatures] == [top.digest]
    plan = judged(source, destination, item, signatures=(REQUIRED,))
    assert plan.images[0].action == "refused" and "artifacts" in plan.images[0].reason
    assert f"is about {top.digest}, of which platforms takes a part" in plan.images[0].reason


def test_what_a_plan_claims_of_gates_and_signatures_is_not_believed(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    made = json.loads(json.dumps(as_plain(plan_for(source, destination, ITEM))))
    passed = {"name": "gate 0", "passed": True, "severity": "error", "value": True, "message": ""}
    made["images"][0].update(gates=[passed], verified=True, signatures=[{"verified": True}])
    plan = from_plain(made, [ITEM], "dev.example", "prod.example")
    assert plan.images[0].gates == () and plan.images[0].judgement is None
    conditions = Conditions(gates("labels.owner == 'me'"), (REQUIRED,))
    refused = judge_plan(plan, source.client, destination.client, conditions)
    assert refused.images[0].action == "refused"


def two_platforms(source: FakeRegistry) -> str:
    """An index, its digest, and what it has for two platforms."""
    platforms = [{"os": "linux", "architecture": name} for name in ("amd64", "arm64")]
    children = [descriptor(encoded(one), OCI_MANIFEST, platform=at) for one, at in zip((IMAGE, OTHER), platforms)]
    source.add("team/app", OTHER)
    return source.add("team/app", index(*children), "all").digest


@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize("mode", ["required", "if_present"])
def test_a_plan_promotes_nothing_else_than_what_platforms_takes_of_the_signed_index(
    source: FakeRegistry, destination: FakeRegistry, flatten: bool, mode: str
) -> None:
    top = two_platforms(source)
    sign(source, digest=top)
    evil = source.add("team/app", image(layers=[], annotations={"evil": "yes"}), "evil").digest
    one = {"platforms": ("linux/amd64",), "flatten": flatten, "artifacts": ("all",)}
    item = image_item("team/app", tag="all", tags=("all",), **one)
    made = as_plain(plan_for(source, destination, ITEM._replace(tag="evil", tags=("all",), artifacts=())))
    reference = as_plain(plan_for(source, destination, item))["images"][0]["reference"]
    made["images"][0].update(reference=reference, source_digest=top)
    plan = from_plain(json.loads(json.dumps(made)), [item], "dev.example", "prod.example")
    check_conditions(plan)
    assert plan.images[0].digest == evil and plan.images[0].source_digest == top
    rule = REQUIRED._replace(mode=mode)
    refused = judge_plan(plan, source.client, destination.client, Conditions(signatures=(rule,)))
    assert refused.images[0].action == "refused"
    assert refused.images[0].reason.endswith(f"{evil} is not what platforms takes of {top}, which is signed")
    right = from_plain(as_plain(plan_for(source, destination, item)), [item], "dev.example", "prod.example")
    sign(source, digest=DIGEST)
    allowed = REQUIRED._replace(mode="if_present")
    judged = judge_plan(right, source.client, destination.client, Conditions(signatures=(allowed,)))
    assert judged.images[0].action == "promote", judged.images[0].reason


def attach(source: FakeRegistry, digest: str) -> None:
    """Attach a bundle to a digest."""
    made = signed_statement(digest, KEY, SIGN)
    source.add_blob(made.content, "team/app")
    subject = source.manifests["team/app", digest]
    about = descriptor(subject.content, subject.media_type)
    source.add("team/app", image(artifactType=made.layer.media_type, layers=[made.listed()], subject=about))


def test_each_signed_digest_keeps_a_signature(source: FakeRegistry, destination: FakeRegistry) -> None:
    top = two_platforms(source)
    attach(source, top)
    for one in (IMAGE, OTHER):
        sign(source, digest=compute_digest(encoded(one)))
    item = image_item("team/app", tag="all", tags=("all",), artifacts=("all",))
    rules = (REQUIRED._replace(each_image=True),)
    assert judged(source, destination, item, signatures=rules).images[0].action == "promote"
    bundles = item._replace(artifacts=(signed_statement(top, KEY, SIGN).layer.media_type,))
    refused = judged(source, destination, bundles, signatures=rules).images[0]
    assert refused.action == "refused" and "have artifacts include the signatures" in refused.reason
    assert judged(source, destination, bundles, signatures=(REQUIRED,)).images[0].action == "promote"


def test_signatures_and_gates_ask_nothing_that_the_comparison_has_asked(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    sign(source)
    attach(source, DIGEST)
    without = plan_for(source, destination, ITEM)
    asked = list(source.calls)
    source.calls.clear()
    named = gates("length(referrers) == `2`", "signatures[0].verified", "promotions == `[]`", "labels.team == 'app'")
    plan = plan_for(source, destination, ITEM, conditions=Conditions(named, (REQUIRED,)))
    assert plan.images[0].action == "promote" and len(plan.manifests) == len(without.manifests)
    (image_one,) = plan.images
    assert all(gate.passed for gate in image_one.gates), image_one.gates
    more = sorted(source.calls)
    for call in asked:
        more.remove(call)
    # The config, and the payloads.
    assert {call.split()[0] for call in more} == {"GET"} and len(set(more)) == 3
    assert not {call.split()[2] for call in more} & {digest for _repository, digest in source.manifests}


def test_nothing_is_written_before_all_have_passed(source: FakeRegistry, destination: FakeRegistry) -> None:
    plan = judged(source, destination, ITEM, OTHER_ITEM, gates=gates("`false`", repositories=["team/other"]))
    promotion = Promotion(source.client, destination.client, plan, CopyRules(True, False), Progress())
    promotion.carry_out()
    assert promotion.writes_nothing and not destination.calls


def test_since_when_a_digest_is_known_is_kept_also_where_it_is_refused(
    source: FakeRegistry, destination: FakeRegistry, tmp_path: pathlib.Path
) -> None:
    found = gates("first_seen_seconds >= `3600`")
    for check in (True, False):
        plan = plan_for(source, destination, ITEM)
        conditions = Conditions(found, sights=FirstSights(str(tmp_path)))
        refused = judge_plan(plan, source.client, destination.client, conditions, check=check)
        assert refused.images[0].action == "refused" and "it gave false" in refused.images[0].reason
        assert bool(list(tmp_path.iterdir())) is not check
    sight = ("dev.example", "team/app", DIGEST)
    kept = tmp_path / "first-seen.json"
    assert FirstSights(str(tmp_path)).first(sight) is not None
    kept.write_text(json.dumps({"/".join(sight[:2]) + f"@{DIGEST}": "2026-01-01T00:00:00Z"}))
    plan = judged(source, destination, gates=found, sights=FirstSights(str(tmp_path)))
    assert plan.images[0].action == "promote"
    assert gates("first_seen_at == '2026-01-01T00:00:00Z'")[0].keys == {"first_seen_at"}


def test_what_can_not_be_kept_stops_the_promotion(
    source: FakeRegistry, destination: FakeRegistry, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(LocalFileError):
        judged(source, destination, sights=FirstSights(str(tmp_path / "none")))
    assert not destination.writes
