# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import OCI_MANIFEST
from ansible_collections.imageops.registry.tests.unit.support.documents import CONFIG, LAYER, OTHER_DIGEST
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import answer
from ansible_collections.imageops.registry.tests.unit.support.module_runs import (
    NO_TRANSFER,
    Plain,
    fail,
    four_runs,
    succeed,
    transfer,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer


@pytest.fixture
def one(registry: RegistryServer) -> str:
    return registry.add_image("a/b:1.0", "a/b:stable")


@pytest.fixture
def two(registry: RegistryServer) -> str:
    return registry.add_image("a/b:2.0", layer=b"another layer")


def tagged(tag: str, digest: str, previous: str, action: str, **more: t.Any) -> Plain:
    return {
        "repository": "a/b",
        "tag": tag,
        "digest": digest,
        "previous_digest": previous,
        "action": action,
        **more,
    }


@pytest.mark.parametrize(
    ("given", "previous", "action"),
    [
        ({"tag": "new"}, "", "create"),
        ({"tag": "new", "previous_digest": ""}, "", "create"),
        ({"tag": "stable"}, "one", "replace"),
        ({"tag": "stable", "previous_digest": "one"}, "one", "replace"),
        ({"tag": 3}, "", "create"),
    ],
)
def test_a_tag_is_moved_once(
    registry: RegistryServer, one: str, two: str, given: Plain, previous: str, action: str
) -> None:
    before = one if previous else ""
    options = {**registry.options, "repository": "a/b", "digest": two, **given}
    if given.get("previous_digest"):
        options["previous_digest"] = one
    runs = four_runs("tag", options, writes=lambda: registry.writes)
    tag = str(given["tag"])
    assert registry.tags[f"a/b:{tag}"] == two
    assert registry.writes == [f"PUT /v2/a/b/manifests/{tag}"]
    assert runs.foreseen["tags"] == runs.done["tags"] == [tagged(tag, two, before, action)]
    assert runs.again["tags"] == runs.foreseen_again["tags"] == [tagged(tag, two, two, "exists")]
    (diff,) = runs.done["diff"]
    assert diff["before_header"] == diff["after_header"] == f"{registry.host}/a/b:{tag}"
    assert diff["before"].get("digest", "") == before
    assert (diff["after"]["digest"], diff["after"]["media_type"]) == (two, OCI_MANIFEST)
    assert diff["after"]["platforms"] == ["linux/amd64"]
    assert diff["after"]["total_size"] > len(CONFIG) + len(LAYER)
    assert succeed("tag", options)["transfer"] == transfer(requests=1)


def test_many_tags_are_moved_once(registry: RegistryServer, one: str, two: str) -> None:
    content = base64.b64encode(registry.manifests[f"a/b@{two}"]).decode()
    wanted = [
        {"repository": "a/b", "tag": "1.0", "digest": one},
        {"repository": "a/b", "tag": "many-1", "digest": one, "previous_digest": ""},
        {"repository": "a/b", "tag": "many-2", "digest": two, "content_base64": content},
        {"repository": "a/b", "tag": "stable", "digest": two, "previous_digest": one},
    ]
    runs = four_runs("tag", {**registry.options, "tags": wanted, "jobs": 1}, writes=lambda: registry.writes)
    assert runs.foreseen["tags"] == runs.done["tags"]
    assert runs.done["tags"] == [
        tagged("1.0", one, one, "exists"),
        tagged("many-1", one, "", "create"),
        tagged("many-2", two, "", "create"),
        tagged("stable", two, one, "replace"),
    ]
    assert {entry["action"] for entry in runs.again["tags"]} == {"exists"}
    assert registry.tags == dict.fromkeys(["a/b:1.0", "a/b:many-1"], one) | dict.fromkeys(
        ["a/b:2.0", "a/b:many-2", "a/b:stable"], two
    )
    # What is given isn't read again.
    assert f"GET /v2/a/b/manifests/{two}" not in registry.requests[-9:]


def test_a_summary_is_what_the_diff_shows(registry: RegistryServer, one: str) -> None:
    summary = {"digest": one, "platforms": ["plan9/amd64"]}
    wanted = [{"repository": "a/b", "tag": "new", "digest": one, "summary": summary}]
    done = succeed("tag", {**registry.options, "tags": wanted}, check=True, diff=True)
    assert [part["after"] for part in done["diff"]] == [summary]


# Failures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words", "requests", "foreseen"),
    [
        (
            {"tag": "stable", "digest": "two", "previous_digest": OTHER_DIGEST},
            "Cannot tag {place}:stable: it points to {one}, and "
            + OTHER_DIGEST
            + " was expected. Another client moved it meanwhile; compare again.",
            1,
            True,
        ),
        (
            {"tag": "stable", "digest": "two", "previous_digest": ""},
            "Cannot tag {place}:stable: it points to {one}, and no tag was expected. Another client moved it "
            "meanwhile; compare again.",
            1,
            True,
        ),
        (
            {"tag": "other", "digest": "two", "previous_digest": "one"},
            "Cannot tag {place}:other: it points to nothing, and {one} was expected. Another client moved it "
            "meanwhile; compare again.",
            # HEAD, and GET: an expected digest is a guard.
            2,
            True,
        ),
        ({"tag": "stable"}, "No digest is given for a/b:stable.", 0, True),
        (
            {"tag": "stable", "digest": "two", "content_base64": "e30="},
            "Cannot tag {place}:stable: the manifest's bytes have the digest ",
            1,
            False,
        ),
        ({"tag": "stable", "digest": OTHER_DIGEST}, "Cannot read {place}@" + OTHER_DIGEST, 2, False),
    ],
    ids=["another is expected", "none is expected", "one is expected", "no digest", "other content", "nowhere"],
)
def test_what_fails_moves_nothing(
    registry: RegistryServer, one: str, two: str, given: Plain, words: str, requests: int, foreseen: bool
) -> None:
    names = {"one": one, "two": two}
    options = {
        **registry.options,
        "repository": "a/b",
        **{key: names.get(value, value) for key, value in given.items()},
    }
    before = registry.tags
    failed = fail("tag", options)
    assert failed["msg"].startswith(words.format(place=f"{registry.host}/a/b", one=one))
    assert failed.get("changed", False) is False
    assert failed["transfer"] == transfer(requests=requests)
    assert registry.tags == before and registry.writes == []
    # What only the registry can tell isn't foreseen.
    (fail if foreseen else succeed)("tag", options, check=True)


def test_one_tag_that_is_wanted_in_two_ways(registry: RegistryServer, one: str, two: str) -> None:
    for key, value, given in (("digest", two, {}), ("previous_digest", one, {"previous_digest": one})):
        wanted = [{"repository": "a/b", "tag": "x", "digest": one}, {"repository": "a/b", "tag": "x", "digest": one}]
        wanted[1].update(given or {key: value})
        failed = fail("tag", {**registry.options, "tags": wanted})
        assert failed["msg"] == (
            f"tags[0] and tags[1] are both {registry.host}/a/b:x, and differ in {key}. Keep one of them."
        )
    assert registry.requests == []


def test_what_can_be_done_is_done(registry: RegistryServer, one: str, two: str) -> None:
    content = base64.b64encode(registry.manifests[f"a/b@{one}"]).decode()
    wanted: list[Plain] = [
        # The same twice is taken once, with what either of them knows.
        {"repository": "a/b", "tag": "partly", "digest": one},
        {"repository": "a/b", "tag": "partly", "digest": one, "content_base64": content},
        {"repository": "a/b", "tag": "stable", "digest": two, "previous_digest": ""},
        {"repository": "a/b", "tag": "nowhere", "digest": OTHER_DIGEST},
    ]
    failed = fail("tag", {**registry.options, "tags": wanted})
    assert failed["changed"] is True
    assert failed["msg"].startswith(f"Cannot tag {registry.host}/a/b:stable: ")
    assert failed["msg"].endswith(" (and 1 more, see failures)")
    assert failed["tags"] == [tagged("partly", one, "", "create")]
    assert [(entry["repository"], entry["tag"]) for entry in failed["failures"]] == [
        ("a/b", "stable"),
        ("a/b", "nowhere"),
    ]
    assert failed["failures"][1]["error"]["status"] == 404
    assert registry.tags["a/b:stable"] == one
    assert f"GET /v2/a/b/manifests/{one}" not in registry.requests


def test_what_was_moved_is_verified(registry: RegistryServer, one: str, two: str) -> None:
    options = {**registry.options, "repository": "a/b", "tag": "new", "digest": one, "verify": True}
    assert succeed("tag", options, check=True)["transfer"]["requests"] == 2
    assert succeed("tag", options)["changed"] is True
    # A registry that accepts a tag, and serves what it served.
    registry.on("PUT", "/v2/a/b/manifests/new", answer(201))
    failed = fail("tag", {**options, "digest": two})
    assert failed["failures"][0]["tag"] == "new"
    assert "a/b:new" in failed["msg"]


# Deletes -------------------------------------------------------------------------------------------------------------


def test_a_tag_is_deleted_once(registry: RegistryServer, one: str) -> None:
    options = {**registry.options, "repository": "a/b", "tag": "stable", "state": "absent"}
    runs = four_runs("tag", options, writes=lambda: registry.writes)
    assert runs.foreseen["tags"] == runs.done["tags"] == [tagged("stable", "", one, "delete")]
    assert runs.again["tags"] == runs.foreseen_again["tags"] == [tagged("stable", "", "", "absent")]
    (diff,) = runs.done["diff"]
    assert diff["before"]["digest"] == one and diff["after"] == {}
    assert registry.tags == {"a/b:1.0": one} and registry.writes == ["DELETE /v2/a/b/manifests/stable"]
    assert succeed("tag", options)["transfer"] == transfer(requests=2)


def test_many_tags_are_deleted_and_their_manifest_stays(registry: RegistryServer, one: str) -> None:
    registry.add_image("a/b:gone-1", "a/b:gone-2")
    wanted = [
        {"repository": "a/b", "tag": "gone-1"},
        {"repository": "a/b", "tag": "gone-2", "digest": one},
        {"repository": "a/b", "tag": "gone"},
    ]
    options = {**registry.options, "tags": wanted, "delete_manifest": True, "state": "absent"}
    done = succeed("tag", options)
    assert [entry["action"] for entry in done["tags"]] == ["delete", "delete", "absent"]
    # Three HEAD, one GET, two DELETE, two HEAD: they are gone, and the manifest stays.
    assert done["transfer"] == transfer(requests=8)
    assert set(registry.tags) == {"a/b:1.0", "a/b:stable"} and f"a/b@{one}" in registry.manifests
    again = succeed("tag", options)
    assert again["changed"] is False and {entry["action"] for entry in again["tags"]} == {"absent"}


@pytest.fixture
def manifests_only(registry: RegistryServer) -> None:
    """A registry that deletes manifests, and no tag alone, as distribution 2.8 does."""
    said = {"errors": [{"code": "DIGEST_INVALID", "message": "provided digest did not match uploaded content"}]}
    registry.on("DELETE", "/v2/a/b/manifests/[^:]*", answer(400, said))


@pytest.mark.usefixtures("manifests_only")
def test_where_a_tag_cannot_be_deleted_alone(registry: RegistryServer, one: str, two: str) -> None:
    options = {**registry.options, "repository": "a/b", "tag": "stable", "state": "absent"}
    assert succeed("tag", options, check=True)["tags"] == [tagged("stable", "", one, "delete")]
    refused = fail("tag", options)
    assert refused["msg"] == (
        f"Cannot delete {registry.host}/a/b:stable: the registry cannot delete a tag alone (DIGEST_INVALID: provided "
        f"digest did not match uploaded content) (DELETE {registry.url}/v2/a/b/manifests/stable, answer 400). "
        "delete_manifest: true deletes the manifest, and with it all other tags that point to it."
    )
    assert refused["changed"] is False and refused["tags"] == []
    assert refused["failures"][0]["tag"] == "stable" and refused["failures"][0]["needs_delete_manifest"] is True
    assert refused["transfer"] == transfer(requests=2)
    runs = four_runs("tag", {**options, "delete_manifest": True}, writes=lambda: registry.writes)
    assert runs.done["tags"] == [tagged("stable", "", one, "delete")]
    # Other tags of the manifest go with it.
    assert registry.tags == {"a/b:2.0": two}


@pytest.mark.usefixtures("no_patience")
def test_a_tag_that_is_still_there_is_no_change_and_warned_of(registry: RegistryServer, one: str) -> None:
    registry.on("DELETE", ".*", answer(202))
    done = succeed("tag", {**registry.options, "repository": "a/b", "tag": "stable", "state": "absent"})
    assert done["changed"] is False and done["tags"][0]["deletion_pending"] is True
    assert "tag a/b:stable" in str(done["warnings"])


def test_no_tags_are_nothing_to_do(registry: RegistryServer) -> None:
    done = succeed("tag", {**registry.options, "tags": []}, diff=True)
    assert done == {"changed": False, "tags": [], "diff": [], "transfer": NO_TRANSFER}
