# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries that the guide says were tried, and that need more than one program: Gitea and Pulp.

Optional: ``tests/registries/install-optional.sh gitea`` and ``... pulp`` install them. They have the
configuration of the guide.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import gitea_service
import pulp_service
from content import Side
from openssl_signatures import Keys
from runs import (
    CONFIG,
    OUTPUT,
    PROMOTE,
    REGISTRIES,
    Plain,
    call,
    check,
    connection,
    main,
    play,
    playbook,
    say,
    seed,
    task,
)
from services import Service
from signed_images import push_signed, signed

PROGRAMS = Path(CONFIG["registries_optional"])
KINDS = "single,docker,multi,docker-list,artifact"
SOURCE, BACK = "dev", "prod"
RECORD = "https://github.com/imageops/registry/promotion/v1"
RUN = f"other{time.time_ns()}"
"""New at every run: what an earlier one has copied from the registry would be equal."""
NAMES = ("Stable", "stable")
"""Two tags that differ in upper and lower case only."""
SERVICES: dict[str, Service] = {}
"""Those that run, by the name of their registry."""


class Other(NamedTuple):
    """A registry, and in what it differs from the others."""

    name: str
    service: ModuleType
    owner: str = ""
    """What its repositories must begin with."""
    refuses_nested: bool = False
    ignores_case: bool = False
    """Whether two tags that differ in upper and lower case only are the same."""
    deletes_tags: bool = False
    """Whether it deletes a tag alone."""
    deletes_listed: bool = False
    """Whether it deletes a manifest that an index lists."""
    stores_sha256_only: bool = False
    """Whether it takes a manifest by another digest, and has it under that of SHA-256 only."""
    mounts_untagged: bool = False
    """Whether a blob is mounted from a repository in which no image has it."""

    def place(self, name: str) -> str:
        return f"{self.owner}{RUN}/{name}"

    def run(self, module: str, options: Plain, *, fails: bool = False, **keywords: Any) -> Plain:
        """The result of a module that is called for this registry."""
        asked = task(module, {**connection(self.name), **options}, ignore_errors=fails, **keywords)
        done = call([asked]).of(module)
        check(done["failed"] is fails, f"{self.name}, {module}: {done}")
        return done

    def copy(self, images: list[Plain], *, check_mode: bool = False, **options: Any) -> Plain:
        """The images, from the registry of the tests."""
        whole = {"source": connection(SOURCE), "images": images, **options}
        return self.run("image_copy", whole, check_mode=check_mode)

    def digest(self, repository: str, tag: str) -> str:
        """What a tag points to; empty if it isn't there."""
        return str(self.run("manifest_info", {"repository": repository, "tag": tag})["digest"])


OTHERS = (
    Other(
        "gitea",
        gitea_service,
        "ci/",
        refuses_nested=True,
        ignores_case=True,
        deletes_tags=True,
        deletes_listed=True,
        stores_sha256_only=True,
        mounts_untagged=True,
    ),
    Other("pulp", pulp_service),
)


def named(images: list[Plain]) -> list[Plain]:
    """Seeded images as entries of ``images``."""
    return [{"repository": image["repository"], "tag": image["tag"]} for image in images]


def whole_images(other: Other) -> None:
    """Every kind of image with its artifacts arrives, is equal at a second run, and comes back byte for byte."""
    images = named(seed(SOURCE, KINDS, other.place("whole")))
    made = signed(other.place("signed"))._replace(repository=other.place("signed"))
    push_signed(SOURCE, made)
    images.append({"repository": made.repository, "tag": "1.0"})
    predicted = other.copy(images, check_mode=True)
    done = other.copy(images, verify="blobs", verify_content=True)
    check(done["changed"] and predicted["changed"], f"{done}")
    for before, after in zip(predicted["images"], done["images"]):
        for name in ("digest", "action", "tags", "artifacts"):
            check(before[name] == after[name], f"check mode said {before[name]}, then it was {after[name]}")
    again = other.copy(images, verify="blobs", compare_artifacts=True)
    check(not again["changed"], f"{again}")
    back = [{**image, "destination_repository": f"back/{image['repository']}"} for image in images]
    ends = {**connection(BACK), "source": connection(other.name)}
    call([task("image_copy", {**ends, "images": back})])
    for image, copied in zip(images, back):
        there = Side(SOURCE, image["repository"]).reachable(image["tag"])
        here = Side(BACK, copied["destination_repository"]).reachable(image["tag"])
        missing = {name for name, content in there.items() if here.get(name) != content}
        check(not missing, f"{image['repository']} came back without {missing}, or with other bytes")
    found = other.run("referrer_info", {"repository": made.repository, "tag": "1.0"})
    check(found["found_by"] == "tag_schema" and len(found["referrers"]) == 1, f"{found}")


def nested_index(other: Other) -> None:
    """An index in an index arrives, or one sentence says that it is refused."""
    images = named(seed(SOURCE, "nested", other.place("nested")))
    options = {"source": connection(SOURCE), "images": images}
    done = other.run("image_copy", options, fails=other.refuses_nested)
    if other.refuses_nested:
        check("(a nested index)" in done["msg"], f"{done['msg']}")
        check(not other.digest(images[0]["repository"], images[0]["tag"]), "a tag of it is there")
    else:
        check(not other.copy(images, verify="blobs")["changed"], "a second run changes something")


def other_algorithm(other: Other) -> None:
    """A manifest that is pushed by its SHA-512 digest is there under it, or the task fails and says why."""
    image = seed(SOURCE, "single", other.place("sha512"))[0]
    other.copy(named([image]))
    content = Side(SOURCE, image["repository"]).manifest(image["tag"]) or b""
    place = {"repository": image["repository"], "digest": f"sha512:{hashlib.sha512(content).hexdigest()}"}
    options = {**place, "content_base64": base64.b64encode(content).decode(), "media_type": image["media_type"]}
    for _time in range(2):
        done = other.run("manifest", options, fails=other.stores_sha256_only)
        check(not other.stores_sha256_only or "not under its sha512 digest" in done["msg"], f"{done}")
    check(other.run("manifest_info", place)["exists"] is not other.stores_sha256_only, f"{place}")


def tags(other: Other) -> None:
    """A tag is created, moved, and deleted: alone where the registry can, else with its manifest."""
    first, second = seed(SOURCE, "family", other.place("tags"), images=2)
    repository = other.place("tags/app")
    entries = enumerate(named([first, second]))
    other.copy([{**one, "destination_repository": repository, "tags": [f"v{number}"]} for number, one in entries])
    stable = {"repository": repository, "tag": "stable"}
    for digest, previous in ((first["digest"], ""), (second["digest"], first["digest"])):
        (moved,) = other.run("tag", {**stable, "digest": digest})["tags"]
        check(moved["previous_digest"] == previous and other.digest(repository, "stable") == digest, f"{moved}")
    check(not other.run("tag", {**stable, "digest": second["digest"]})["changed"], "it was moved again")
    absent = {**stable, "state": "absent"}
    if other.deletes_tags:
        check(other.run("tag", absent)["changed"], "nothing was deleted")
        left = ["v0", "v1"]
    else:
        refused = other.run("tag", absent, fails=True)
        check(refused["failures"][0]["needs_delete_manifest"], f"{refused}")
        check(other.run("tag", {**absent, "delete_manifest": True})["changed"], "nothing was deleted")
        left = ["v0"]
    check(not other.run("tag", absent)["changed"], "it was deleted again")
    found = other.run("tag_info", {"repository": repository})
    check(sorted(found["tags"]) == left, f"{found['tags']}")
    listed = other.run("repository_info", {})["repositories"]
    check(repository in listed, f"{repository} is not among {listed}")


def tags_in_two_cases(other: Other) -> None:
    """Two tags that differ in upper and lower case only serve two images, or a task that points both at them fails."""
    both = seed(SOURCE, "family", other.place("cases"), images=2)
    repository = other.place("cases/app")
    entries = [{**one, "destination_repository": repository} for one in named(both)]
    other.copy([{**one, "tags": [f"v{number}"]} for number, one in enumerate(entries)])
    tagged = [{"repository": repository, "tag": tag, "digest": one["digest"]} for tag, one in zip(NAMES, both)]
    images = [{**one, "tags": [tag]} for tag, one in zip(NAMES, entries)]
    attempts = [("tag", {"tags": tagged}), ("image_copy", {"source": connection(SOURCE), "images": images})]
    for module, options in 2 * attempts:
        done = other.run(module, options, fails=other.ignores_case)
        check(("upper and lower case" in str(done.get("msg"))) is other.ignores_case, f"{done}")
        check(not done.get("not_reverted"), f"{done}")


def deletes(other: Other) -> None:
    """What is deleted is gone, or is said to be pending; an image with a gap is found, and repaired."""
    image = seed(SOURCE, "multi", other.place("deletes"))[0]
    images = named([image])
    other.copy(images)
    child = {"repository": image["repository"], "digest": image["manifests"][0], "state": "absent"}
    done = other.run("manifest", child, warns=True)
    check(done["changed"] is other.deletes_listed, f"{done}")
    check(bool(done["manifests"][0].get("deletion_pending")) is not other.deletes_listed, f"{done}")
    blob = {"repository": image["repository"], "digest": image["blobs"][-1]["digest"], "state": "absent"}
    check(other.run("blob", blob)["changed"], "no blob was deleted")
    options = {"source": connection(SOURCE), "images": images, "verify": "blobs"}
    check("missing" in other.run("image_copy", options, fails=True)["msg"], "the gap was not found")
    check(other.copy(images, verify="blobs", repair=True)["changed"], "nothing was repaired")
    check(not other.copy(images, verify="blobs")["changed"], "a gap was left")
    top = {"repository": image["repository"], "digest": image["digest"], "state": "absent"}
    check(other.run("manifest", top)["changed"] and not other.run("manifest", top)["changed"], "not deleted once")
    check(other.copy(images, verify="blobs")["changed"], "the deleted image was not copied again")


def blobs(other: Other) -> None:
    """A blob in chunks, once more, mounted, and back."""
    content = os.urandom(3_000_000)
    path, read = OUTPUT / "blob", OUTPUT / f"blob-{other.name}"
    path.write_bytes(content)
    one, two = other.place("blobs/one"), other.place("blobs/two")
    options = {"repository": one, "path": str(path), "chunk_size": 1_000_000}
    sent = other.run("blob", options)
    check(sent["changed"] and sent["transfer"]["bytes_uploaded"] == len(content), f"{sent}")
    check(not other.run("blob", options)["changed"], "it was sent again")
    mounted = other.run("blob", {"repository": two, "path": str(path), "mount_from": [one]})["blobs"][0]["blobs"][0]
    check(mounted["action"] == ("mount" if other.mounts_untagged else "upload"), f"{mounted}")
    image = seed(SOURCE, "single", other.place("blobs/image"))[0]
    other.copy(named([image]))
    layer = {"digest": image["blobs"][-1]["digest"], "mount_from": [image["repository"]], "source": connection(SOURCE)}
    of_image = {"repository": other.place("blobs/three"), "source_repository": image["repository"], **layer}
    (mounted,) = other.run("blob", of_image)["blobs"][0]["blobs"]
    check(mounted["action"] == "mount", f"of a tagged image: {mounted}")
    other.run("blob_download", {"repository": two, "digest": sent["digest"], "dest": str(read)})
    check(read.read_bytes() == content, "other bytes came back")


def logins(other: Other) -> None:
    """A good login, a wrong password, and no login at all."""
    good = other.run("registry_info", {})
    check(good["logged_in"] and "bearer" in good["schemes"], f"{good}")
    wrong = other.run("registry_info", {"password": "wrong"}, fails=True)
    check(
        "does not accept the user name and password" in wrong["msg"] and "/token" in wrong["error"]["url"], f"{wrong}"
    )
    if other.owner:
        nowhere = other.run("blob", {"repository": "nobody/app", "content": "text"}, fails=True)
        check(nowhere["repository_missing"] and "or the project or owner" in nowhere["msg"], f"{nowhere}")
    if other.name == "gitea":
        token = gitea_service.token(SERVICES[other.name])
        pushed = other.run("blob", {"password": token, "repository": other.place("by-token"), "content": "text"})
        check(pushed["changed"], f"{pushed}")
    pushed = {**connection(other.name, None), "repository": other.place("anonymous"), "content": "text"}
    refused = call([task("blob", pushed, ignore_errors=True)]).of("blob")
    check("anonymous access does not include" in refused["msg"], f"{refused}")
    for module, options in (("manifest_info", {"tag": "1"}), ("tag_info", {})):
        absent = other.run(module, {"repository": other.place("absent"), **options})
        check(absent["exists"] is False, f"{absent}")


def records_and_rollback(other: Other) -> None:
    """Promoted with a signed record that verifies there; the next promotion goes back to the very digest."""
    keys = Keys(OUTPUT / f"keys-{other.name}")
    records = OUTPUT / f"records-{other.name}"
    records.mkdir()
    first, second = seed(SOURCE, "family", other.place("records"), images=2)
    repository = other.place("records/app")
    place = {"repository": repository, "tag": "stable"}
    record = {
        "path": str(records),
        "attach": True,
        "environment": "production",
        "sign_with": str(keys.path("p256.key")),
    }
    for image in (first, second):
        entry = {**named([image])[0], "destination_repository": repository, "tags": ["stable"]}
        ends = {"promote_source": connection(SOURCE), "promote_destination": connection(other.name)}
        playbook(PROMOTE, {**ends, "promote_images": [entry], "promote_record": record})
        rule = {"keys": [str(keys.path("p256.pub"))], "predicate_types": [RECORD]}
        check(other.run("signature_info", {**place, "signatures": [rule]})["verified"] is True, "not verified")
        (found,) = other.run("promotion_info", place)["promotions"]
        check(found["subjects"] == [image["digest"]] and found["outcome"] == "done", f"{found}")
    newest = max(records.glob("*.promotion.json"))
    role = {"name": "Go back", "ansible.builtin.include_role": {"name": "imageops.registry.rollback"}}
    given = {"rollback_destination": connection(other.name), "rollback_record": str(newest)}
    for changes in (True, False):
        done = playbook(play([role]), given).of("Keep what was done")["ansible_facts"]["rollback_result"]
        check(done["changed"] is changes, f"{done}")
        check(other.digest(repository, "stable") == first["digest"], "the tag did not go back")


def orphans(other: Other) -> None:
    """Pulp removes what is neither tagged nor listed by what is: that is found, and repaired. All else stays."""
    images = named(seed(SOURCE, "multi,nested", other.place("orphans")))
    by_digest = seed(SOURCE, "single", other.place("untagged"), seed=other.place("untagged"))[0]
    untagged = {"repository": by_digest["repository"], "digest": by_digest["digest"], "tags": []}
    other.copy([*images, untagged])
    check(pulp_service.clean_up(SERVICES[other.name]) > 0, "no orphan was removed")
    check(not other.copy(images[:1], verify="blobs", compare_artifacts=True)["changed"], "an orphan of a tagged index")
    gone = other.run("manifest_info", {"repository": by_digest["repository"], "digest": by_digest["digest"]})
    check(gone["exists"] is False, f"{gone}")
    options = {"source": connection(SOURCE), "images": images, "verify": "blobs"}
    check("missing" in other.run("image_copy", options, fails=True)["msg"], "what is missing was not found")
    check(other.copy(images, verify="blobs", repair=True)["changed"], "nothing was repaired")
    check(not other.copy(images, verify="blobs")["changed"], "something was not repaired")


STEPS: tuple[Callable[[Other], None], ...] = (
    logins,
    whole_images,
    nested_index,
    other_algorithm,
    tags,
    tags_in_two_cases,
    deletes,
    blobs,
    records_and_rollback,
)


def every_registry() -> None:
    """All steps at each registry that is installed."""
    for other in OTHERS:
        needed = other.service.missing(PROGRAMS)
        if needed:
            say(f"left out: {other.name} is not there ({needed})")
            continue
        with other.service.running(PROGRAMS) as SERVICES[other.name]:
            REGISTRIES[other.name] = SERVICES[other.name].entry
            for step in (*STEPS, *((orphans,) if other.name == "pulp" else ())):
                started = time.monotonic()
                step(other)
                say(f"{other.name}: {step.__name__} ({time.monotonic() - started:.1f} s)")


main([every_registry])
