# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Types of manifests, and what registries say about them: refusals, policies, throttling, notices."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from content import Side
from played import IMAGE, OTHER, RUN, TAG, Judge, Place, Row, Seen, both, changed, copy, read, returns, says
from runs import PROMOTE, REGISTRIES, Plain, check, connection, playbook, seed, task

from fault_control import FaultControl
from faults.media_types import ForeignReferrer
from images import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST

MULTI = seed("dev", "multi", "differences", images=1)[0]
LIST = seed("dev", "docker-list", "differences", images=1)[0]
NESTED = seed("dev", "nested", "differences", images=1)[0]
NOTICE = "This repository is going to be removed"
WINDOWS = ("10.0.17763.5329", "10.0.20348.2227")


def copy_from(at: Place, **more: Any) -> Plain:
    """A copy of the image of a row to another registry, which has nothing of it."""
    image = {"repository": at.repository, **({} if "digest" in more else {"tag": TAG}), **more}
    return task("image_copy", connection("dev", source=connection("faulty"), images=[image]))


def once(at: Place) -> Plain:
    """A copy that tries nothing again."""
    image = {"repository": IMAGE["repository"], "tag": TAG, "destination_repository": at.repository}
    return task("image_copy", connection("faulty", source=connection("dev"), retries=0, images=[image]))


def left_out(kind: str) -> Judge:
    """The image is copied, and what is around it left out for the reason that it has."""

    def judge(seen: Seen) -> None:
        for result in seen.results:
            check(not result["failed"], f"it fails: {result.get('msg')}")
        (artifact,) = seen.results[0]["images"][0]["artifacts"]
        check(artifact["action"] == "left_out", f"the artifact is {artifact}")
        check(ForeignReferrer.types[kind] in artifact["reason"], f"its type is not in: {artifact['reason']}")
        check("does not have it" not in artifact["reason"], f"the reason is {artifact['reason']}")

    return judge


def index_of_windows(at: Place) -> bytes:
    """An index of two images that differ in their os.version only."""
    entries = []
    for image, version in zip((IMAGE, OTHER), WINDOWS):
        size = len(Side("dev", image["repository"]).manifest(image["tag"]) or b"")
        platform = {"os": "windows", "architecture": "amd64", "os.version": version}
        entries.append({"mediaType": OCI_MANIFEST, "digest": image["digest"], "size": size, "platform": platform})
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


def windows(at: Place) -> list[Plain]:
    return [
        copy(at, IMAGE),
        copy(at, OTHER, tags=["other"]),
        read("manifest", at, content_base64=base64.b64encode(index_of_windows(at)).decode()),
        read("tag", at, tag="windows", digest="sha256:" + hashlib.sha256(index_of_windows(at)).hexdigest()),
        copy_from(at, tag="windows", platforms=["windows/amd64"], flatten=True),
    ]


def warns(seen: Seen) -> None:
    """What the registry tells its users is one warning of the task, however often it tells it."""
    expected = [f'The registry {REGISTRIES["faulty"]["address"]} says: "{NOTICE}"']
    found = [
        # Newer releases of ansible-core know more of a warning than its text.
        warning["event"]["msg"] if isinstance(warning, dict) else warning
        for warning in seen.results[-1].get("warnings", [])
    ]
    check(found == expected, f"the warnings are {found}, not {expected}")


MEDIA_TYPES: list[Row] = [
    *(
        Row(f"foreign-{kind}", f"foreign-referrer={kind}", lambda at: [copy_from(at)], left_out(kind), has_image=True)
        for kind in ForeignReferrer.choices
    ),
    Row("wrong-type", "wrong-type", lambda at: [copy_from(at), copy_from(at)], changed(True, False), has_image=True),
    Row(
        "wrong-type-of-child",
        "wrong-type",
        lambda at: [copy(at, MULTI), copy_from(at, tag=MULTI["tag"]), copy(at, MULTI, tags=["again"])],
        changed(True, True, True),
    ),
    Row(
        "wrong-type-everywhere",
        "wrong-type=all",
        lambda at: [copy_from(at)],
        says(f"says that it is {OCI_MANIFEST}, but it was given as "),
        has_image=True,
    ),
    Row(
        "docker-list",
        "type-refused",
        lambda at: [copy(at, LIST)],
        says(f"does not take manifests of the type {DOCKER_LIST}: MANIFEST_INVALID", "Push to a registry that takes"),
    ),
    Row(
        "nested",
        "type-refused=nested",
        lambda at: [copy(at, NESTED)],
        says("(a nested index): MANIFEST_INVALID", "Copy the inner indexes separately"),
    ),
    Row(
        "policy-pull",
        "policy",
        lambda at: [read("manifest_info", at, tag=TAG, include=["children"])],
        says("a policy of the registry forbids it: PROJECTPOLICYVIOLATION: current image is not scanned", "the policy"),
        has_image=True,
    ),
    Row(
        "policy-push",
        "policy=push",
        lambda at: [copy(at)],
        says("a policy of the registry forbids it: PROJECTPOLICYVIOLATION: current image is not scanned", "the policy"),
    ),
    *(
        Row(f"throttled-{who}", f"throttled={who}", lambda at: [copy(at), copy(at)], changed(True, False))
        for who in ("pulp", "harbor")
    ),
    Row(
        "throttled-for-good",
        "throttled",
        lambda at: [once(at)],
        says("answer 429", "UNSUPPORTED: Request was throttled"),
    ),
    Row(
        "os-version",
        "",
        windows,
        says(
            "has 2 images for windows/amd64, and flatten takes one; they differ in os.version",
            *(
                f"{image['digest']} (windows/amd64, os.version {version})"
                for image, version in zip((IMAGE, OTHER), WINDOWS)
            ),
            "Give the digest of one of them",
        ),
    ),
    Row(
        "notice",
        "notice",
        lambda at: [{**read("tag_info", at), "warns": True}],
        both(warns, returns(exists=True)),
        has_image=True,
    ),
    Row(
        "notice-of-a-failure",
        "notice+deletes-off",
        lambda at: [{**read("manifest", at, digest=at.digest, state="absent"), "warns": True}],
        both(warns, says("deletes switched off")),
        has_image=True,
    ),
]


def notices_through_the_role() -> None:
    """A user of the role sees them, too, and each once."""
    name = f"notice-role-{RUN}"
    FaultControl(REGISTRIES["faulty"]["faults_path"]).switch({"": "", name: "notice"})
    variables = {
        "promote_source": connection("dev"),
        "promote_destination": connection("faulty"),
        "promote_images": [{"repository": IMAGE["repository"], "tag": TAG, "destination_repository": name}],
    }
    done = playbook(PROMOTE, variables, noise=True)
    told = " ".join(done.output.split())
    check(told.count(NOTICE) == 1, f"it is told {told.count(NOTICE)} times:\n{done.output}")
