# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of referrers that are empty, incomplete, wrong, denied or immutable: what is copied is found, or it fails."""

from __future__ import annotations

import base64
import functools
import json
from typing import Any

from content import Side
from played import RUN, Judge, Place, Row, Seen, both, changed, read, says
from runs import Plain, check, connection, state_at, task
from signed_images import SPDX, list_of, tag_of
from signing import BUNDLE, bundle, key_of, referrer

from images import OCI_INDEX, Manifest, image, layer
from seeding import Pusher

SUBJECT = image([layer("referrer-lists", 3000)], "referrer-lists")
SIGNATURE = bundle(key_of("referrer-lists"), SUBJECT)
REFERRERS = [SIGNATURE, *(referrer(SPDX, b'{"name":"%d"}' % number, SUBJECT) for number in range(3))]
DIGESTS = {entry.digest for entry in REFERRERS}
LIST = tag_of(SUBJECT.digest)
TAG = "1.0"
BROKEN = Manifest(OCI_INDEX, b'{"schemaVersion":2,"mediaType":"%s","manifests":[],"manifests":[]}' % OCI_INDEX.encode())


# What there is before ------------------------------------------------------------------------------------------------


def untyped(*manifests: Manifest) -> Manifest:
    """A list of referrers that says nothing of their types."""
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry.descriptor() for entry in manifests]}
    return Manifest(OCI_INDEX, json.dumps(body, separators=(",", ":")).encode())


@functools.cache
def there(at: Place, *referrers: Manifest, listed: Manifest | None = None, registry: str = "faulty") -> Place:
    """Push the image, these referrers, and a list under the tag, past the faults. Returns the same place."""
    state = state_at()
    with Pusher(state.registry(registry), str(state.ca_path)) as pusher:
        pusher.push_manifest(at.repository, SUBJECT, TAG)
        for entry in referrers:
            pusher.push_manifest(at.repository, entry, entry.digest)
        if listed is not None:
            pusher.push_manifest(at.repository, listed, LIST)
    return at


def source() -> str:
    """The image with all its referrers, in a registry that has no referrers API."""
    place = Place(f"referrer-lists-{RUN}", SUBJECT.digest)
    return there(place, *REFERRERS, listed=list_of(*REFERRERS), registry="dev").repository


# Tasks ---------------------------------------------------------------------------------------------------------------


def bring(at: Place, registry: str = "faulty", *, check_mode: bool = False, **options: Any) -> Plain:
    """Copy the image with its referrers to the place of a row."""
    item = {"repository": source(), "tag": TAG, "destination_repository": at.repository}
    ends = connection(registry, source=connection("dev"), jobs=8)
    return task("image_copy", {**ends, "images": [item], **options}, check_mode=check_mode)


def take_away(at: Place, **options: Any) -> Plain:
    """Copy the image of the row's place, with its referrers, to another registry."""
    item = {"repository": at.repository, "tag": TAG}
    return task("image_copy", connection("prod", source=connection("faulty"), images=[item], **options))


def look(at: Place, registry: str = "faulty", **more: Any) -> Plain:
    return read("referrer_info", at, registry, digest=SUBJECT.digest, **more)


def bring_and_look(at: Place, registry: str = "faulty") -> list[Plain]:
    """Copy, look as check mode does, copy again, and list what is there."""
    again = {"compare_artifacts": True}
    return [
        bring(at, registry),
        bring(at, registry, check_mode=True, **again),
        bring(at, registry, verify="blobs", repair=True, **again),
        look(at, registry),
    ]


def push_by_module(at: Place) -> list[Plain]:
    """A referrer, by the module manifest; what it refers to is there."""
    blobs = [{"digest": blob.digest, "size": blob.size} for blob in SIGNATURE.blobs]
    group = {"repository": at.repository, "source_repository": source(), "blobs": blobs}
    content = base64.b64encode(SIGNATURE.body).decode()
    return [
        task("blob", connection("faulty", source=connection("dev"), blobs=[group])),
        read("manifest", at, content_base64=content),
    ]


# What must come of them ----------------------------------------------------------------------------------------------


def finds(by: str, digests: set[str] = DIGESTS, kind: str = "") -> Judge:
    """The last task lists these."""

    def judge(seen: Seen) -> None:
        result = seen.results[-1]
        check(not result["failed"], f"it fails: {seen.message}")
        found = {entry["digest"] for entry in result["referrers"]}
        check((result["found_by"], found) == (by, digests), f"by {result['found_by']!r}, not {by!r}: {found}")
        types = {entry["artifact_type"] for entry in result["referrers"]}
        check(not kind or types == {kind}, f"the types are {types}")

    return judge


def copies(*expected: bool) -> Judge:
    """What all tasks but the last, which only looks, say of a change."""
    return lambda seen: changed(*expected)(seen._replace(results=seen.results[:-1]))


def brought(by: str) -> Judge:
    """The first copy changed something, the others nothing; and all referrers are listed."""
    return both(copies(True, False, False), finds(by))


def pushes(number: int) -> Judge:
    """Every referrer was pushed so many times."""

    def judge(seen: Seen) -> None:
        found = [entry["path"].rpartition("/")[2] for entry in seen.requests if entry["method"] == "PUT"]
        counts = {found.count(digest) for digest in DIGESTS}
        check(counts == {number}, f"they were pushed {counts} times")

    return judge


def under_the_tag(name: str) -> Judge:
    """Other clients find the list under the tag, too."""

    def judge(seen: Seen) -> None:
        content = Side("faulty", f"{name}-{RUN}").manifest(LIST)
        listed = {entry["digest"] for entry in json.loads(content or b'{"manifests":[]}')["manifests"]}
        check(listed == DIGESTS, f"under the tag are {listed}")

    return judge


def says_so(*phrases: str) -> Judge:
    """The first task tells, of each referrer, what was tried before."""

    def judge(seen: Seen) -> None:
        told = seen.results[0]["given_up"]
        check({entry["digest"] for entry in told} == DIGESTS, f"given up: {told}")
        for entry in told:
            check(all(phrase in str(entry["given_up"]) for phrase in phrases), f"given up: {entry}")

    return judge


def no_tag(name: str) -> Judge:
    """The tag of the image hasn't moved."""

    def judge(seen: Seen) -> None:
        check(Side("faulty", f"{name}-{RUN}").manifest(TAG) is None, "the tag is there")

    return judge


def takes(*types: str) -> Judge:
    """The first task copies artifacts of these types, and no others."""

    def judge(seen: Seen) -> None:
        result = seen.results[0]
        check(not result["failed"], f"it fails: {result.get('msg')}")
        found = sorted(entry["artifact_type"] for entry in result["images"][0]["artifacts"])
        check(found == sorted(types), f"the types are {found}")

    return judge


def told_of_the_rest(seen: Seen) -> None:
    """All that can be named is taken, and a warning tells of what can't."""
    takes(BUNDLE, *[SPDX] * 3)(seen)
    warnings = seen.results[0].get("warnings", [])
    check(any("without a valid digest (1)" in str(text) for text in warnings), f"the warnings are {warnings}")


ROWS: list[Row] = [
    # Nobody lists what was pushed: we do, or it is an error.
    *(
        Row(
            name,
            faults,
            bring_and_look,
            both(brought("tag_schema"), under_the_tag(name), says_so("lists nothing", LIST)),
        )
        for name, faults in (
            ("lists-silent", "referrers-empty=silent"),
            ("lists-silent-promised", "referrers-empty=promised"),
        )
    ),
    Row(
        "lists-promised",
        "referrers-promised",
        bring_and_look,
        both(brought("tag_schema"), under_the_tag("lists-promised"), pushes(1)),
    ),
    Row(
        "lists-promised-module",
        "referrers-promised",
        lambda at: [*push_by_module(at), look(at)],
        finds("tag_schema", {SIGNATURE.digest}),
    ),
    # The registry's list has lost some.
    Row("lists-racing", "referrers-lost=racing+referrers-api", bring_and_look, both(brought("api"), pushes(1))),
    Row(
        "lists-lost",
        "referrers-lost=once+referrers-api",
        bring_and_look,
        both(brought("api"), pushes(2), says_so("pushed again")),
    ),
    Row(
        "lists-lost-before",
        "referrers-lost=seeded+referrers-api",
        lambda at: [
            bring(there(at, *REFERRERS), check_mode=True, compare_artifacts=True),
            bring(at, compare_artifacts=True),
            bring(at, compare_artifacts=True),
            look(at),
        ],
        both(copies(True, True, False), finds("api")),
    ),
    Row(
        "lists-lost-for-good",
        "referrers-lost=first+referrers-api",
        lambda at: [bring(at)],
        both(says("not list all of it as referrers", "pushed again"), no_tag("lists-lost-for-good")),
    ),
    Row(
        "lists-lost-for-good-module",
        "referrers-lost=first+referrers-api",
        lambda at: [bring(there(at, *REFERRERS[1:]), artifacts="none"), *push_by_module(at)],
        says("not list all of it as referrers"),
    ),
    # An empty list of the API at the source is not believed.
    Row(
        "lists-silent-source",
        "referrers-empty=silent",
        lambda at: [take_away(there(at, *REFERRERS, listed=list_of(*REFERRERS)))],
        takes(BUNDLE, *[SPDX] * 3),
    ),
    # The API has answered, and its second source can't be read: what the API said stands.
    *(
        Row(
            f"lists-tag-refused-{status}",
            f"referrers-empty=silent+referrers-tag-refused={status}",
            lambda at: [take_away(there(at, *REFERRERS, listed=list_of(*REFERRERS)))],
            takes(),
        )
        for status in ("400", "412")
    ),
    Row("lists-broken", "referrers-empty=silent", lambda at: [take_away(there(at, listed=BROKEN))], takes()),
    # Without the API, it is all there is.
    Row("lists-broken-alone", "", lambda at: [take_away(there(at, listed=BROKEN))], says(LIST, "twice")),
    # Types.
    *(
        Row(
            f"lists-{kind}",
            f"referrers-mistyped={kind}+referrers-api",
            lambda at: [take_away(there(at, *REFERRERS), artifacts=[BUNDLE]), look(at, artifact_type=BUNDLE)],
            both(takes(BUNDLE), finds("api", {SIGNATURE.digest}, BUNDLE)),
        )
        for kind in ("empty", "none")
    ),
    Row(
        "lists-untyped",
        "",
        lambda at: [
            take_away(there(at, *REFERRERS, listed=untyped(*REFERRERS)), artifacts=[BUNDLE]),
            look(at, artifact_type=BUNDLE),
        ],
        both(takes(BUNDLE), finds("tag_schema", {SIGNATURE.digest}, BUNDLE)),
    ),
    # The API is denied, and nothing else.
    *(
        Row(
            f"lists-denied-{status}-{registry}",
            f"referrers-denied={status}",
            functools.partial(bring_and_look, registry=registry),
            brought("tag_schema"),
            registry,
        )
        for status in ("401", "403")
        for registry in ("faulty", "faulty-token")
    ),
    Row(
        "lists-denied-source",
        "referrers-denied",
        lambda at: [take_away(there(at, *REFERRERS, listed=list_of(*REFERRERS)))],
        takes(BUNDLE, *[SPDX] * 3),
    ),
    Row(
        "lists-denied-password",
        "referrers-denied=401",
        lambda at: [look(at, "faulty-token", password="wrong-password")],
        says("does not accept"),
        "faulty-token",
    ),
    # What the API answers isn't a list.
    *(
        Row(
            f"lists-malformed-{form}",
            f"referrers-malformed={form}",
            bring_and_look,
            brought("tag_schema"),
        )
        for form in ("empty", "html", "list", "errors", "page")
    ),
    Row(
        "lists-malformed-source",
        "referrers-malformed=empty",
        lambda at: [take_away(there(at, *REFERRERS, listed=list_of(*REFERRERS)))],
        takes(BUNDLE, *[SPDX] * 3),
    ),
    Row(
        "lists-page-source",
        "referrers-malformed=page",
        lambda at: [take_away(there(at, *REFERRERS))],
        says("list the referrers", "the page 'Log in' in HTML was answered", "Signatures may be there"),
    ),
    Row(
        "lists-page-source-tag",
        "referrers-malformed=page",
        lambda at: [take_away(there(at, *REFERRERS, listed=list_of(*REFERRERS)))],
        takes(BUNDLE, *[SPDX] * 3),
    ),
    # A list that is bad in part.
    Row(
        "lists-bare",
        "referrers-malformed=entry+referrers-api",
        lambda at: [{**take_away(there(at, *REFERRERS)), "warns": True}],
        told_of_the_rest,
    ),
    # The API fails.
    Row(
        "lists-failing-before",
        "referrers-failing=before+referrers-api",
        lambda at: [bring(at, retries=0), look(at)],
        both(copies(True), finds("api")),
    ),
    Row(
        "lists-failing",
        "referrers-failing=always+referrers-api",
        lambda at: [bring(at, retries=0)],
        both(says("no referrers today"), no_tag("lists-failing")),
    ),
    Row(
        "lists-failing-source",
        "referrers-failing=always+referrers-api",
        lambda at: [take_away(there(at, *REFERRERS), retries=0)],
        says("no referrers today"),
    ),
    # It lists later.
    Row("lists-late", "referrers-late+referrers-api", bring_and_look, both(brought("api"), pushes(2))),
    # The list is a tag, and tags are immutable.
    *(
        Row(
            f"lists-immutable-{form}",
            f"immutable-tags={form}",
            lambda at: [bring(there(at, SIGNATURE, listed=list_of(SIGNATURE)), compare_artifacts=True)],
            says(
                f"under the tag {LIST}: the registry refuses to store this list: ",
                "exempt those that begin with sha256-",
            ),
        )
        for form in ("ecr", "harbor", "quay", "acr", "artifactory")
    ),
]
