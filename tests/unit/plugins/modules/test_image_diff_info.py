# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_INDEX, OCI_MANIFEST
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    OTHER_DIGEST,
    descriptor,
    encoded,
    image,
    index,
)
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import answer
from ansible_collections.imageops.registry.tests.unit.support.module_runs import (
    NO_TRANSFER,
    Plain,
    fail,
    succeed,
    transfer,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer
from ansible_collections.imageops.registry.tests.unit.support.signed_images import sign_by_tag
from ansible_collections.imageops.registry.tests.unit.support.signing import private_key, public_pem

ANOTHER = b"another layer"


class Ends(t.NamedTuple):
    """``a/b:1.0`` is ``one`` at both ends; ``a/b:2.0`` is ``two``, at the source only."""

    source: RegistryServer
    destination: RegistryServer
    one: str
    two: str

    @property
    def options(self) -> Plain:
        source = {"registry": self.source.host, "plain_http": True}
        return {**self.destination.options, "source": source}

    def named(self, value: t.Any) -> t.Any:
        """A case with the names of this run: digests and registries."""
        if isinstance(value, dict):
            return {key: self.named(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.named(inner) for inner in value]
        if not isinstance(value, str):
            return value
        names = {"FROM": self.source.host, "TO": self.destination.host, "ONE": self.one, "TWO": self.two}
        for name, meant in names.items():
            value = value.replace(name, meant)
        return value


@pytest.fixture
def ends(source: RegistryServer, registry: RegistryServer) -> Ends:
    one = source.add_image("a/b:1.0")
    registry.add_image("a/b:1.0")
    return Ends(source, registry, one, source.add_image("a/b:2.0", layer=ANOTHER))


class Case(t.NamedTuple):
    """One image, ``a/b:2.0`` unless it says otherwise, and how it is judged."""

    name: str
    image: Plain
    action: str
    tags: list[tuple[str, str, str]]
    """Each with the digest before and the action."""
    reason: str = ""


CASES = [
    Case("a tag is moved", {"tags": ["1.0"]}, "promote", [("1.0", "ONE", "replace")]),
    Case("a tag is left", {"tags": ["1.0"], "on_conflict": "skip"}, "skip", [("1.0", "ONE", "skip")]),
    Case(
        "a tag is left, and another one is made",
        {"tags": ["1.0", "new"], "on_conflict": "skip"},
        "promote",
        [("1.0", "ONE", "skip"), ("new", "", "create")],
    ),
    Case(
        "a tag must not move",
        {"tags": ["1.0", "new"], "on_conflict": "fail"},
        "refused",
        [("1.0", "ONE", "refused"), ("new", "", "create")],
        "TO/a/b:1.0 points to ONE (on_conflict: fail). With",
    ),
    Case(
        "a tag is immutable",
        {"tags": ["1.0"], "on_conflict": "skip", "immutable_tags": [r"[0-9]\.[0-9]"]},
        "refused",
        [("1.0", "ONE", "refused")],
        "TO/a/b:1.0 points to ONE and is immutable (immutable_tags). Promote",
    ),
    Case(
        "a pattern matches whole tags only",
        {"tags": ["1.0"], "immutable_tags": ["[0-9]"]},
        "promote",
        [("1.0", "ONE", "replace")],
    ),
    Case("an immutable tag is made", {"immutable_tags": [".*"]}, "promote", [("2.0", "", "create")]),
    Case(
        "an immutable tag is equal", {"tag": "1.0", "immutable_tags": [".*"]}, "unchanged", [("1.0", "ONE", "exists")]
    ),
    Case("the source serves what is expected", {"expected_digest": "TWO"}, "promote", [("2.0", "", "create")]),
    Case(
        "the source serves something else",
        {"expected_digest": OTHER_DIGEST},
        "refused",
        [],
        f"FROM/a/b:2.0 is TWO, and {OTHER_DIGEST} was expected (expected_digest). If",
    ),
    Case(
        "the destination serves what is expected",
        {"tags": ["1.0"], "expected_destination_digest": "ONE"},
        "promote",
        [("1.0", "ONE", "replace")],
    ),
    Case(
        "the destination serves something else",
        {"tags": ["1.0"], "expected_destination_digest": OTHER_DIGEST},
        "refused",
        [("1.0", "ONE", "refused")],
        f"TO/a/b:1.0 points to ONE, and {OTHER_DIGEST} was expected (expected_destination_digest). If",
    ),
    Case(
        "the destination was expected to have nothing",
        {"tags": ["1.0"], "expected_destination_digest": ""},
        "refused",
        [("1.0", "ONE", "refused")],
        "TO/a/b:1.0 points to ONE, and no tag was expected (expected_destination_digest). If",
    ),
    Case(
        "the destination has nothing, as expected",
        {"expected_destination_digest": ""},
        "promote",
        [("2.0", "", "create")],
    ),
    Case(
        "the destination was expected to have something",
        {"expected_destination_digest": "ONE"},
        "refused",
        [("2.0", "", "refused")],
        "TO/a/b:2.0 points to nothing, and ONE was expected (expected_destination_digest). If",
    ),
    Case(
        "the destination serves the same already, whatever was expected",
        {"tag": "1.0", "expected_destination_digest": OTHER_DIGEST},
        "unchanged",
        [("1.0", "ONE", "exists")],
    ),
    Case("a tag that is not there", {"tag": "never"}, "missing", [], "FROM/a/b:never is not at the source. Check"),
    Case(
        "a repository that is not there",
        {"repository": "a/never"},
        "missing",
        [],
        "FROM/a/never:2.0 is not at the source. Check",
    ),
    Case(
        "a digest that is not there",
        {"tag": "", "digest": OTHER_DIGEST, "tags": ["new"]},
        "missing",
        [],
        f"FROM/a/b@{OTHER_DIGEST} is not at the source. Check",
    ),
    Case("by digest, without a tag", {"tag": "", "digest": "TWO"}, "promote", []),
    Case("by digest, without a tag, and there already", {"tag": "", "digest": "ONE"}, "unchanged", []),
    Case(
        "by digest, with tags of which one is equal",
        {"tag": "", "digest": "ONE", "tags": ["1.0", "stable", "latest"]},
        "promote",
        [("1.0", "ONE", "exists"), ("stable", "", "create"), ("latest", "", "create")],
    ),
    Case(
        "into another repository",
        {"destination_repository": "a/renamed", "tags": ["a", "b"], "mount_from": ["a/b"]},
        "promote",
        [("a", "", "create"), ("b", "", "create")],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_image_is_judged_by_its_conditions(ends: Ends, case: Case) -> None:
    given = {"repository": "a/b", "tag": "2.0", **ends.named(case.image)}
    result = succeed("image_diff_info", {**ends.options, "images": [given]})
    (found,) = result["images"]
    assert found["action"] == case.action
    assert found["reason"].startswith(ends.named(case.reason)) and bool(found["reason"]) is bool(case.reason)
    tags = [{"tag": tag, "previous_digest": ends.named(before), "action": action} for tag, before, action in case.tags]
    assert found["tags"] == tags
    assert found["exists"] is (case.action != "missing")
    assert found["repository"] == given["repository"]
    assert found["destination_repository"] == given.get("destination_repository", given["repository"])
    promoted = case.action == "promote"
    assert result["differs"] is promoted
    moved = [tag["tag"] for tag in tags if promoted and tag["action"] in ("create", "replace")]
    assert [tag["tag"] for tag in result["tags"]] == moved
    assert {tag["repository"] for tag in result["tags"]} <= {found["destination_repository"]}
    # What is there already isn't pushed.
    pushed = [found["digest"]] if promoted and found["digest"] != ends.one else []
    assert [manifest["digest"] for manifest in result["manifests"]] == pushed
    assert len(result["blobs"]) == len(pushed)
    for group in result["blobs"]:
        assert group["mount_from"] == given.get("mount_from", [])
    assert ends.source.writes == ends.destination.writes == []


def test_what_is_compared_and_what_it_costs(ends: Ends) -> None:
    options = {**ends.options, "images": [{"repository": "a/b", "tag": "2.0"}]}
    result = succeed("image_diff_info", options)
    assert result["images"] == [
        {
            "reference": f"{ends.source.host}/a/b:2.0",
            "destination": f"{ends.destination.host}/a/b",
            "repository": "a/b",
            "destination_repository": "a/b",
            "exists": True,
            "digest": ends.two,
            "source_digest": ends.two,
            "media_type": OCI_MANIFEST,
            "action": "promote",
            "reason": "",
            "tags": [{"tag": "2.0", "previous_digest": "", "action": "create"}],
            "layers_left_out": [],
            "artifacts": [],
            "artifacts_compared": True,
            "gates": [],
            "verified": None,
            "signatures": [],
            "missing": [],
        }
    ]
    (group,) = result["blobs"]
    assert {blob["digest"] for blob in group["blobs"]} == {
        descriptor(content)["digest"] for content in (CONFIG, ANOTHER)
    }
    assert base64.b64decode(result["tags"][0]["content_base64"]) == ends.source.manifests[f"a/b@{ends.two}"]
    assert "summary" not in result["tags"][0]
    assert succeed("image_diff_info", options, check=True) == result
    equal = succeed("image_diff_info", {**ends.options, "images": [{"repository": "a/b", "tag": "1.0"}]})
    assert equal["differs"] is False and equal["images"][0]["action"] == "unchanged"
    assert equal["blobs"] == equal["manifests"] == equal["tags"] == []
    assert equal["transfer"] == transfer(requests=2)


def test_conditions_of_all_images_and_of_each(ends: Ends) -> None:
    images = [
        {"repository": "a/b", "tag": "2.0", "tags": ["1.0"]},
        {"repository": "a/b", "tag": "2.0", "tags": ["latest"]},
        {"repository": "a/b", "tag": "1.0", "destination_repository": "equal"},
        {
            "repository": "a/b",
            "digest": ends.two,
            "destination_repository": "other",
            "tags": ["2.0"],
            "on_conflict": "replace",
        },
    ]
    ends.destination.add_image("equal:1.0")
    rules = {"on_conflict": "skip", "immutable_tags": ["latest"]}
    result = succeed("image_diff_info", {**ends.options, **rules, "images": images})
    assert [found["action"] for found in result["images"]] == ["skip", "promote", "unchanged", "promote"]
    assert [tag["tag"] for tag in result["tags"]] == ["latest", "2.0"]
    assert [manifest["repository"] for manifest in result["manifests"]] == ["a/b", "other"]


def test_two_images_for_one_tag(ends: Ends) -> None:
    images = [
        {"repository": "a/b", "tag": "1.0", "destination_repository": "same", "tags": ["a", "b"]},
        {"repository": "c", "tag": "1.0", "destination_repository": "same", "tags": ["c", "b"]},
    ]
    failed = fail("image_diff_info", {**ends.options, "images": images})
    assert failed["msg"].startswith(
        f"images[0] and images[1] are both to be promoted to {ends.destination.host}/same:b. Give"
    )
    assert failed["transfer"] == NO_TRANSFER


def test_in_diff_mode_tags_say_what_they_are_about_to_serve(ends: Ends) -> None:
    platform = {"architecture": "arm64", "os": "linux", "variant": "v8"}
    child = descriptor(encoded(image()), OCI_MANIFEST, platform=platform)
    ends.source.add(index(child), "a/b:multi")
    images = [
        {"repository": "a/b", "tag": "2.0", "tags": ["1.0"]},
        {"repository": "a/b", "tag": "multi", "destination_repository": "renamed"},
        {"repository": "a/b", "tag": "1.0", "destination_repository": "equal"},
    ]
    ends.destination.add_image("equal:1.0")
    plan = succeed("image_diff_info", {**ends.options, "images": images}, diff=True)
    first, second = (tag["summary"] for tag in plan["tags"])
    assert first["digest"] == ends.two and first["platforms"] == ["linux/amd64"]
    assert second["media_type"] == OCI_INDEX and second["platforms"] == ["linux/arm64/v8"]
    foreseen = succeed("tag", {**ends.destination.options, "tags": plan["tags"]}, check=True, diff=True)
    assert [part["after"] for part in foreseen["diff"]] == [first, second]
    assert foreseen["diff"][0]["before"]["digest"] == ends.one and foreseen["diff"][1]["before"] == {}


def test_results_are_handed_on_as_they_are(ends: Ends) -> None:
    images = [{"repository": "a/b", "tag": "2.0"}]
    plan = succeed("image_diff_info", {**ends.options, "images": images})
    missing = succeed("blob_info", {**ends.destination.options, "blobs": plan["blobs"]})["missing"]
    succeed("blob", {**ends.options, "blobs": missing})
    succeed("manifest", {**ends.options, "manifests": plan["manifests"]})
    succeed("tag", {**ends.destination.options, "tags": plan["tags"]})
    assert ends.destination.tags == {"a/b:1.0": ends.one, "a/b:2.0": ends.two}
    assert succeed("image_diff_info", {**ends.options, "images": images})["differs"] is False


def test_what_cannot_be_compared_is_a_failure_beside_the_others(ends: Ends) -> None:
    ends.source.on("HEAD|GET", "/v2/c/.*", answer(500))
    images = [{"repository": "a/b", "tag": "1.0"}, {"repository": "c", "tag": "1.0"}]
    failed = fail("image_diff_info", {**ends.options, "images": images})
    assert [found["action"] for found in failed["images"]] == ["unchanged", "failed"]
    assert "differs" not in failed
    (entry,) = failed["failures"]
    assert (entry["repository"], entry["reference"]) == ("c", f"{ends.source.host}/c:1.0")
    # What differs is known all the same.
    images[0]["tag"] = "2.0"
    assert fail("image_diff_info", {**ends.options, "images": images})["differs"] is True


def test_what_the_destination_has_lost(ends: Ends) -> None:
    ends.destination.blobs.clear()
    images = [{"repository": "a/b", "tag": "1.0"}]
    options = {**ends.options, "images": images}
    assert succeed("image_diff_info", options)["differs"] is False
    found = fail("image_diff_info", {**options, "verify": "blobs"})
    assert {entry["kind"] for entry in found["images"][0]["missing"]} == {"blob"} and found["blobs"] == []
    repaired = succeed("image_diff_info", {**options, "verify": "blobs", "repair": True})
    assert repaired["differs"] is True and len(repaired["blobs"][0]["blobs"]) == 2


def gate(that: str, **changes: t.Any) -> Plain:
    return {"name": "a gate", "that": that, **changes}


def test_gates_refuse_what_does_not_meet_them(ends: Ends) -> None:
    images = [{"repository": "a/b", "tag": "1.0"}, {"repository": "a/b", "tag": "2.0"}]
    options = {**ends.options, "images": images, "gates": [gate("tag == '1.0'", message="Only 1.0")]}
    result = succeed("image_diff_info", options)
    assert [one["action"] for one in result["images"]] == ["unchanged", "refused"]
    assert result["images"][0]["gates"] == []
    assert result["images"][1]["gates"] == [
        {"name": "a gate", "passed": False, "severity": "error", "value": False, "message": "Only 1.0"}
    ]
    assert result["images"][1]["reason"] == (f"{ends.source.host}/a/b:2.0: gate 'a gate': Only 1.0 (it gave false)")
    assert result["tags"] == result["manifests"] == result["blobs"] == []
    assert succeed("image_diff_info", {**options, "gates": [gate("tag == '2.0'")]})["tags"]


def test_signatures_and_artifacts_of_an_image_are_told(ends: Ends) -> None:
    signature = sign_by_tag(ends.source, "a/b:2.0")
    images = [{"repository": "a/b", "tag": "2.0"}]
    (one,) = succeed("image_diff_info", {**ends.options, "images": images, "signatures": [{"keys": [signature.key]}]})[
        "images"
    ]
    assert (one["action"], one["verified"]) == ("promote", True)
    (found,) = one["signatures"]
    assert found.pop("by").startswith("key:") and found == signature.in_results
    (artifact,) = one["artifacts"]
    kind = "application/vnd.dev.cosign.simplesigning.v1+json"
    named = {"subject": ends.two, "digest": signature.digest, "tag": signature.tag, "artifact_type": kind}
    assert artifact == {**named, "action": "copy", "reason": ""}


def test_a_gate_that_only_warns(ends: Ends) -> None:
    gates = [gate("labels.team", severity="warning", message="No team")]
    options = {**ends.options, "images": [{"repository": "a/b", "tag": "2.0"}], "gates": gates}
    result = succeed("image_diff_info", options)
    assert result["images"][0]["action"] == "promote"
    assert f"{ends.source.host}/a/b:2.0: gate 'a gate': No team (it gave null)." in json.dumps(result["warnings"])


def test_a_gate_that_names_no_key_of_the_document_is_told(ends: Ends) -> None:
    """Text in the wrong quotes is a key that nothing has: null is equal to null, and such a gate would let all pass."""
    gates = [gate('lables.team == "app"'), {**gate("labels.team == images[0].x"), "name": "known"}]
    options = {**ends.options, "images": [{"repository": "a/b", "tag": "2.0"}], "gates": gates}
    words = (
        'The gate \'a gate\' names "app", "lables", and the image document has no such key: that gives null. Text is '
        "written in single quotes: 'app'."
    )
    (warning,) = succeed("image_diff_info", options)["warnings"]
    assert words in (warning if isinstance(warning, str) else warning["event"]["msg"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gates": [gate("total_size < 5")]}, "Write numbers, true, false and null in backticks"),
        ({"gates": [gate("tag ==")]}, "gates[0].that"),
        ({"gates": [gate("lenght(tag)")]}, "there is no function lenght()"),
        ({"gates": [gate("tag"), gate("digest")]}, "gates[1]: another gate is called 'a gate'"),
        ({"signatures": [{"mode": "required"}]}, "signatures[0]: mode required needs keys or certificates"),
    ],
)
def test_conditions_that_are_none_fail_before_the_first_request(ends: Ends, changes: Plain, words: str) -> None:
    options = {**ends.options, "images": [{"repository": "a/b", "tag": "2.0"}], **changes}
    assert words in fail("image_diff_info", options)["msg"]
    assert not ends.source.requests and not ends.destination.requests


def test_unsigned_images_are_refused(ends: Ends) -> None:
    keys = [public_pem(private_key("p256")).decode()]
    options = {**ends.options, "images": [{"repository": "a/b", "tag": "2.0"}], "signatures": [{"keys": keys}]}
    (one,) = succeed("image_diff_info", options)["images"]
    assert (one["action"], one["verified"], one["signatures"]) == ("refused", False, [])
    assert one["reason"] == f"{ends.source.host}/a/b:2.0: {ends.two} has no signature"


def test_a_digest_is_met_for_the_first_time(ends: Ends, tmp_path: pathlib.Path) -> None:
    gates = [gate("first_seen_seconds >= `3600`")]
    images = [{"repository": "a/b", "tag": "2.0"}]
    options = {**ends.options, "images": images, "gates": gates, "record": {"path": str(tmp_path)}}
    assert succeed("image_diff_info", options, check=True)["images"][0]["gates"][0]["value"] is False
    assert not list(tmp_path.iterdir())
    assert succeed("image_diff_info", options)["images"][0]["action"] == "refused"
    kept = json.loads((tmp_path / "first-seen.json").read_text())
    assert list(kept) == [f"{ends.source.host}/a/b@{ends.two}"]
