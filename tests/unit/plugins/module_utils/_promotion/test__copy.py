# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._purpose import Purpose
from ansible_collections.imageops.registry.plugins.module_utils._images._contents import Depth
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import cosign_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._copy import CopyRules, Promotion
from ansible_collections.imageops.registry.plugins.module_utils._promotion._items import ImageItem
from ansible_collections.imageops.registry.plugins.module_utils._promotion._plan_as_plain import as_plain, from_plain
from ansible_collections.imageops.registry.plugins.module_utils._promotion._result import result_of
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    LAYER,
    descriptor,
    encoded,
    image,
    index,
)
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.promotions import image_item, plan_for

Plain = dict[str, t.Any]
IMAGE = image()
DIGEST = compute_digest(encoded(IMAGE))
INDEX = index(descriptor(encoded(IMAGE), OCI_MANIFEST))
INDEX_DIGEST = compute_digest(encoded(INDEX))
OTHER = image(annotations={"another": "one"})
CHECK_ONLY = CopyRules(all_or_nothing=True, check=True)
BY_TAG = image_item("team/app", tag="1", tags=("1",))


@pytest.fixture
def source() -> FakeRegistry:
    registry = FakeRegistry("dev.example")
    registry.add("team/app", IMAGE)
    registry.add("team/app", INDEX, "1", "stable")
    registry.add_blob(CONFIG, "team/app")
    return registry


def copied(
    source: FakeRegistry,
    destination: FakeRegistry,
    *items: ImageItem,
    rules: CopyRules = CHECK_ONLY,
    given: Plain | None = None,
    **planning: t.Any,
) -> tuple[Promotion, Plain]:
    """Carry out a plan: one that was given, or one that is made."""
    if given is None:
        plan = plan_for(source, destination, *items, **planning)
    else:
        plan = from_plain(given, items, source.name, destination.name)
    promotion = Promotion(source.client, destination.client, plan, rules, Progress())
    return promotion, result_of(plan, promotion.carry_out())


def kept(source: FakeRegistry, destination: FakeRegistry, *items: ImageItem) -> Plain:
    """A plan as a user has it."""
    return t.cast(Plain, json.loads(json.dumps(as_plain(plan_for(source, destination, *items)))))


def heads(destination: FakeRegistry, digest: str) -> int:
    return destination.calls.count(f"HEAD team/app {digest}")


def test_what_the_comparison_found_missing_is_not_looked_for_again(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    _promotion, result = copied(source, destination, BY_TAG)
    assert result["changed"] and [tag["action"] for tag in result["tags"]] == ["create"]
    # While it compared.
    assert heads(destination, DIGEST) == 1


def test_what_a_plan_found_missing_is_looked_for_again(source: FakeRegistry, destination: FakeRegistry) -> None:
    given = kept(source, destination, BY_TAG)
    destination.add("team/app", IMAGE)
    destination.add("team/app", INDEX, "1")
    for content in (CONFIG, LAYER):
        destination.add_blob(content, "team/app")
    destination.calls.clear()
    source.calls.clear()
    _promotion, result = copied(source, destination, BY_TAG, given=given)
    assert not result["changed"]
    assert heads(destination, DIGEST) == heads(destination, INDEX_DIGEST) == 1
    assert [tag["action"] for tag in result["tags"]] == ["exists"]
    assert not [call for call in source.calls if call.startswith("HEAD")]


def test_what_stands_is_not_taken_for_missing_since_another_tag_of_it_is_left_alone(
    source: FakeRegistry, destination: FakeRegistry
) -> None:
    destination.add("team/app", INDEX, "1")
    destination.add("team/app", OTHER, "stable")
    rules = CHECK_ONLY._replace(all_or_nothing=False, depth=Depth("manifests"))
    stable = image_item("team/app", tag="stable", tags=("stable",), on_conflict="skip")
    looked = {"depth": Depth("manifests"), "repair": True}
    _promotion, result = copied(source, destination, BY_TAG, stable, rules=rules, **looked)
    assert [entry["action"] for entry in result["images"]] == ["promote", "skip"]
    # While it was verified nothing but a GET is needed; before it is pushed it is looked for.
    assert heads(destination, INDEX_DIGEST) == 1


@pytest.mark.parametrize("on_conflict", ["replace", "fail"])
def test_tags_with_a_guard_are_looked_for_with_more_care_before_they_move(
    source: FakeRegistry, destination: FakeRegistry, on_conflict: str
) -> None:
    given = kept(source, destination, BY_TAG)
    assert not destination.guarded
    copied(source, destination, BY_TAG._replace(on_conflict=on_conflict), given=given)
    assert destination.guarded == ({"team/app 1"} if on_conflict == "fail" else set())


class Denying(FakeRegistry):
    """Its HEAD doesn't see one tag; with a guard on the tag, GET is asked as well."""

    unseen = ""

    def head_manifest(self, repository: str, reference: str, purpose: Purpose = Purpose.REPORT) -> Descriptor | None:
        found = super().head_manifest(repository, reference, purpose)
        return None if reference == self.unseen and purpose is not Purpose.GUARD else found


def test_a_signature_that_another_client_has_put_there_meanwhile_stays(source: FakeRegistry) -> None:
    destination = Denying("prod.example")
    signature = cosign_tags(INDEX_DIGEST)[0]
    source.add("team/app", image(annotations={"a": "signature"}), signature)
    signed = BY_TAG._replace(artifacts=("all",))
    given = kept(source, destination, signed)
    assert [tag["tag"] for tag in given["artifact_tags"]] == [signature]
    # Since then, somebody else has put a signature there.
    destination.add("team/app", image(annotations={"a": "signature of theirs"}), signature)
    destination.unseen = signature
    _promotion, result = copied(source, destination, signed, given=given)
    assert result["artifact_tags"] == []
    assert "and no tag was expected" in json.dumps(result)


def test_no_manifest_of_a_plan_is_parsed_again(
    source: FakeRegistry, destination: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = image_item("team/app", tag="1", tags=("1", "stable", "latest"))
    destination.add("team/app", IMAGE)
    destination.add_blob(CONFIG, "team/app")
    plan = plan_for(source, destination, item)

    def parse(*_arguments: t.Any, **_more: t.Any) -> t.NoReturn:
        raise AssertionError("a manifest is parsed again")

    monkeypatch.setattr(Manifest, "parse", parse)
    promotion = Promotion(source.client, destination.client, plan, CopyRules(True, False), Progress())
    outcomes = promotion.carry_out()
    assert not outcomes.failures and len(outcomes.moved) == 3
