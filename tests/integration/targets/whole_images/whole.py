# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole images: every kind of content, with its artifacts, between every pair of registries and in both directions."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

from content import Side
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
    playbook,
    say,
    seed,
    state_at,
    task,
)
from signed_images import KEY, SPDX, Signed, list_of, push_signed, signed, tag_of
from signing import bundle, key_of, referrer, signed_by_bundle, signed_by_tag

from images import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Blob, Manifest, content_blob, image, layer
from seeding import Pusher

KINDS = "single,docker,multi,docker-list,nested,artifact"
OTHER_KEY = key_of("another key")
COPIES = int(CONFIG["referrer_copies"])
RUN = secrets.token_hex(3)
"""In names of repositories that a second run must not find."""


class Way(NamedTuple):
    """From one registry to another, into other repositories."""

    source: str
    destination: str

    @property
    def prefix(self) -> str:
        return f"whole/{self.source}-{self.destination}"

    def items(self, images: list[Plain]) -> list[Plain]:
        return [
            {
                "repository": entry["repository"],
                "tag": entry["tag"],
                "destination_repository": "copied/" + entry["repository"],
            }
            for entry in images
        ]

    def copy(self, images: list[Plain], *, check_mode: bool = False, **options: Any) -> Plain:
        """One call of image_copy. Returns its result."""
        ends = {**connection(self.destination), "source": connection(self.source)}
        copying = task("image_copy", {**ends, "images": self.items(images), **options}, check_mode=check_mode)
        return call([copying]).of("image_copy")

    def promote(self, images: list[Plain], **variables: Any) -> Plain:
        """The role. Returns ``promote_result``."""
        ends = {
            "promote_source": connection(self.source),
            "promote_destination": connection(self.destination),
        }
        done = playbook(PROMOTE, {**ends, "promote_images": self.items(images), **variables})
        return dict(done.of("Keep what was done")["ansible_facts"]["promote_result"])

    def check_equal(self, images: list[Plain]) -> int:
        """All that is reachable from each tag is at the destination, byte for byte. Returns how much that was."""
        count = 0
        for entry in images:
            there = Side(self.source, entry["repository"]).reachable(entry["tag"])
            here = Side(self.destination, "copied/" + entry["repository"]).reachable(entry["tag"])
            missing = {name for name, content in there.items() if here.get(name) != content}
            check(not missing, f"{self}: {entry['repository']} lacks {sorted(missing)}, or has other bytes")
            count += len(there)
        return count


def ways() -> Iterator[Way]:
    names = [name for name in ("dev", "olareg") if name in REGISTRIES]
    for source in names:
        for destination in names:
            yield Way(source, "prod" if source == destination == "dev" else destination)


def matrix() -> None:
    """Content by pair by direction: by image_copy or by the role, and then once more."""
    for number, way in enumerate(ways()):
        images = seed(way.source, KINDS, way.prefix)
        made = signed(f"{way.source}-{way.destination}/signed")
        push_signed(way.source, made)
        images.append({"repository": made.repository, "tag": "1.0"})
        predicted = way.copy(images, check_mode=True)
        result = way.promote(images) if number % 2 else way.copy(images)
        check(result["changed"] and predicted["changed"], f"{way}: nothing was changed: {result}")
        for before, after in zip(predicted["images"], result["images"]):
            for name in ("digest", "action", "tags", "artifacts"):
                check(before[name] == after[name], f"{way}: check mode said {before[name]}, then it was {after[name]}")
        found = [entry for entry in result["images"][-1]["artifacts"] if entry["action"] == "copy"]
        check(len(found) == len(made.tags) + len(made.referrers), f"{way}: these artifacts were copied: {found}")
        count = way.check_equal(images)
        check_signatures(way, made)
        again = way.copy(images, compare_artifacts=True) if number % 2 else way.promote(images)
        check(again["changed"] is False, f"{way}: a second run changes something: {again}")
        say(f"{way.source} to {way.destination}: {count} manifests and blobs are equal, {len(found)} artifacts")


def check_signatures(way: Way, made: Signed) -> None:
    """Both kinds of signatures verify at the destination, against their key and no other."""
    side = Side(way.destination, "copied/" + made.repository)
    content = side.manifest(tag_of(made.index.digest, ".sig"))
    manifest = json.loads(content or b"{}")
    payloads = [side.blob(entry["digest"]) for entry in manifest["layers"]]
    check(signed_by_tag(KEY, manifest, payloads, made.index.digest), f"{way}: the signature by tag does not verify")
    check(not signed_by_tag(OTHER_KEY, manifest, payloads, made.index.digest), "another key verifies")
    (entry,) = side.referrers(made.images[0].digest)
    document = json.loads(side.manifest(entry["digest"]) or b"{}")
    bundled = side.blob(document["layers"][0]["digest"])
    check(signed_by_bundle(KEY, bundled, made.images[0].digest), f"{way}: the bundle does not verify")
    check(not signed_by_bundle(OTHER_KEY, bundled, made.images[0].digest), "another key verifies")


def signed_later() -> None:
    """An image that is signed after its promotion gets its signature where artifacts are compared."""
    for way in (next(ways()), *list(ways())[-2:-1]):
        made = signed(f"{way.source}-{way.destination}/later")
        images = [{"repository": made.repository, "tag": "1.0"}]
        push_signed(way.source, made._replace(tags={}, referrers=[]))
        way.copy(images)
        push_signed(way.source, made)
        ignored = way.copy(images)
        check(ignored["changed"] is False, f"{way}: {ignored}")
        check(ignored["images"][0]["artifacts_compared"] is False, f"{way}: artifacts were compared")
        # Somebody else's entry in the list at the destination must not be lost.
        own = bundle(OTHER_KEY, made.images[0])
        push_signed(way.destination, Signed("copied/" + made.repository, made.index, (), {}, [(made.images[0], own)]))
        result = way.promote(images, promote_compare_artifacts=True)
        check(result["changed"] is True, f"{way}: {result}")
        way.check_equal(images)
        side = Side(way.destination, "copied/" + made.repository)
        listed = {entry["digest"] for entry in side.referrers(made.images[0].digest)}
        check(listed == {own.digest, bundle(KEY, made.images[0]).digest}, f"{way}: {listed} are listed")
        again = way.copy(images, compare_artifacts=True)
        check(again["changed"] is False, f"{way}: {again}")


def all_listed() -> None:
    """A registry that loses entries of its list where referrers of one subject are pushed at once lists all of them."""
    if "olareg" not in REGISTRIES:
        say("left out: referrers pushed at once, since olareg is not built")
        return
    subject = image([layer("many/subject", 3000)], "many")
    made = [referrer(SPDX, b'{"name":"%d"}' % number, subject) for number in range(6)]
    with Pusher(state_at().registry("dev"), str(state_at().ca_path)) as pusher:
        pusher.push_manifest("whole/many", subject, "1.0")
        for entry in made:
            pusher.push_manifest("whole/many", entry, entry.digest)
        pusher.push_manifest("whole/many", list_of(*made), tag_of(subject.digest))
    names = [f"many/{RUN}-{number}" for number in range(COPIES)]
    ends = {**connection("olareg"), "source": connection("dev"), "jobs": 8}
    tasks = []
    for name in names:
        item = {"repository": "whole/many", "tag": "1.0", "destination_repository": name}
        tasks.append(task("image_copy", {**ends, "images": [item]}, name=name))
    done = call(tasks)
    wanted = {entry.digest for entry in made}
    for name in names:
        listed = {entry["digest"] for entry in Side("olareg", name).referrers(subject.digest)}
        check(listed == wanted, f"{name}: {len(listed)} of {len(wanted)} referrers are listed")
    again = sum(bool(done.of(name)["given_up"]) for name in names)
    say(f"{COPIES} copies of an image with {len(made)} referrers, jobs: 8: all listed; pushed again in {again} copies")


def types() -> None:
    """Only the artifact types that are asked for, or none."""
    way = next(ways())
    made = signed("types")
    push_signed(way.source, made)
    images = [{"repository": made.repository, "tag": "1.0"}]
    none = way.copy(images, check_mode=True, artifacts="none")
    check(none["images"][0]["artifacts"] == [], f"none means none: {none}")
    some = way.copy(images, artifacts=[SPDX, "application/vnd.dev.cosign.simplesigning.v1+json"])
    kept = sorted(entry["artifact_type"] for entry in some["images"][0]["artifacts"])
    wanted = [SPDX, *["application/vnd.dev.cosign.simplesigning.v1+json"] * 2]
    check(kept == wanted, f"these were taken: {kept}")


def platforms() -> None:
    """Some platforms: always the same digest, with their attestations, and the rest left out with a word."""
    way = next(ways())
    made = signed("platforms")
    push_signed(way.source, made)
    images = [{"repository": made.repository, "tag": "1.0"}]
    result = way.copy(images, platforms=["linux/amd64"])["images"][0]
    check(result["source_digest"] == made.index.digest != result["digest"], f"both digests: {result}")
    side = Side(way.destination, "copied/" + made.repository)
    content = side.manifest("1.0") or b""
    check("sha256:" + hashlib.sha256(content).hexdigest() == result["digest"], "the tag serves another digest")
    document = json.loads(content)
    kept = [entry["digest"] for entry in document["manifests"]]
    check(kept == [made.images[0].digest, made.index.manifests[2].digest], f"{kept} were kept")
    check(made.index.digest in document["annotations"].values(), f"no source in {document['annotations']}")
    left_out = {entry["subject"] for entry in result["artifacts"] if entry["action"] == "left_out"}
    check(left_out == {made.index.digest}, f"{left_out} were left out")
    inspect(way.destination, "copied/" + made.repository, "1.0", "amd64")
    again = way.promote(images, promote_platforms=["linux/amd64"], promote_compare_artifacts=True)
    check(again["changed"] is False and again["images"][0]["digest"] == result["digest"], f"again: {again}")
    flat = way.copy(images, platforms=["linux/arm64/v8"], flatten=True)["images"][0]
    check(flat["digest"] == made.images[1].digest, f"flatten: {flat}")
    inspect(way.destination, "copied/" + made.repository, "1.0", "arm64")
    ends = {**connection(way.destination), "source": connection(way.source), "images": way.items(images)}
    refused = call([task("image_copy", {**ends, "platforms": ["linux/s390x"]}, ignore_errors=True)]).of("image_copy")
    message = refused["msg"]
    check(refused["failed"], f"it does not fail: {refused}")
    check("no image for linux/s390x" in message and "linux/amd64" in message, message)


def inspect(registry: str, repository: str, tag: str, architecture: str) -> None:
    """skopeo takes what we made for an image of this architecture; so does crane, where it is installed."""
    check(bool(shutil.which("skopeo")), "skopeo is missing: apt-get install skopeo")
    name = f"{REGISTRIES[registry]['address']}/{repository}:{tag}"
    command = ["skopeo", "inspect", "--tls-verify=false", "--override-arch", architecture, f"docker://{name}"]
    document = json.loads(answer_of(command))
    check(document["Architecture"] == architecture, f"skopeo inspect: {document}")
    if shutil.which("crane"):
        answer_of(["crane", "validate", "--insecure", "--remote", name])
    else:
        say("left out: crane validate, since crane is not on the PATH")


def answer_of(command: list[str]) -> str:
    """What a program prints that must not fail."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def manifest_of(layers: list[dict[str, Any]], blobs: tuple[Blob, ...]) -> Manifest:
    """An image manifest with descriptors of our choice."""
    config = content_blob(OCI_CONFIG, b'{"architecture":"amd64","os":"linux"}')
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.descriptor(), "layers": layers}
    return Manifest(OCI_MANIFEST, json.dumps(body, separators=(",", ":")).encode(), (config, *blobs))


def with_sha512(blob: Blob) -> Blob:
    """The same blob under its sha512 digest."""
    encoded = hashlib.sha512(b"".join(blob.stream())).hexdigest()
    return Blob(blob.media_type, f"sha512:{encoded}", blob.size, blob.stream, blob.diff_id)


def rare_content() -> None:
    """sha512, layers that may not be distributed, copies of blobs in descriptors."""
    strong, plain, foreign = with_sha512(layer("rare/512", 3000)), layer("rare/plain", 3000), layer("rare/x", 3000)
    data = base64.b64encode(b"".join(plain.stream())).decode()
    elsewhere = {
        **foreign.descriptor(),
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "urls": ["https://example.com/layer"],
    }
    made = manifest_of([strong.descriptor(), {**plain.descriptor(), "data": data}, elsewhere], (strong, plain))
    for way in ways():
        images = [{"repository": f"{way.prefix}/rare", "tag": "1.0"}]
        with Pusher(state_at().registry(way.source), str(state_at().ca_path)) as pusher:
            pusher.push_manifest(images[0]["repository"], made, "1.0")
        result = way.copy(images)
        left_out = [entry["digest"] for entry in result["images"][0]["layers_left_out"]]
        check(left_out == [foreign.digest], f"{way}: {left_out} were left out")
        here = Side(way.destination, "copied/" + images[0]["repository"])
        check(here.manifest("1.0") == made.body, f"{way}: other bytes")
        for blob in made.blobs:
            here.blob(blob.digest)


def sha512_manifests() -> None:
    """A manifest by its sha512 digest: a registry takes that, or it is one sentence."""
    way = next(ways())
    made = signed("by-sha512")
    push_signed(way.source, made._replace(tags={}, referrers=[]))
    content = made.images[0].body
    digest = f"sha512:{hashlib.sha512(content).hexdigest()}"
    options = {"repository": "copied/by-sha512", "digest": digest, "content_base64": _base64(content)}
    for name in sorted({way.destination, list(ways())[-1].destination}):
        blobs = [{"digest": blob.digest, "size": blob.size} for blob in made.images[0].blobs]
        group = {"repository": "copied/by-sha512", "source_repository": made.repository, "blobs": blobs}
        takes_it = REGISTRIES[name]["flavour"] == "olareg"
        tasks = [
            task("blob", {**connection(name), "source": connection(way.source), "blobs": [group]}),
            task("manifest", {**connection(name), **options}, ignore_errors=not takes_it),
            task("manifest", {**connection(name), **options}, name="again", ignore_errors=not takes_it),
        ]
        done = call(tasks)
        if takes_it:
            check(done.of("manifest")["changed"] and not done.of("again")["changed"], f"{name}: {done.output}")
        else:
            refused = done.of("manifest")
            check(refused["failed"] and "sha512" in refused["msg"], f"{name}: {refused}")


def refused_content() -> None:
    """What can't be copied whole is refused, with a sentence that says why."""
    way = next(ways())
    for name, content, word in (
        ("schema1", {"schemaVersion": 1, "name": "x", "tag": "1.0", "fsLayers": [], "history": []}, "schema 1"),
        ("both", {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "layers": []}, "contradicts"),
    ):
        options = {"repository": f"{way.prefix}/refused", "content_base64": _base64(json.dumps(content).encode())}
        done = call([task("manifest", {**connection(way.destination), **options}, ignore_errors=True)])
        refused = done.of("manifest")
        check(refused["failed"] and word in refused["msg"], f"{name}: {refused}")


def given_twice() -> None:
    """The same entry twice is taken once, in whatever spelling: by modules, and by the role, with what plans hold."""
    way = next(ways())
    (entry,) = seed(way.source, "single", "whole/twice", images=1)
    name, tag, digest = "copied/" + entry["repository"], entry["tag"], entry["digest"]
    once = {"repository": entry["repository"], "tag": tag, "destination_repository": name}
    images = [once, dict(once, tags=[tag, tag]), dict(once, tags=[tag, "stable"]), dict(once, on_conflict="replace")]
    ends = {**connection(way.destination), "source": connection(way.source)}
    compared = call([task("image_diff_info", {**ends, "images": images})]).of("image_diff_info")
    found = [[at["tag"] for at in image["tags"]] for image in compared["images"]]
    check(found == [[tag], ["stable"]], f"the same image was taken as {found}")
    plan = {key: compared[key] for key in ("images", "blobs", "manifests", "artifact_tags", "tags")}
    copied = call([task("image_copy", {**ends, "images": images, "plan": plan})]).of("image_copy")
    check(copied["changed"] and len(copied["images"]) == 2, f"with a plan: {copied}")
    again = call([task("image_copy", {**ends, "images": images})]).of("image_copy")
    check(not again["changed"] and again["transfer"]["requests"] <= 6, f"without a plan: {again}")

    side = Side(way.source, entry["repository"])
    content = side.manifest(digest) or b""
    layer_digest = json.loads(content)["layers"][0]["digest"]
    group = {"repository": name + "-by-hand", "source_repository": entry["repository"]}
    group["blobs"] = [
        {"digest": at["digest"]} for at in (*json.loads(content)["layers"], json.loads(content)["config"])
    ]
    pushed = {"repository": group["repository"], "digest": digest, "content_base64": _base64(content)}
    moved = {"repository": group["repository"], "tag": "1.0", "digest": digest}
    there = connection(way.destination)
    looked = {"repository": group["repository"], "tag": "1.0"}
    done = call(
        [
            task("blob_info", {**there, "blobs": [group, group]}),
            task("blob", {**ends, "blobs": [group, dict(group, blobs=group["blobs"] * 2)]}),
            task("manifest", {**there, "manifests": [dict(pushed, content_base64=None), pushed, pushed]}),
            task("tag", {**there, "tags": [moved, dict(moved, content_base64=_base64(content))]}),
            task("manifest_info", {**there, "images": [looked, dict(looked, digest="")]}),
            task("referrer_info", {**there, "images": [looked, looked]}),
            task("tag_info", {**there, "repositories": [looked["repository"]] * 2, "pattern": ["1[.].*"]}),
            task(
                "blob_download", {**there, **at_file("once"), "repository": group["repository"], "digest": layer_digest}
            ),
            task("manifest", {**there, "manifests": [pushed, pushed], "state": "absent"}, name="absent"),
        ]
    )
    for module, key in (
        ("blob_info", "missing"),
        ("blob", "blobs"),
        ("manifest", "manifests"),
        ("tag", "tags"),
        ("manifest_info", "images"),
        ("referrer_info", "images"),
        ("tag_info", "images"),
        ("blob_download", "downloads"),
        ("absent", "manifests"),
    ):
        check(len(done.of(module)[key]) == 1, f"{module} has {done.of(module)[key]}")
    actions = [at["action"] for at in done.of("blob")["blobs"][0]["blobs"]]
    check(actions == ["upload"] * len(group["blobs"]), f"blobs: {actions}")
    check(at_file("once")["path"] == done.of("blob_download")["downloads"][0]["dest"], "path is no name of dest")


def at_file(name: str) -> Plain:
    """Where a blob is to be written, by the other name of the option."""
    return {"path": str(OUTPUT / name)}


def from_references() -> None:
    """References, as other tools list them, and the result of tag_info are promoted by the role."""
    way = next(ways())
    (entry,) = seed(way.source, "single", "whole/references", images=1)
    address = connection(way.source)["registry"]
    reference = f"{address}/{entry['repository']}:{entry['tag']}"
    variables = {
        "promote_source": connection(way.source),
        "promote_destination": connection(way.destination),
        "references": [reference, f"{reference}@{entry['digest']}", "ghcr.io/not/this:1"],
        "promote_images": "{{ references | imageops.registry.image_entries(prefix='mirror', registry=address) }}",
        "address": address,
    }
    result = playbook(PROMOTE, variables).of("Keep what was done")["ansible_facts"]["promote_result"]
    check(len(result["images"]) == 1 and result["changed"], f"references: {result}")
    there = f"mirror/{entry['repository']}"
    served = Side(way.destination, there).manifest(entry["tag"])
    check(served == Side(way.source, entry["repository"]).manifest(entry["digest"]), f"{there} serves something else")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


if __name__ == "__main__":
    main(
        [
            matrix,
            signed_later,
            all_listed,
            types,
            platforms,
            rare_content,
            sha512_manifests,
            refused_content,
            given_twice,
            from_references,
        ]
    )
