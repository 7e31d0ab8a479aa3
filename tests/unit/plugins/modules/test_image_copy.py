# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.plugins.module_utils._model._version import VERSION
from ansible_collections.imageops.registry.plugins.module_utils._module import _masking
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import (
    Record,
    RecordedImage,
    RecordedTag,
    encode_record,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record_reading import parse_record
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    LAYER,
    OTHER_DIGEST,
    descriptor,
    encoded,
    image,
    index,
)
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import answer, no_mount
from ansible_collections.imageops.registry.tests.unit.support.module_runs import (
    NO_TRANSFER,
    Plain,
    fail,
    four_runs,
    succeed,
    transfer,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer
from ansible_collections.imageops.registry.tests.unit.support.signed_images import sign_by_tag

IMAGE = encoded(image())
WHOLE = len(CONFIG) + len(LAYER)
AMD64 = {"architecture": "amd64", "os": "linux"}
ARM64 = {"architecture": "arm64", "os": "linux"}


@pytest.fixture
def options(source: RegistryServer, registry: RegistryServer) -> Plain:
    source.add_image("a/b:1.0")
    ends = {"source": {"registry": source.host, "plain_http": True}, "images": [{"repository": "a/b", "tag": "1.0"}]}
    return {**registry.options, **ends}


def test_an_image_is_copied_once(source: RegistryServer, registry: RegistryServer, options: Plain) -> None:
    runs = four_runs("image_copy", options, writes=lambda: registry.writes)
    assert registry.manifests == source.manifests and registry.blobs == source.blobs
    assert source.writes == []
    digest = source.tags["a/b:1.0"]
    for run in runs[:2]:
        (found,) = run["images"]
        assert (found["action"], found["digest"], found["destination"]) == ("promote", digest, f"{registry.host}/a/b")
        assert found["tags"] == [{"tag": "1.0", "previous_digest": "", "action": "create"}]
    assert runs.foreseen["images"] == runs.done["images"]
    assert [found["action"] for found in runs.again["images"]] == ["unchanged"]
    assert runs.again["images"] == runs.foreseen_again["images"]
    assert runs.done["transfer"]["bytes_uploaded"] == WHOLE
    # The config is read for the diff, too.
    assert runs.done["transfer"]["bytes_downloaded"] == WHOLE + len(CONFIG)
    (block,) = runs.done["diff"]
    place = f"{registry.host}/a/b"
    assert (block["before_header"], block["after_header"]) == (place, f"{place} from {source.host}/a/b:1.0")
    assert block["before"] == "" and block["after"].splitlines()[0] == f"tag 1.0: {digest}"
    # The tag of the image is the last that is written.
    assert registry.writes[-1] == "PUT /v2/a/b/manifests/1.0"
    assert succeed("image_copy", options)["transfer"] == transfer(requests=2, bytes_skipped=0)


def test_other_names_and_mounts(registry: RegistryServer, options: Plain) -> None:
    registry.add_image("base:1.0")
    changes = {"destination_repository": "team/app", "tags": ["1", "1.0"], "mount_from": ["base"]}
    done = succeed("image_copy", {**options, "images": [{**options["images"][0], **changes}]})
    assert done["transfer"]["bytes_mounted"] == WHOLE and done["transfer"]["bytes_uploaded"] == 0
    assert {"team/app:1", "team/app:1.0"} <= set(registry.tags)


@pytest.fixture
def multi(source: RegistryServer, options: Plain) -> Plain:
    """Options that copy an index of two platforms."""
    other = encoded(image(annotations={"of": "arm64"}))
    source.add(image(annotations={"of": "arm64"}), "a/b")
    children = [descriptor(IMAGE, OCI_MANIFEST, platform=AMD64), descriptor(other, OCI_MANIFEST, platform=ARM64)]
    source.add(index(*children), "a/b:multi")
    return {**options, "images": [{"repository": "a/b", "tag": "multi"}]}


def test_some_platforms_of_an_image(source: RegistryServer, registry: RegistryServer, multi: Plain) -> None:
    runs = four_runs("image_copy", {**multi, "platforms": ["linux/amd64"]}, writes=lambda: registry.writes)
    (found,) = runs.done["images"]
    assert found["source_digest"] == source.tags["a/b:multi"] != found["digest"] == registry.tags["a/b:multi"]
    flat = succeed("image_copy", {**multi, "platforms": ["linux/amd64"], "flatten": True})
    assert flat["images"][0]["digest"] == source.tags["a/b:1.0"] == registry.tags["a/b:multi"]


def test_artifacts_are_copied_with_the_image(source: RegistryServer, registry: RegistryServer, options: Plain) -> None:
    subject = descriptor(IMAGE, OCI_MANIFEST)
    sbom = source.add(image(artifactType="application/spdx+json", subject=subject), "a/b")
    source.add(image(artifactType="application/x-other", subject=subject), "a/b")
    done = succeed("image_copy", {**options, "artifacts": ["application/spdx+json"]})
    assert [(found["digest"], found["action"]) for found in done["images"][0]["artifacts"]] == [(sbom, "copy")]
    assert f"a/b@{sbom}" in registry.manifests
    later = succeed("image_copy", {**options, "artifacts": ["all"]})
    assert later["changed"] is False and later["images"][0]["artifacts_compared"] is False
    every = succeed("image_copy", {**options, "artifacts": ["all"], "compare_artifacts": True})
    assert every["changed"] is True and set(registry.manifests) == set(source.manifests)


def test_a_signature_under_a_tag_is_verified_and_copied(
    source: RegistryServer, registry: RegistryServer, options: Plain
) -> None:
    signature = sign_by_tag(source, "a/b:1.0")
    done = succeed("image_copy", {**options, "signatures": [{"keys": [signature.key]}]})
    assert done["images"][0]["verified"] is True
    (found,) = done["images"][0]["signatures"]
    assert found.pop("by").startswith("key:") and found == signature.in_results
    moved = {"repository": "a/b", "tag": signature.tag, "digest": signature.digest}
    assert done["artifact_tags"] == [{**moved, "previous_digest": "", "action": "create"}]
    assert registry.tags == source.tags


def test_a_mount_that_is_refused_is_told_and_harmless(registry: RegistryServer, options: Plain) -> None:
    registry.add_image("base:1.0")
    registry.on("POST", ".*", no_mount)
    done = succeed("image_copy", {**options, "images": [{**options["images"][0], "mount_from": ["base"]}]})
    assert done["transfer"]["bytes_mounted"] == 0 and "a/b:1.0" in registry.tags
    assert {entry["digest"] for entry in done["given_up"]} == {compute_digest(CONFIG), compute_digest(LAYER)}
    for entry in done["given_up"]:
        assert entry["repository"] == "a/b" and "base" in str(entry["given_up"])


# Conditions and failures ---------------------------------------------------------------------------------------------


def test_what_is_refused_keeps_all_back(source: RegistryServer, registry: RegistryServer, options: Plain) -> None:
    registry.add_image("a/b:1.0", layer=b"another layer")
    source.add_image("c:1.0")
    before = registry.tags
    both = [*options["images"], {"repository": "c", "tag": "1.0"}]
    for rule in ({"on_conflict": "fail"}, {"immutable_tags": [".*"]}):
        failed = fail("image_copy", {**options, "images": both, **rule})
        assert failed["msg"].startswith(f"Nothing was written. {registry.host}/a/b:1.0 points to ")
        assert [found["action"] for found in failed["images"]] == ["refused", "failed"]
        assert failed["changed"] is False and registry.tags == before
    assert [entry["reference"] for entry in failed["failures"]] == [f"{source.host}/a/b:1.0", f"{source.host}/c:1.0"]
    skipped = succeed("image_copy", {**options, "on_conflict": "skip"})
    assert skipped["changed"] is False and skipped["images"][0]["action"] == "skip"
    succeed("image_copy", options)
    assert registry.tags == {"a/b:1.0": source.tags["a/b:1.0"]}


def test_tags_are_all_or_nothing(registry: RegistryServer, options: Plain) -> None:
    registry.add_image("a/b:1.0", layer=b"another layer")
    before = registry.tags
    images = [{"repository": "a/b", "tag": "1.0", "tags": ["new", "1.0", "stable"]}]
    registry.on("PUT", "/v2/a/b/manifests/stable", answer(403))
    failed = fail("image_copy", {**options, "images": images})
    assert registry.tags == before and failed["not_reverted"] == []
    assert failed["msg"].endswith("2 tags that had moved are back")
    assert [tag["action"] for tag in failed["images"][0]["tags"]] == ["reverted", "reverted", "failed"]
    registry.on("DELETE", "/v2/a/b/manifests/new", answer(405))
    failed = fail("image_copy", {**options, "images": images})
    (left,) = failed["not_reverted"]
    assert (left["repository"], left["tag"], left["previous_digest"]) == ("a/b", "new", "")
    assert left["reason"] in failed["msg"] and "cannot delete a tag alone" in left["reason"]
    assert registry.tags == {**before, "a/b:new": left["digest"]}


def test_what_is_replaced_is_kept(registry: RegistryServer, options: Plain) -> None:
    registry.add_image("a/b:1.0", layer=b"another layer")
    old = registry.tags["a/b:1.0"]
    keeping = {**options, "keep_replaced": True}
    runs = four_runs("image_copy", keeping, writes=lambda: registry.writes)
    name = f"replaced-{old[7:19]}"
    for run in runs[:2]:
        (kept,) = run["replaced_tags"]
        assert kept == {"repository": "a/b", "tag": name, "digest": old, "previous_digest": "", "action": "create"}
    assert runs.again["replaced_tags"] == [] and registry.tags[f"a/b:{name}"] == old
    assert name in succeed("tag_info", {**registry.options, "repository": "a/b"})["tags"]
    images = [{"repository": "a/b", "tag": "1.0", "tags": [name]}]
    refused = fail("image_copy", {**options, "images": images})
    assert refused["msg"].startswith(f"images[0]: nothing is promoted to a/b:{name}: tags of that form keep")


def test_other_images_are_copied_beside_what_fails(registry: RegistryServer, options: Plain) -> None:
    both = [{"repository": "none", "tag": "1.0"}, *options["images"]]
    failed = fail("image_copy", {**options, "images": both, "on_error": "continue"})
    assert failed["msg"].startswith("1 of 2 images was not copied. ")
    assert [found["action"] for found in failed["images"]] == ["missing", "promote"]
    assert failed["changed"] is True and set(registry.tags) == {"a/b:1.0"}
    assert failed["repository_missing"] is False


def test_content_that_cannot_be_pushed_moves_no_tag(registry: RegistryServer, options: Plain) -> None:
    registry.on("PUT", "/v2/a/b/blobs/uploads/.*", answer(507))
    failed = fail("image_copy", options, diff=True)
    assert failed["images"][0]["action"] == "failed" and registry.tags == {}
    assert failed["failures"][0]["msg"] == failed["images"][0]["reason"]


def test_a_plan_is_followed(source: RegistryServer, registry: RegistryServer, options: Plain) -> None:
    plan = succeed("image_diff_info", options)
    planned = {name: plan[name] for name in ("images", "blobs", "manifests", "artifact_tags", "tags")}
    done = succeed("image_copy", {**options, "plan": planned})
    assert done["changed"] is True and registry.tags == source.tags
    registry.manifests.clear()
    # The source has moved on: what was looked at is what is copied.
    source.add_image("a/b:1.0", layer=b"another layer")
    done = succeed("image_copy", {**options, "plan": planned, "trust_plan": True})
    assert done["changed"] is True and registry.tags == {"a/b:1.0": plan["images"][0]["digest"]} != source.tags


def test_a_plan_that_is_old_is_refused(source: RegistryServer, registry: RegistryServer, options: Plain) -> None:
    plan = succeed("image_diff_info", options)
    source.add_image("a/b:1.0", layer=b"another layer")
    for check in (True, False):
        failed = fail("image_copy", {**options, "plan": plan}, check=check)
        assert failed["images"][0]["action"] == "refused" and failed["failures"][0]["msg"] in failed["msg"]
        assert (
            f"serves {source.tags['a/b:1.0']} now, and the plan promotes {plan['images'][0]['digest']}" in failed["msg"]
        )
    assert registry.writes == []


def test_a_plan_that_was_carried_out_is_unchanged(registry: RegistryServer, options: Plain) -> None:
    plan = succeed("image_diff_info", options)
    assert succeed("image_copy", {**options, "plan": plan})["changed"] is True
    writes = len(registry.writes)
    for check in (False, True):
        again = succeed("image_copy", {**options, "plan": plan}, check=check)
        assert again["changed"] is False and len(registry.writes) == writes
        assert [tag["action"] for tag in again["tags"]] == ["exists"]
        assert [(image["action"], image["tags"][0]["action"]) for image in again["images"]] == [("unchanged", "exists")]


def test_a_plan_of_a_second_tag_that_was_carried_out_is_unchanged(registry: RegistryServer, options: Plain) -> None:
    """Where the first tag was there before: only the second one was to move, and has."""
    succeed("image_copy", options)
    options = {**options, "images": [{**options["images"][0], "tags": ["1.0", "stable"]}]}
    plan = succeed("image_diff_info", options)
    assert succeed("image_copy", {**options, "plan": plan})["images"][0]["action"] == "promote"
    again = succeed("image_copy", {**options, "plan": plan})
    assert again["changed"] is False and [image["action"] for image in again["images"]] == ["unchanged"]


def test_a_plan_of_a_signed_image_that_was_carried_out_is_unchanged(source: RegistryServer, options: Plain) -> None:
    sign_by_tag(source, "a/b:1.0")
    plan = succeed("image_diff_info", options)
    assert succeed("image_copy", {**options, "plan": plan})["images"][0]["action"] == "promote"
    again = succeed("image_copy", {**options, "plan": plan})
    assert again["changed"] is False and [image["action"] for image in again["images"]] == ["unchanged"]


def test_of_a_plan_that_was_carried_out_what_is_lost_since_is_promoted(
    registry: RegistryServer, options: Plain
) -> None:
    plan = succeed("image_diff_info", options)
    succeed("image_copy", {**options, "plan": plan})
    registry.blobs.clear()
    again = succeed("image_copy", {**options, "plan": plan})
    assert again["changed"] is True and again["images"][0]["action"] == "promote"


def test_a_plan_that_is_none(registry: RegistryServer, options: Plain) -> None:
    failed = fail("image_copy", {**options, "plan": {"images": "x"}})
    assert failed["msg"].startswith("plan")
    assert failed["transfer"] == NO_TRANSFER and registry.requests == []


@pytest.mark.parametrize("lost", ["blobs", "manifests"])
def test_what_the_destination_has_lost_is_repaired(registry: RegistryServer, multi: Plain, lost: str) -> None:
    succeed("image_copy", multi)
    if lost == "blobs":
        registry.blobs.clear()
    else:
        kept = registry.tags["a/b:multi"]
        for name in [name for name in registry.manifests if kept not in name and "multi" not in name]:
            del registry.manifests[name]
    assert succeed("image_copy", multi)["changed"] is False
    found = fail("image_copy", {**multi, "verify": lost})
    assert {entry["kind"] for entry in found["images"][0]["missing"]} == {lost[:-1]} and found["changed"] is False
    repaired = succeed("image_copy", {**multi, "verify": lost, "repair": True})
    assert repaired["changed"] is True
    assert succeed("image_copy", {**multi, "verify": lost, "repair": True})["changed"] is False


def test_an_image_that_is_another_than_expected(registry: RegistryServer, options: Plain) -> None:
    expected = [{**options["images"][0], "expected_digest": OTHER_DIGEST}]
    failed = fail("image_copy", {**options, "images": expected})
    assert f"{OTHER_DIGEST} was expected" in failed["msg"] and registry.writes == []


def test_no_images_are_nothing_to_do(options: Plain) -> None:
    done: t.Any = succeed("image_copy", {**options, "images": []}, diff=True)
    assert (done["changed"], done["images"], done["diff"], done["transfer"]) == (False, [], [], NO_TRANSFER)


def test_gates_judge_a_plan_again(source: RegistryServer, registry: RegistryServer, options: Plain) -> None:
    plan = succeed("image_diff_info", options)
    passed = {"name": "a gate", "passed": True, "severity": "error", "value": True, "message": ""}
    for one in plan["images"]:
        one["gates"] = [passed]
    gates = [{"name": "a gate", "that": "labels.approved == 'yes'"}]
    failed = fail("image_copy", {**options, "plan": plan, "gates": gates})
    assert "Nothing was written." in failed["msg"] and "gate 'a gate'" in failed["msg"]
    assert not registry.writes
    failed = fail("image_copy", {**options, "gates": gates})
    assert "gate 'a gate'" in failed["msg"] and not registry.writes
    assert succeed("image_copy", {**options, "plan": plan, "gates": []})["changed"] is True


@pytest.fixture
def recorded(options: Plain, tmp_path: pathlib.Path) -> Plain:
    """Options that promote to production, with a record."""
    texts = {"environment": "production", "actor": "ci", "job": "https://me:secret@ci.example/7", "reason": " CHG-1\n"}
    return {**options, "record": {"path": str(tmp_path), **texts}}


def test_a_promotion_is_recorded_once(registry: RegistryServer, recorded: Plain, tmp_path: pathlib.Path) -> None:
    runs = four_runs("image_copy", recorded, writes=lambda: [*registry.writes, *tmp_path.glob("*.promotion.json")])
    (path,) = tmp_path.glob("*.promotion.json")
    nothing = {"path": None, "outcome": None, "finished": []}
    assert runs.foreseen["record"] == {**nothing, "outcome": "done"}
    assert runs.done["record"] == {**nothing, "outcome": "done", "path": str(path)}
    assert runs.again["record"] == runs.foreseen_again["record"] == nothing
    record = parse_record(path.read_bytes())
    assert record[:2] == (recorded["source"]["registry"], registry.host)
    texts = (record.environment, record.actor, record.job, record.reason)
    assert texts == ("production", "ci", "https://ci.example/7", "CHG-1")
    assert record.collection_version == VERSION


def test_without_a_directory_nothing_is_recorded(options: Plain) -> None:
    nothing = {"path": None, "outcome": None, "finished": []}
    assert succeed("image_copy", {**options, "record": {"actor": "ci"}})["record"] == nothing
    assert succeed("image_copy", options)["record"] == nothing


@pytest.mark.parametrize("name", ["environment", "actor", "job", "reason"])
def test_no_secret_gets_into_a_record(
    registry: RegistryServer, recorded: Plain, tmp_path: pathlib.Path, name: str
) -> None:
    secret = "a-very-long-secret"
    record = {**recorded["record"], name: f"by {secret}"}
    failed = fail("image_copy", {**recorded, "username": "u", "password": secret, "record": record})
    # Before ansible-core 2.22, no option may have a secret in it that its results would be searched for.
    no_option = "The value of password also occurs in"
    said = no_option if _masking.register_secret is None else f"record.{name} has a password or token"
    assert said in failed["msg"] and secret not in failed["msg"]
    assert not registry.writes and not list(tmp_path.glob("*.promotion.json"))


def test_what_gates_and_signatures_said_is_recorded(recorded: Plain, tmp_path: pathlib.Path) -> None:
    gates = [{"name": "small", "that": "total_size < `1000000`", "msg": "It is large"}]
    done = succeed("image_copy", {**recorded, "gates": gates, "signatures": [{"mode": "none"}]})
    (image_told,) = parse_record(pathlib.Path(done["record"]["path"]).read_bytes()).images
    assert [gate._asdict() for gate in image_told.gates] == done["images"][0]["gates"] != []
    assert list(image_told.signatures) == done["images"][0]["signatures"]


@pytest.mark.parametrize("trusted", [True, False])
def test_what_a_plan_says_of_gates_is_recorded_where_it_is_trusted(recorded: Plain, trusted: bool) -> None:
    gates = [{"name": "small", "that": "total_size < `1000000`"}]
    plan = succeed("image_diff_info", {**recorded, "gates": gates})
    assert plan["unfinished_records"] == []
    done = succeed("image_copy", {**recorded, "plan": plan, "trust_plan": trusted})
    (image_told,) = parse_record(pathlib.Path(done["record"]["path"]).read_bytes()).images
    assert [gate.name for gate in image_told.gates] == (["small"] if trusted else [])
    # It isn't the judgement of this task.
    assert done["images"][0]["gates"] == []


def test_a_directory_that_is_not_there_fails_before_anything_is_written(
    registry: RegistryServer, recorded: Plain, tmp_path: pathlib.Path
) -> None:
    record = {**recorded["record"], "path": str(tmp_path / "none")}
    for check in (False, True):
        failed = fail("image_copy", {**recorded, "record": record}, check=check)
        assert "none cannot be" in failed["msg"] or "first-seen.json cannot be" in failed["msg"]
    assert not registry.writes


def test_a_broken_ledger_fails_before_anything_is_written(
    registry: RegistryServer, recorded: Plain, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "first-seen.json").write_bytes(b"[")
    assert "first-seen.json is not what it was written as" in fail("image_copy", recorded)["msg"]
    assert not registry.writes


def test_an_unfinished_record_is_named_and_finished(
    registry: RegistryServer, recorded: Plain, tmp_path: pathlib.Path
) -> None:
    done = succeed("image_copy", recorded)
    path = pathlib.Path(done["record"]["path"])
    ended = parse_record(path.read_bytes())
    path.write_bytes(encode_record(ended._replace(outcome="begun", finished_at="")))
    compared: t.Any = succeed("image_diff_info", recorded)
    assert compared["unfinished_records"] == [str(path)] and str(path) in str(compared["warnings"])
    other = {**recorded, "images": [{"repository": "a/b", "tag": "1.0", "tags": ["2.0"]}]}
    told: t.Any = succeed("image_copy", other)
    assert str(path) in str(told["warnings"]) and told["record"]["finished"] == []
    again = succeed("image_copy", recorded)
    assert (again["changed"], again["record"]["finished"]) == (False, [str(path)]) and "warnings" not in again
    assert parse_record(path.read_bytes()).images == ended.images


def test_first_sights_are_left_to_the_comparison_that_made_a_trusted_plan(
    recorded: Plain, tmp_path: pathlib.Path
) -> None:
    plan = succeed("image_diff_info", recorded)
    (tmp_path / "first-seen.json").write_bytes(b"[")
    assert "first-seen.json is not" in fail("image_copy", {**recorded, "plan": plan})["msg"]
    assert succeed("image_copy", {**recorded, "plan": plan, "trust_plan": True})["record"]["outcome"] == "done"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://ci:p@ssw0rd@ci.example/1", "https://ci.example/1"),
        ("https://u:a/b@ci.example/1", "https://ci.example/1"),
        ("https://u:p@q/r@ci.example/1", "https://ci.example/1"),
        ("https://u:a?b@ci.example/1", "https://ci.example/1"),
        ("https://u:a#b@ci.example/1", "https://ci.example/1"),
        ("https://u:1234567@ci.example", "https://ci.example"),
        ("https://:hidden@ci.example", "https://ci.example"),
        ("https://hidden@ci.example/1", "https://ci.example/1"),
        ("see //u:p@ci.example and https://u:p@ci.example", "see //ci.example and https://ci.example"),
        # What has no login stays as it is.
        ("https://ci.example:8443/team/@app/1", "https://ci.example:8443/team/@app/1"),
        ("https://ci.example/1?by=me@example.org", "https://ci.example/1?by=me@example.org"),
        ("https://[::1]:8443/a@b", "https://[::1]:8443/a@b"),
        ("mail me@example.org", "mail me@example.org"),
    ],
)
def test_no_part_of_a_login_is_in_a_record(recorded: Plain, given: str, kept: str) -> None:
    texts = {name: given for name in ("job", "reason", "actor", "environment")}
    done = succeed("image_copy", {**recorded, "record": {**recorded["record"], **texts}})
    record = parse_record(pathlib.Path(done["record"]["path"]).read_bytes())
    assert [record.job, record.reason, record.actor, record.environment] == [kept] * 4


@pytest.fixture
def removals(options: Plain, tmp_path: pathlib.Path) -> Plain:
    tags = [{"repository": "a/b", "tag": "new", "digest": OTHER_DIGEST}]
    record = {"path": str(tmp_path), "environment": "production", "reverts": "first.promotion.json"}
    return {**options, "images": [], "record": record, "record_removed": {"tags": tags}}


def test_tags_that_were_removed_are_recorded(registry: RegistryServer, removals: Plain, tmp_path: pathlib.Path) -> None:
    foreseen = succeed("image_copy", removals, check=True)
    assert foreseen["record"] == {"path": None, "outcome": "done", "finished": []} and not list(tmp_path.iterdir())
    done = succeed("image_copy", removals)
    (file,) = tmp_path.iterdir()
    assert done["record"] == {"path": str(file), "outcome": "done", "finished": []} and done["changed"] is True
    predicate = json.loads(file.read_text())["predicate"]
    tag = {"tag": "new", "previous_digest": "", "digest": OTHER_DIGEST, "action": "reverted"}
    assert predicate["reverts"] == "first.promotion.json" and predicate["images"][0]["tags"] == [tag]
    assert registry.requests == []
    removals["record_removed"]["into"] = str(file)
    succeed("image_copy", removals)
    assert len(json.loads(file.read_text())["predicate"]["images"]) == 2


def test_the_record_of_a_promotion_that_was_cut_off_knows_which_tags_are_gone(
    registry: RegistryServer, removals: Plain, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "20261130T050000Z-00000000.promotion.json"
    tags = (RecordedTag("new", "", OTHER_DIGEST, "create"),)
    image = RecordedImage("dev.example/a/b:1", "a/b", OTHER_DIGEST, OTHER_DIGEST, tags, "promote")
    ended = {"outcome": "failed", "finished_at": "2026-11-30T05:00:01Z"}
    record = Record("dev.example", removals["registry"], (image,), "2026-11-30T05:00:00Z", **ended)
    file.write_bytes(encode_record(record))
    removals["record"]["reverts"] = file.name
    removals["record_removed"].update(tags=[], was_begun=True)
    assert succeed("image_copy", removals, check=True)["changed"] is False
    assert parse_record(file.read_bytes()) == record and registry.requests == []
    assert succeed("image_copy", removals)["changed"] is True
    found = parse_record(file.read_bytes())
    assert (found.outcome, [tag.action for tag in found.images[0].tags]) == ("reverted", ["reverted"])
    assert succeed("image_copy", removals)["changed"] is False


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"record": None}, "record_removed: it can only be used without images, and with record.path"),
        ({"images": [{"repository": "a/b", "tag": "1.0"}]}, "record_removed: it can only be used without images"),
        ({"record_removed": {"tags": [{"repository": "a/b", "tag": "x", "digest": "y"}]}}, "record_removed.tags[0]"),
        ({"record_removed": {"tags": [], "into": None}}, ""),
    ],
)
def test_what_is_recorded_as_removed_is_checked(
    registry: RegistryServer, removals: Plain, changes: Plain, words: str
) -> None:
    if words:
        assert words in fail("image_copy", {**removals, **changes})["msg"]
    else:
        assert succeed("image_copy", {**removals, **changes})["changed"] is False
    assert registry.requests == []
