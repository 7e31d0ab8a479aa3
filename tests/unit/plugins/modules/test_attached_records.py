# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records that promotions attach to images: written by ``image_copy``, and read by every module that reads them."""

from __future__ import annotations

import importlib
import json
import pathlib
import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._module import _masking
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import PREDICATE_TYPE, encode_record
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record_reading import parse_record
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import Answer, Seen, answer
from ansible_collections.imageops.registry.tests.unit.support.module_runs import (
    Plain,
    fail,
    four_runs,
    printed_by,
    succeed,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_server import RegistryServer
from ansible_collections.imageops.registry.tests.unit.support.signing import (
    BUNDLE,
    IN_TOTO,
    private_key,
    private_pem,
    public_pem,
)

SECRETS = "ansible.module_utils.secrets"
KEY = private_key("p256")
PUBLIC = public_pem(KEY).decode()
PASSPHRASE = "correct horse battery"
RECORD = {"attach": True, "environment": "staging", "actor": "ci", "reason": "CHG-1"}
SIGNED = {**RECORD, "sign_with": private_pem(KEY, PASSPHRASE), "sign_passphrase": PASSPHRASE}
SOAKED = {"name": "soak", "that": "max(promotions[?environment=='staging' && verified].age_seconds) >= `0`"}


@pytest.fixture
def options(source: RegistryServer, registry: RegistryServer) -> Plain:
    source.add_image("a/b:1.0")
    ends = {"source": {"registry": source.host, "plain_http": True}, "images": [{"repository": "a/b", "tag": "1.0"}]}
    return {**registry.options, **ends}


def attached_at(registry: RegistryServer, name: str = "a/b") -> list[Plain]:
    """The manifests with a subject in a repository."""
    documents = [json.loads(one) for place, one in registry.manifests.items() if place.startswith(f"{name}@")]
    return [document for document in documents if "subject" in document]


def told(result: Plain) -> list[bool | None]:
    return [image["record_attached"] for image in result["images"]]


@pytest.mark.parametrize(("record", "kind"), [(RECORD, IN_TOTO), (SIGNED, BUNDLE)])
def test_a_record_is_attached_once(registry: RegistryServer, options: Plain, record: Plain, kind: str) -> None:
    runs = four_runs("image_copy", {**options, "record": record}, writes=lambda: registry.writes)
    assert [told(run) for run in runs] == [[True], [True], [None], [None]]
    (found,) = attached_at(registry)
    assert (found["artifactType"], found["subject"]["digest"]) == (kind, registry.tags["a/b:1.0"])
    (row,) = [row for row in runs.done["diff"] if "record" in row["after"]]
    signed = "signed" if kind == BUNDLE else "not signed"
    assert (row["before"], row["after"]) == ("", f"record of the promotion to staging: attached, {signed}\n")
    assert row["after_header"] == f"{registry.host}/a/b@{registry.tags['a/b:1.0']}"
    assert "warnings" not in runs.done
    # The tag moves first: the record says what has happened.
    tagged = registry.writes.index("PUT /v2/a/b/manifests/1.0")
    assert [write for write in registry.writes[tagged + 1 :] if write.startswith("PUT /v2/a/b/manifests/sha256:")]
    more = {**options, "images": [{"repository": "a/b", "tag": "1.0", "tags": ["1.0", "stable"]}], "record": record}
    again = succeed("image_copy", more)
    assert again["changed"] and told(again) == [True] and len(attached_at(registry)) == 1


def test_each_image_of_a_set_gets_its_own(source: RegistryServer, registry: RegistryServer, options: Plain) -> None:
    source.add_image("c/d:2", layer=b"another")
    images = [*options["images"], {"repository": "c/d", "tag": "2"}, {"repository": "a/b", "tag": "1.0", "tags": ["s"]}]
    registry.add_image("e/f:3")
    source.add_image("e/f:3")
    done = succeed("image_copy", {**options, "images": [*images, {"repository": "e/f", "tag": "3"}], "record": RECORD})
    assert told(done) == [True, True, True, None]
    assert [len(attached_at(registry, name)) for name in ("a/b", "c/d", "e/f")] == [1, 1, 0]
    found = succeed("promotion_info", {**registry.options, "repository": "a/b", "tag": "1.0"})
    (record,) = found["promotions"]
    assert [[tag["tag"] for tag in image["tags"]] for image in record["images"]] == [["1.0"], ["s"]]
    assert (record["actor"], record["reason"], record["outcome"]) == ("ci", "CHG-1", "done")


def test_it_says_what_the_file_says(registry: RegistryServer, options: Plain, tmp_path: pathlib.Path) -> None:
    done = succeed("image_copy", {**options, "record": {**RECORD, "path": str(tmp_path)}})
    place = {**registry.options, "repository": "a/b", "tag": "1.0", "path": str(tmp_path)}
    found = {one.pop("source_of_record"): one for one in succeed("promotion_info", place)["promotions"]}
    file = found.pop(done["record"]["path"])
    ((source, attached),) = found.items()
    assert source.startswith(f"{registry.host}/a/b@sha256:") and file == attached


def test_a_signed_record_verifies_travels_and_feeds_the_soak_gate(
    registry: RegistryServer, options: Plain, start: t.Callable[..., RegistryServer]
) -> None:
    production = start()
    succeed("image_copy", {**options, "record": SIGNED})
    place = {"repository": "a/b", "tag": "1.0"}
    rule = {"keys": [PUBLIC], "predicate_types": [PREDICATE_TYPE]}
    assert succeed("signature_info", {**registry.options, **place, "signatures": [rule]})["verified"] is True
    assert succeed("signature_info", {**registry.options, **place, "signatures": [{"keys": [PUBLIC]}]})["verified"] is (
        False
    )
    ends = {**production.options, "source": {"registry": registry.host, "plain_http": True}, "images": [place]}
    stranger = public_pem(private_key("p256", 1)).decode()
    for keys, passes in (([stranger], False), ([PUBLIC], True)):
        rules = [{"keys": keys, "mode": "if_present"}]
        more = {"gates": [SOAKED], "signatures": rules, "record": {**SIGNED, "environment": "production"}}
        compared = succeed("image_diff_info", {**ends, **more})
        assert [image["action"] for image in compared["images"]] == ["promote" if passes else "refused"]
        if not passes:
            assert "soak" in fail("image_copy", {**ends, **more})["msg"] and not production.writes
    done = succeed("image_copy", {**ends, **more})
    assert told(done) == [True]
    looked = succeed("image_info", {**production.options, **place, "signatures": [rule]})
    promotions = looked["document"]["promotions"]
    assert sorted((one["environment"], one["verified"]) for one in promotions) == [
        ("production", True),
        ("staging", True),
    ]
    assert len(attached_at(production)) == 2


def test_one_of_the_same_environment_that_comes_with_the_image_is_enough(
    registry: RegistryServer, options: Plain, start: t.Callable[..., RegistryServer]
) -> None:
    other_region = start()
    succeed("image_copy", {**options, "record": SIGNED})
    ends = {"source": {"registry": registry.host, "plain_http": True}, "images": [{"repository": "a/b", "tag": "1.0"}]}
    runs = four_runs(
        "image_copy", {**other_region.options, **ends, "record": SIGNED}, writes=lambda: other_region.writes
    )
    assert [told(run) for run in runs] == [[True], [True], [None], [None]]
    assert not [row for row in runs.done["diff"] if "record" in row["after"]]
    assert len(attached_at(other_region)) == 1
    without = {**start().options, **ends, "artifacts": [], "record": SIGNED}
    foreseen, done = (succeed("image_copy", without, check=check, diff=True) for check in (True, False))
    assert foreseen["diff"] == done["diff"] and "record" in done["diff"][-1]["after"]


def test_without_the_api_it_is_listed_under_the_tag(registry: RegistryServer, options: Plain) -> None:
    registry.on("GET", "/v2/.*/referrers/.*", answer(404))
    done = succeed("image_copy", {**options, "record": RECORD})
    digest = registry.tags["a/b:1.0"]
    listed = json.loads(registry.manifests[f"a/b:{referrers_tag(digest)}"])
    assert told(done) == [True] and [one["artifactType"] for one in listed["manifests"]] == [IN_TOTO]
    found = succeed("promotion_info", {**registry.options, "repository": "a/b", "tag": "1.0"})
    assert [one["environment"] for one in found["promotions"]] == ["staging"]
    more = {**options, "images": [{"repository": "a/b", "tag": "1.0", "tags": ["stable"]}]}
    assert told(succeed("image_copy", {**more, "record": RECORD})) == [True] and len(attached_at(registry)) == 1


def refusing(seen: Seen) -> Answer | None:
    """A registry that takes no manifest with a subject."""
    return Answer(400, (("Content-Type", "application/json"),), (b"{}",)) if b'"subject"' in seen.body else None


def test_a_registry_that_refuses_it_makes_a_warning_and_no_failure(registry: RegistryServer, options: Plain) -> None:
    registry.on("PUT", "/v2/a/b/manifests/.*", refusing)
    done: t.Any = succeed("image_copy", {**options, "record": RECORD})
    assert told(done) == [False] and done["changed"] and "a/b:1.0" in registry.manifests
    warning = str(done["warnings"])
    assert f"No record is attached to {registry.host}/a/b@{registry.tags['a/b:1.0']}" in warning
    assert "answer 400" in warning and not attached_at(registry)
    assert [tag["action"] for tag in done["tags"]] == ["create"]


def test_what_fails_gets_none(source: RegistryServer, registry: RegistryServer, options: Plain) -> None:
    source.add_image("c/d:2", layer=b"another")
    images = [*options["images"], {"repository": "c/d", "tag": "2"}]
    registry.on("PUT", "/v2/c/d/manifests/2", answer(403))
    failed = fail("image_copy", {**options, "images": images, "record": RECORD, "on_error": "continue"})
    assert told(failed) == [True, None]
    assert [len(attached_at(registry, name)) for name in ("a/b", "c/d")] == [1, 0]


@pytest.mark.parametrize("check", [True, False])
def test_a_refused_image_has_none_though_its_digest_is_promoted_under_another_tag(
    registry: RegistryServer, options: Plain, check: bool
) -> None:
    registry.add_image("a/b:old", layer=b"another")
    images = [
        {"repository": "a/b", "tag": "1.0"},
        {"repository": "a/b", "tag": "1.0", "tags": ["old"], "on_conflict": "fail"},
    ]
    failed = fail("image_copy", {**options, "images": images, "record": RECORD, "on_error": "continue"}, check=check)
    assert [image["action"] for image in failed["images"]] == ["promote", "refused"]
    assert told(failed) == [True, None] and len(attached_at(registry)) == (0 if check else 1)


@pytest.mark.parametrize("check", [True, False])
def test_where_one_tag_brings_all_back_nothing_is_attached(
    source: RegistryServer, registry: RegistryServer, options: Plain, check: bool
) -> None:
    source.add_image("c/d:2", layer=b"another")
    images = [*options["images"], {"repository": "c/d", "tag": "2"}]
    registry.on("PUT", "/v2/c/d/manifests/2", answer(403))
    run = succeed if check else fail
    done = run("image_copy", {**options, "images": images, "record": RECORD}, check=check)
    assert told(done) == ([True, True] if check else [None, None])
    assert [len(attached_at(registry, name)) for name in ("a/b", "c/d")] == [0, 0]
    assert check or "a/b:1.0" not in registry.tags


def test_a_run_that_finishes_another_attaches_what_that_did_not(
    registry: RegistryServer, options: Plain, tmp_path: pathlib.Path
) -> None:
    kept = {**RECORD, "path": str(tmp_path), "attach": False}
    path = pathlib.Path(succeed("image_copy", {**options, "record": kept})["record"]["path"])
    path.write_bytes(encode_record(parse_record(path.read_bytes())._replace(outcome="begun", finished_at="")))
    assert not attached_at(registry)
    runs = [succeed("image_copy", {**options, "record": {**kept, "attach": True}}, check=one) for one in (True, False)]
    assert [(run["changed"], told(run)) for run in runs] == [(True, [True])] * 2
    assert len(attached_at(registry)) == 1
    again = succeed("image_copy", {**options, "record": {**kept, "attach": True}})
    assert (again["changed"], told(again)) == (False, [None])


def test_without_attach_nothing_is_attached(registry: RegistryServer, options: Plain) -> None:
    assert told(succeed("image_copy", {**options, "record": {"environment": "staging"}})) == [None]
    assert not attached_at(registry)


def shown_of(result: Plain) -> str:
    """What Ansible shows of a result: from 2.22 on, without what it was told to hide. Before, that isn't in it."""
    shown = json.dumps({name: value for name, value in result.items() if name != "_ansible_new_secrets"})
    return shown if _masking.register_secret is None else importlib.import_module(SECRETS).mask_secrets(shown)


UNUSABLE: dict[str, tuple[Plain, str]] = {
    "no such file": ({"sign_with": "/nowhere/release.key"}, "record.sign_with: the file /nowhere/release.key"),
    "empty": ({"sign_with": ""}, "record.sign_with: it is empty"),
    "blank": ({"sign_with": " \n"}, "record.sign_with: it is empty"),
    "a public key": ({"sign_with": PUBLIC}, "record.sign_with: it is not a private key"),
    "a wrong passphrase": ({**SIGNED, "sign_passphrase": "another one"}, "or record.sign_passphrase is wrong"),
    "no passphrase": ({**SIGNED, "sign_passphrase": None}, "no record.sign_passphrase is given"),
    "a passphrase alone": ({"sign_passphrase": PASSPHRASE}, "record.sign_passphrase: it belongs to a private key"),
    "nothing to sign": ({**SIGNED, "attach": False}, "record.sign_with: only attached records are signed"),
}


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("what", UNUSABLE)
def test_a_key_that_can_not_be_used_fails_before_anything_is_asked(
    source: RegistryServer, registry: RegistryServer, options: Plain, what: str, check: bool
) -> None:
    changes, words = UNUSABLE[what]
    failed = fail("image_copy", {**options, "record": {**RECORD, **changes}}, check=check)
    assert words in failed["msg"], failed["msg"]
    assert not registry.requests and not source.requests
    shown = shown_of(failed)
    secrets = [line for line in SIGNED["sign_with"].splitlines() if not line.startswith("-")]
    assert not [secret for secret in (*secrets, PASSPHRASE, "another one") if secret in shown]


def test_a_module_that_only_compares_takes_the_same_dictionary(options: Plain) -> None:
    assert succeed("image_diff_info", {**options, "record": SIGNED})["images"][0]["action"] == "promote"


def test_no_secret_is_returned_logged_or_pushed(
    registry: RegistryServer, options: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda self, *said, **more: logged.append(f"{said} {more}"))
    awkward = 'it\'s "quoted" \\ and long'
    record = {**SIGNED, "sign_with": private_pem(KEY, awkward), "sign_passphrase": awkward}
    # ansible-core before 2.22 always returns the options.
    asked = {} if _masking.register_secret is None else {"_ansible_inject_invocation": True}
    done = printed_by("image_copy", {**options, "record": record, **asked}, diff=True)
    assert told(done) == [True] and done["invocation"]["module_args"]["record"]["environment"] == "staging"
    lines = [line for line in record["sign_with"].splitlines() if not line.startswith("-")]
    shown = f"{shown_of(done)} {logged} {registry.blobs} {registry.manifests}"
    assert logged and "record" in str(logged)
    secrets = [*lines, awkward, repr(awkward)[1:-1], json.dumps(awkward)[1:-1], "BEGIN ENCRYPTED"]
    assert not [secret for secret in secrets if secret in shown]


UNWRITABLE = {
    "surrogates": ("labels", {"bad\ud800": "\ud800x"}, {"bad?": "?x"}),
    "numbers": (
        "images[0].config.config.limits",
        {"memory": float("nan"), "cpu": -float("inf")},
        {"memory": None, "cpu": None},
    ),
    "literals": ('`[1e999, "\\ud800"]`', {}, [None, "?"]),
}


@pytest.mark.parametrize("what", UNWRITABLE)
@pytest.mark.parametrize("kept", ["file", "referrer"])
def test_what_a_gate_gave_can_always_be_written(
    source: RegistryServer, registry: RegistryServer, options: Plain, tmp_path: pathlib.Path, what: str, kept: str
) -> None:
    that, chosen, value = UNWRITABLE[what]
    inner = {"Labels": chosen} if what == "surrogates" else {"limits": chosen}
    config = json.dumps({"os": "linux", "architecture": "amd64", "config": inner}).encode()
    source.add_image("a/b:1.0", config=config)
    gates = [{"name": "n", "that": that, "msg": "m", "severity": "warning"}]
    record = {**RECORD, "attach": kept == "referrer", **({"path": str(tmp_path)} if kept == "file" else {})}
    done = succeed("image_copy", {**options, "gates": gates, "record": record})
    place = {"path": str(tmp_path)} if kept == "file" else {**registry.options, "repository": "a/b", "tag": "1.0"}
    (found,) = succeed("promotion_info", place)["promotions"]
    (gate,) = found["images"][0]["gates"]
    assert gate == {"name": "n", "passed": False, "severity": "warning", "value": value, "message": "m"}
    assert done["images"][0]["gates"] == [gate]
