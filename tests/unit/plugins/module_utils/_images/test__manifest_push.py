# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import threading
import time
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._deletion import Patience
from ansible_collections.imageops.registry.plugins.module_utils._blobs._missing_repositories import MissingRepositories
from ansible_collections.imageops.registry.plugins.module_utils._end._last_look import LastLook, no_look
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import Referrers, referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._images._manifest_push import (
    ManifestItem,
    ManifestOutcome,
    ManifestPush,
    push_manifests,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    Conflict,
    NotFound,
    ProtocolViolation,
    ReferencesMissing,
    RegistryError,
    UnexpectedAnswer,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.plugins.module_utils._run._parallel import StepGraph
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    DIGEST,
    LAYER,
    descriptor,
    encoded,
    errors,
    image,
    index,
    transport,
)
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

Serve = t.Callable[..., ScriptedServer]
IMAGE = encoded(image())
IMAGE_DIGEST = compute_digest(IMAGE)
INDEX = encoded(index(descriptor(IMAGE, OCI_MANIFEST)))
INDEX_DIGEST = compute_digest(INDEX)
TREE = [ManifestItem("a", IMAGE_DIGEST, content=IMAGE), ManifestItem("a", INDEX_DIGEST, content=INDEX)]


def actions(outcomes: t.Sequence[ManifestOutcome | RegistryError]) -> list[t.Any]:
    return [type(outcome) if isinstance(outcome, RegistryError) else outcome.action for outcome in outcomes]


def test_manifests_are_pushed_by_digest_in_their_order() -> None:
    registry = FakeRegistry()
    outcomes = push_manifests(registry.client, TREE, None, check=False)
    assert outcomes == [
        ManifestOutcome("a", IMAGE_DIGEST, OCI_MANIFEST, len(IMAGE), "push"),
        ManifestOutcome("a", INDEX_DIGEST, OCI_INDEX, len(INDEX), "push"),
    ]
    assert registry.writes == [f"PUT a {IMAGE_DIGEST}", f"PUT a {INDEX_DIGEST}"]
    assert registry.manifests["a", INDEX_DIGEST].content == INDEX


def test_what_is_there_is_left_alone() -> None:
    registry = FakeRegistry()
    registry.add("a", image())
    outcomes = push_manifests(registry.client, TREE, None, check=False)
    assert actions(outcomes) == ["exists", "push"]
    assert outcomes[0] == ManifestOutcome("a", IMAGE_DIGEST, OCI_MANIFEST, len(IMAGE), "exists")


def test_what_is_there_under_a_wrong_type_is_listed_for_its_subject_all_the_same() -> None:
    registry = FakeRegistry()
    registry.referrers_api = False
    signed = encoded(image(subject=descriptor(IMAGE, OCI_MANIFEST)))
    digest = compute_digest(signed)
    registry.found[digest] = Descriptor(DOCKER_MANIFEST, digest, len(signed))
    (outcome,) = push_manifests(registry.client, [ManifestItem("a", digest, content=signed)], None, check=False)
    assert isinstance(outcome, ManifestOutcome)
    assert (outcome.action, outcome.media_type) == ("exists", OCI_MANIFEST)
    assert outcome.referrers_tag == referrers_tag(IMAGE_DIGEST)


def test_a_manifest_that_is_there_after_a_failure_was_pushed(server: ScriptedServer) -> None:
    target = f"/v2/a/manifests/{IMAGE_DIGEST}"
    stored = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": IMAGE_DIGEST}
    server.expect("HEAD", target, 404).expect("PUT", target, 503, times=2).expect("HEAD", target, 200, IMAGE, stored)
    client = Registry(transport(server.host, retries=1), writing=True)
    assert actions(push_manifests(client, TREE[:1], None, check=False)) == ["push"]


def test_a_manifest_that_is_not_there_after_a_failure_was_not_pushed(server: ScriptedServer) -> None:
    target = f"/v2/a/manifests/{IMAGE_DIGEST}"
    server.expect("HEAD", target, 404).expect("PUT", target, 503)
    server.expect("HEAD", target, 404).expect("GET", target, 404)
    client = Registry(transport(server.host, retries=0), writing=True)
    (outcome,) = push_manifests(client, TREE[:1], None, check=False)
    assert isinstance(outcome, UnexpectedAnswer) and outcome.status == 503


def test_a_failure_for_good_is_not_looked_after(server: ScriptedServer) -> None:
    target = f"/v2/a/manifests/{IMAGE_DIGEST}"
    server.expect("HEAD", target, 404).expect("PUT", target, 403)
    client = Registry(transport(server.host, retries=0), writing=True)
    assert actions(push_manifests(client, TREE[:1], None, check=False)) == [AccessDenied]


def test_check_mode_writes_nothing_and_needs_nothing_to_be_there() -> None:
    registry = FakeRegistry()
    assert actions(push_manifests(registry.client, TREE, None, check=True)) == ["push", "push"]
    assert registry.writes == []


def test_without_content_a_manifest_is_read_from_the_source() -> None:
    source, registry = FakeRegistry(), FakeRegistry()
    source.add("s", image())
    source.add("a", index(descriptor(IMAGE, OCI_MANIFEST)))
    items = [ManifestItem("a", IMAGE_DIGEST, "s"), ManifestItem("a", INDEX_DIGEST)]
    assert actions(push_manifests(registry.client, items, source.client, check=False)) == ["push", "push"]
    assert source.calls == [f"GET s {IMAGE_DIGEST}", f"GET a {INDEX_DIGEST}"]


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        (ManifestItem("a", IMAGE_DIGEST), NotFound),
        (ManifestItem("a", IMAGE_DIGEST, content=INDEX), ProtocolViolation),
        (ManifestItem("a", IMAGE_DIGEST, media_type=OCI_INDEX, content=IMAGE), RegistryError),
        (ManifestItem("a", compute_digest(b"x"), content=b"x"), RegistryError),
    ],
)
def test_what_is_no_manifest_of_that_digest_is_not_pushed(item: ManifestItem, kind: type[RegistryError]) -> None:
    registry = FakeRegistry()
    (outcome,) = push_manifests(registry.client, [item], None, check=False)
    assert isinstance(outcome, kind)
    assert str(outcome).startswith(f"Cannot push r.example/a@{item.digest}: ")
    assert registry.writes == []


def test_an_index_whose_child_failed_is_not_pushed() -> None:
    registry = FakeRegistry()
    registry.failing[f"PUT a {IMAGE_DIGEST}"] = AccessDenied("no")
    outcomes = push_manifests(
        registry.client, [*TREE, *(item._replace(repository="b") for item in TREE)], None, check=False
    )
    assert actions(outcomes) == [AccessDenied, Conflict, "push", "push"]
    assert f"its manifest {IMAGE_DIGEST} could not be pushed" in str(outcomes[1])


def registry_of(server: ScriptedServer, *, writing: bool = True) -> Registry:
    return Registry(transport(server.host, jobs=1, retries=0), writing=writing)


def missing(digest: str) -> dict[str, t.Any]:
    return errors("MANIFEST_BLOB_UNKNOWN", detail=digest)


def test_a_blob_that_the_registry_misses_after_all_is_sent_again(serve: Serve) -> None:
    origin, server = serve(), serve()
    target = f"/v2/a/manifests/{IMAGE_DIGEST}"
    server.expect("HEAD", target, 404).expect("PUT", target, 400, missing(DIGEST))
    server.expect("POST", "/v2/a/blobs/uploads/", 202, headers={"Location": "/u?s=1"})
    server.expect("PUT", "/u?s=1&digest=" + DIGEST.replace(":", "%3A"), 201)
    server.expect("PUT", target, 201)
    origin.expect("GET", f"/v2/s/blobs/{DIGEST}", 200, LAYER)
    item = ManifestItem("a", IMAGE_DIGEST, "s", content=IMAGE)
    (outcome,) = push_manifests(registry_of(server), [item], registry_of(origin, writing=False), check=False)
    assert isinstance(outcome, ManifestOutcome)
    assert (outcome.action, outcome.uploaded_again) == ("push", (DIGEST,))
    assert server.requests[3].body == LAYER


@pytest.mark.parametrize(("there", "sent"), [((False, True), 1), ((True, True), 2)], ids=["one", "all"])
def test_blobs_that_are_missed_and_not_named_are_looked_for_and_sent_again(
    serve: Serve, there: tuple[bool, ...], sent: int
) -> None:
    origin, server = serve(), serve()
    target = f"/v2/a/manifests/{IMAGE_DIGEST}"
    server.expect("HEAD", target, 404).expect("PUT", target, 400, errors("MANIFEST_BLOB_UNKNOWN"))
    blobs = Manifest.parse(IMAGE).blobs()
    contents = {blob.digest: content for blob, content in zip(blobs, (CONFIG, LAYER))}
    for blob, found in zip(blobs, there):
        server.expect("HEAD", f"/v2/a/blobs/{blob.digest}", 200 if found else 404, length=str(blob.size))
    for number, blob in enumerate(blobs[:sent]):
        server.expect("POST", "/v2/a/blobs/uploads/", 202, headers={"Location": f"/u?s={number}"})
        server.expect("PUT", f"/u?s={number}&digest=" + blob.digest.replace(":", "%3A"), 201)
        origin.expect("GET", f"/v2/s/blobs/{blob.digest}", 200, contents[blob.digest])
    server.expect("PUT", target, 201)
    item = ManifestItem("a", IMAGE_DIGEST, "s", content=IMAGE)
    (outcome,) = push_manifests(registry_of(server), [item], registry_of(origin, writing=False), check=False)
    assert isinstance(outcome, ManifestOutcome)
    assert outcome.uploaded_again == tuple(blob.digest for blob in blobs[:sent])


@pytest.mark.parametrize("with_source", [True, False])
def test_a_reference_that_can_not_be_sent_again_is_an_error(serve: Serve, with_source: bool) -> None:
    origin, server = serve(), serve()
    target = f"/v2/a/manifests/{INDEX_DIGEST}"
    server.expect("HEAD", target, 404).expect("PUT", target, 404, missing(IMAGE_DIGEST if with_source else DIGEST))
    if with_source:
        server.expect("HEAD", f"/v2/a/manifests/{IMAGE_DIGEST}", 404)
        server.expect("GET", f"/v2/a/manifests/{IMAGE_DIGEST}", 404)
    source = registry_of(origin, writing=False) if with_source else None
    (outcome,) = push_manifests(registry_of(server), [TREE[1]], source, check=False)
    assert isinstance(outcome, ReferencesMissing)


def test_a_child_that_is_there_although_the_registry_missed_it_is_no_error(serve: Serve) -> None:
    server = serve()
    target, child = f"/v2/a/manifests/{INDEX_DIGEST}", f"/v2/a/manifests/{IMAGE_DIGEST}"
    server.expect("HEAD", target, 404).expect("PUT", target, 400, missing(IMAGE_DIGEST))
    there = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": IMAGE_DIGEST}
    server.expect("HEAD", child, 200, headers=there, length=str(len(IMAGE))).expect("PUT", target, 201)
    (outcome,) = push_manifests(registry_of(server), [TREE[1]], None, check=False)
    assert isinstance(outcome, ManifestOutcome)
    assert (outcome.action, outcome.uploaded_again) == ("push", ())


def test_a_registry_that_misses_a_blob_again_is_an_error(serve: Serve) -> None:
    origin, server = serve(), serve()
    target = f"/v2/a/manifests/{IMAGE_DIGEST}"
    server.expect("HEAD", target, 404).expect("PUT", target, 400, missing(DIGEST))
    server.expect("POST", "/v2/a/blobs/uploads/", 202, headers={"Location": "/u?s=1"})
    server.expect("PUT", "/u?s=1&digest=" + DIGEST.replace(":", "%3A"), 201)
    server.expect("PUT", target, 400, missing(DIGEST))
    origin.expect("GET", f"/v2/a/blobs/{DIGEST}", 200, LAYER)
    (outcome,) = push_manifests(registry_of(server), [TREE[0]], registry_of(origin, writing=False), check=False)
    assert isinstance(outcome, ReferencesMissing)


def test_repositories_are_worked_on_side_by_side_and_outcomes_keep_their_order() -> None:
    registry = FakeRegistry(jobs=4)
    items = [item._replace(repository=name) for item in TREE for name in "abcdefgh"]
    outcomes = push_manifests(registry.client, items, None, check=False)
    assert [(o.repository, o.digest) for o in outcomes if isinstance(o, ManifestOutcome)] == [
        (item.repository, item.digest) for item in items
    ]


def test_manifests_keep_their_bytes() -> None:
    content = IMAGE + b"\n\n"
    registry = FakeRegistry()
    push_manifests(registry.client, [ManifestItem("a", compute_digest(content), content=content)], None, check=False)
    assert Manifest.parse(content).content == registry.manifests["a", compute_digest(content)].content


# The list of referrers ------------------------------------------------------------------------------------------------

REFERRER = encoded(image(artifactType="application/spdx+json", subject=descriptor(IMAGE, OCI_MANIFEST)))
REFERRER_DIGEST = compute_digest(REFERRER)
LIST_TAG = referrers_tag(IMAGE_DIGEST)


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_without_the_api_a_referrer_is_listed_under_its_subject(given: bool, there: bool) -> None:
    registry, source = FakeRegistry(), FakeRegistry("dev.example")
    registry.referrers_api = False
    source.add("a", json.loads(REFERRER))
    if there:
        # A run before was cut off between the two.
        registry.add("a", json.loads(REFERRER))
    item = ManifestItem("a", REFERRER_DIGEST, content=REFERRER if given else None)
    (outcome,) = push_manifests(registry.client, [item], source.client, check=False)
    assert isinstance(outcome, ManifestOutcome)
    assert (outcome.action, outcome.referrers_tag) == ("exists" if there else "push", LIST_TAG)
    assert [child.digest for child in registry.manifests["a", LIST_TAG].children()] == [REFERRER_DIGEST]
    (again,) = push_manifests(registry.client, [item], source.client, check=False)
    assert isinstance(again, ManifestOutcome)
    assert (again.action, again.referrers_tag) == ("exists", "")


def test_a_registry_with_the_api_lists_by_itself() -> None:
    registry = FakeRegistry()
    item = ManifestItem("a", REFERRER_DIGEST, content=REFERRER)
    (outcome,) = push_manifests(registry.client, [item], None, check=False)
    assert isinstance(outcome, ManifestOutcome) and outcome.referrers_tag == ""
    assert registry.calls == [
        f"HEAD a {REFERRER_DIGEST}",
        f"PUT a {REFERRER_DIGEST}",
        f"REFERRERS a {IMAGE_DIGEST}",
    ]


def test_a_promise_to_list_a_referrer_is_looked_after() -> None:
    registry = FakeRegistry()
    registry.referrers_api = False
    assert registry.promises
    (outcome,) = push_manifests(
        registry.client, [ManifestItem("a", REFERRER_DIGEST, content=REFERRER)], None, check=False
    )
    assert isinstance(outcome, ManifestOutcome) and outcome.referrers_tag == LIST_TAG


@pytest.mark.parametrize("check", [True, False])
def test_a_referrer_that_is_there_and_not_listed_is_pushed_again(check: bool) -> None:
    registry = FakeRegistry()
    registry.add("a", json.loads(REFERRER))
    registry.lost[REFERRER_DIGEST] = 0
    item = ManifestItem("a", REFERRER_DIGEST, content=REFERRER)
    (outcome,) = push_manifests(registry.client, [item], None, check=check)
    assert isinstance(outcome, ManifestOutcome) and (outcome.action, outcome.referrers_tag) == (
        "push",
        LIST_TAG if check else "",
    )
    assert outcome.given_up == (
        () if check else ("The registry's list of referrers was without it, so it was pushed again.",)
    )
    assert registry.writes == ([] if check else [f"PUT a {REFERRER_DIGEST}"])


def test_a_referrer_that_only_the_tag_lists_has_a_word_about_it() -> None:
    registry = FakeRegistry()
    registry.promises = False
    registry.lost[REFERRER_DIGEST] = 100
    item = ManifestItem("a", REFERRER_DIGEST, content=REFERRER)
    (outcome,) = push_manifests(registry.client, [item], None, check=False)
    assert isinstance(outcome, ManifestOutcome) and (outcome.action, outcome.referrers_tag) == ("push", LIST_TAG)
    (told,) = outcome.given_up
    assert f"under the tag {LIST_TAG}" in told
    assert push_manifests(registry.client, [item], None, check=False) == [
        ManifestOutcome("a", REFERRER_DIGEST, OCI_MANIFEST, len(REFERRER), "exists")
    ]


def test_a_referrer_that_the_registry_never_lists_has_failed() -> None:
    registry = FakeRegistry()
    other = encoded(image(artifactType="application/other", subject=descriptor(IMAGE, OCI_MANIFEST)))
    registry.add("a", json.loads(other))
    registry.lost[REFERRER_DIGEST] = 100
    outcomes = push_manifests(
        registry.client,
        [TREE[0], ManifestItem("a", REFERRER_DIGEST, content=REFERRER)],
        None,
        check=False,
        patience=Patience(seconds=0),
    )
    assert actions(outcomes) == ["push", Conflict]


class OneAtATime(FakeRegistry):
    """Notes how many referrers of each subject are being pushed at the same time."""

    def __init__(self) -> None:
        super().__init__(jobs=8)
        self.lock = threading.Lock()
        self.pushing: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.both = threading.Barrier(2, timeout=10)

    def put_manifest(self, repository: str, reference: str, manifest: Manifest, last_look: LastLook = no_look) -> bool:
        subject = manifest.subject.digest if manifest.subject else ""
        with self.lock:
            self.pushing[subject] = self.pushing.get(subject, 0) + 1
            self.most[subject] = max(self.most.get(subject, 0), self.pushing[subject])
        if subject:
            # Those of different subjects meet here; those of one would meet one another as well.
            self.both.wait()
            time.sleep(0.01)
        with self.lock:
            self.pushing[subject] -= 1
            return super().put_manifest(repository, reference, manifest, last_look)


@pytest.mark.parametrize("given", [True, False])
def test_referrers_of_one_subject_are_pushed_one_after_another_and_those_of_others_meanwhile(given: bool) -> None:
    registry, source = OneAtATime(), FakeRegistry("dev.example")
    subjects = [IMAGE, INDEX] if given else [IMAGE]
    registry.both = threading.Barrier(len(subjects), timeout=10)
    items = []
    for number in range(4):
        for subject in subjects:
            document = image(artifactType=f"a/{number}", subject=descriptor(subject, OCI_MANIFEST))
            digest = source.add("a", document).digest
            items.append(ManifestItem("a", digest, content=encoded(document) if given or number % 2 else None))
    assert set(actions(push_manifests(registry.client, items, source.client, check=False))) == {"push"}
    assert registry.most == {compute_digest(subject): 1 for subject in subjects}


def test_a_list_that_can_not_be_kept_is_an_error_of_its_referrer() -> None:
    registry = FakeRegistry()
    registry.referrers_api = False
    registry.failing[f"PUT a {LIST_TAG}"] = AccessDenied("no")
    outcomes = push_manifests(
        registry.client, [TREE[0], ManifestItem("a", REFERRER_DIGEST, content=REFERRER)], None, check=False
    )
    assert actions(outcomes) == ["push", AccessDenied]


class WrittenOver(FakeRegistry):
    """Somebody who had read the list of referrers writes it over, after we have looked whether ours is in it."""

    def list_referrers(self, repository: str, digest: str) -> Referrers:
        found = super().list_referrers(repository, digest)
        if found.descriptors and not self.written_over:
            self.written_over = True
            self.manifests[repository, LIST_TAG] = Manifest.parse(encoded(index()))
        return found

    written_over = False


def test_a_list_that_was_written_over_is_looked_at_once_more() -> None:
    registry = WrittenOver()
    registry.referrers_api = False
    push_manifests(registry.client, [ManifestItem("a", REFERRER_DIGEST, content=REFERRER)], None, check=False)
    assert registry.written_over
    assert [child.digest for child in registry.manifests["a", LIST_TAG].children()] == [REFERRER_DIGEST]


class FailsLater(FakeRegistry):
    """Its list of referrers can't be read any more once it was found to be right."""

    def list_referrers(self, repository: str, digest: str) -> Referrers:
        found = super().list_referrers(repository, digest)
        if found.descriptors:
            self.failing[f"REFERRERS {repository} {digest}"] = UnexpectedAnswer("down", status=503)
        return found


def test_a_second_look_at_a_list_that_fails_is_told_beside_the_success() -> None:
    registry = FailsLater()
    registry.referrers_api = False
    (outcome,) = push_manifests(
        registry.client, [ManifestItem("a", REFERRER_DIGEST, content=REFERRER)], None, check=False
    )
    assert isinstance(outcome, ManifestOutcome)
    assert (outcome.action, outcome.referrers_tag, outcome.given_up) == ("push", LIST_TAG, ("down (answer 503).",))


class SilentApi(WrittenOver):
    """Its referrers API lists nothing, and the list under the tag is written over once."""

    def __init__(self) -> None:
        super().__init__()
        self.lost[REFERRER_DIGEST] = 100


def test_what_is_listed_twice_is_told_once() -> None:
    registry, slept = SilentApi(), [0.0]
    patience = Patience(clock=lambda: sum(slept), sleep=slept.append)
    item = ManifestItem("a", REFERRER_DIGEST, content=REFERRER)
    (outcome,) = push_manifests(registry.client, [item], None, check=False, patience=patience)
    assert registry.written_over
    assert registry.writes.count(f"PUT a {LIST_TAG}") == 2
    assert isinstance(outcome, ManifestOutcome) and len(outcome.given_up) == 1


def test_what_has_a_subject_that_could_not_be_pushed_is_not_pushed() -> None:
    registry = FakeRegistry()
    registry.failing[f"PUT a {IMAGE_DIGEST}"] = AccessDenied("no")
    referrer = encoded(image(subject=descriptor(IMAGE, OCI_MANIFEST)))
    items = [TREE[0], ManifestItem("a", compute_digest(referrer), content=referrer)]
    outcomes = push_manifests(registry.client, items, None, check=False)
    assert actions(outcomes) == [AccessDenied, Conflict]
    assert registry.writes == [f"PUT a {IMAGE_DIGEST}"]


def test_only_what_may_be_is_listed_under_its_subject() -> None:
    registry = FakeRegistry()
    registry.referrers_api = False
    graph = StepGraph()
    push = ManifestPush(registry.client, None, check=False)
    push.add_to(graph, [ManifestItem("a", REFERRER_DIGEST, content=REFERRER)])
    graph.run(1)
    assert actions(push.finish(lambda item: False)) == ["push"]
    assert registry.writes == [f"PUT a {REFERRER_DIGEST}"]


def test_what_is_known_to_be_missing_is_not_looked_for() -> None:
    registry = FakeRegistry()
    push_manifests(registry.client, [TREE[0]._replace(known_missing=True)], None, check=False)
    assert registry.calls == [f"PUT a {IMAGE_DIGEST}"]


def test_what_is_presumed_to_be_missing_is_not_looked_for_but_in_check_mode() -> None:
    for check, calls in ((False, [f"PUT a {IMAGE_DIGEST}"]), (True, [f"HEAD a {IMAGE_DIGEST}"])):
        registry = FakeRegistry()
        missing = MissingRepositories(registry.client)
        missing.consider(["a", "b"])
        assert missing.look("b", lambda: None) is None
        registry.calls.clear()
        graph = StepGraph()
        push = ManifestPush(registry.client, None, check=check, missing=missing)
        push.add_to(graph, [TREE[0]])
        graph.run(1)
        assert actions(push.finish()) == ["push"]
        assert registry.calls == calls
