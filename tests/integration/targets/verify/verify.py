# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Destinations that have lost content behind their tags: found by ``verify``, and mended by ``repair``."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from content import Side
from runs import (
    CONFIG,
    OUTPUT,
    PROMOTE,
    REGISTRIES,
    WRITING,
    Plain,
    Run,
    call,
    check,
    connection,
    harness,
    main,
    mark,
    playbook,
    private_file,
    requests_since,
    say,
    seed,
    state_at,
    task,
)
from signed_images import push_signed, signed

STATE = OUTPUT / "verify-registries"
NAMES = ("repository", "tag", "destination_repository")
STARTED = {"source": "source", "destination": "destination"}
if "olareg" in REGISTRIES:
    STARTED["olareg"] = f"olareg,binary={REGISTRIES['olareg']['binary']}"


def start(*names: str) -> None:
    harness("start", "--state", str(STATE), *names)
    REGISTRIES.update(json.loads((STATE / "registries.json").read_text(encoding="utf-8"))["registries"])


def restarted() -> None:
    """The destination without what it remembers of blobs."""
    harness("stop", "--state", str(STATE))
    start()


def collect_garbage() -> None:
    """As its operator does: distribution's own collection, with manifests that have no tag."""
    entry = state_at().registry("destination")
    harness("stop", "--state", str(STATE))
    command = [entry["binary"], "garbage-collect", "--delete-untagged", str(STATE / "destination" / "config.yml")]
    subprocess.run(command, check=True, capture_output=True)
    start()


def stored(digest: str, registry: str = "destination") -> Path:
    """The file in which a registry keeps the content of a digest."""
    encoded = digest.partition(":")[2]
    storage = Path(state_at().registry(registry)["storage"])
    found = [
        *storage.glob(f"docker/registry/v2/blobs/sha256/*/{encoded}/data"),
        *storage.glob(f"**/blobs/sha256/{encoded}"),
    ]
    check(len(found) == 1, f"{len(found)} files with {digest} in {storage}")
    return found[0]


def link(repository: str, digest: str) -> Path:
    """The file by which distribution knows that a blob belongs to a repository."""
    storage = Path(state_at().registry("destination")["storage"])
    encoded = digest.partition(":")[2]
    return storage / "docker/registry/v2/repositories" / repository / "_layers/sha256" / encoded / "link"


def ends(destination: str = "destination") -> Plain:
    return {"promote_source": connection("source"), "promote_destination": connection(destination)}


def promote(images: list[Plain], *arguments: str, expected: int = 0, **variables: Any) -> Run:
    items = [{name: entry[name] for name in NAMES if name in entry} for entry in images]
    names = {f"promote_{name}": value for name, value in variables.items()}
    return playbook(PROMOTE, {**ends(), "promote_images": items, **names}, *arguments, expected=expected)


def result_of(run: Run) -> Plain:
    return dict(run.of("Keep what was done")["ansible_facts"]["promote_result"])


def copies(images: list[Plain], *variants: Plain, to: str = "destination") -> list[Plain]:
    """One call of image_copy for each of the variants of its options. Returns their results."""
    items = [{"repository": entry["repository"], "tag": entry["tag"]} for entry in images]
    tasks = [copying(items, variant, to=to, name=f"copy {number}") for number, variant in enumerate(variants)]
    run = call([{**entry, "ignore_errors": True} for entry in tasks])
    return [run.of(entry["name"]) for entry in tasks]


def copying(items: list[Plain], variant: Plain, *, to: str = "destination", name: str = "copy") -> Plain:
    """A task of image_copy, with these options and ``check_mode``."""
    options = {key: value for key, value in variant.items() if key != "check_mode"}
    given = {**connection(to), "source": connection("source"), "images": items, **options}
    return task("image_copy", given, name=name, check_mode=variant.get("check_mode", False))


def copied(images: list[Plain], to: str = "destination") -> None:
    (result,) = copies(images, {}, to=to)
    check(result["changed"] is True and not result["failed"], f"{result}")


def check_equal(images: list[Plain]) -> None:
    for entry in images:
        there = Side("source", entry["repository"]).reachable(entry["tag"])
        here = Side("destination", entry["repository"]).reachable(entry["tag"])
        check(there == here, f"{entry['repository']} differs: {sorted(set(there) ^ set(here))}")


def lost(result: Plain) -> set[tuple[str, str]]:
    return {(entry["kind"], entry["digest"]) for image in result["images"] for entry in image["missing"]}


def skopeo_copies(repository: str, tag: str) -> None:
    """skopeo takes the whole image out of the destination."""
    directory = OUTPUT / "taken-out"
    shutil.rmtree(directory, ignore_errors=True)
    name = f"docker://{REGISTRIES['destination']['address']}/{repository}:{tag}"
    command = ["skopeo", "copy", "--all", "--src-tls-verify=false", name, f"dir:{directory}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"skopeo copy: {done.stderr}")


def reported(run: Run, sentence: str) -> None:
    """One failed task says it: what fails on the way is named by a task of the role."""
    failed = [entry["result"]["msg"] for entry in run.results if entry["status"] == "failed"]
    check(len(failed) == 1 and sentence in failed[0], f"{failed} were the failures, not {sentence!r}")


def garbage_collection() -> None:
    """The children of tagged indexes are gone, and the tags stand."""
    images = seed("source", "single,multi,nested,docker-list", "verify/collected")
    copied(images)
    tasks = len(promote(images).results)
    collect_garbage()
    check(result_of(promote(images))["changed"] is False, "tags alone tell that something is missing")
    gone = {
        ("manifest", digest)
        for entry in images
        for digest in entry["manifests"]
        if Side("destination", entry["repository"]).manifest(digest) is None
    }
    check(len(gone) > 5, f"the collection took {gone}")
    first = next(entry for entry in images if entry["manifests"])
    sentence = f"{REGISTRIES['destination']['address']}/{first['repository']} is missing manifest "
    moment = mark()
    for arguments in ((), ("--check",)):
        run = promote(images, *arguments, verify="manifests", expected=2)
        reported(run, sentence)
        check(lost(result_of(run)) == gone, f"{arguments}: {lost(result_of(run)) ^ gone} make the difference")
        check(result_of(run)["changed"] is False, f"{arguments}: something was changed")
    predicted = promote(images, "--check", verify="manifests", repair=True)
    writes = [entry for entry in requests_since(moment, "destination") if entry["method"] in WRITING]
    check(not writes, f"these were sent: {writes}")
    moment = mark()
    mended = promote(images, verify="manifests", repair=True)
    for run in (predicted, mended):
        result = result_of(run)
        check(result["changed"] is True and lost(result) == gone, f"{result}")
        actions = {image["action"] for image in result["images"] if image["missing"]}
        check(actions == {"promote"}, f"{actions}")
    pushed = {
        entry["path"].rpartition("/")[2]
        for entry in requests_since(moment, "destination")
        if entry["method"] == "PUT" and "/manifests/" in entry["path"]
    }
    check(pushed == {digest for _kind, digest in gone}, f"{pushed} were pushed")
    check_equal(images)
    for entry in images:
        if entry["kind"] != "nested":
            # skopeo takes no index in an index.
            skopeo_copies(entry["repository"], entry["tag"])
    again = promote(images, verify="blobs", verify_content=True, repair=True)
    check(result_of(again)["changed"] is False, "a second run changes something")
    check(len(again.results) == tasks, f"{len(again.results)} tasks, {tasks} without verify")
    check("missing or damaged there" in mended.output, mended.output)
    say(f"{len(gone)} manifests were taken by the collection, and pushed again")


def asked_once() -> None:
    """Each digest of a repository is asked for once, whatever number of tags and images need it."""
    (entry,) = seed("source", "multi", "verify/asked")
    promote([entry])
    parts = {entry["digest"], *entry["manifests"], *(blob["digest"] for blob in entry["blobs"])}
    items = [
        {"repository": entry["repository"], "tag": "1.0"},
        {"repository": entry["repository"], "digest": entry["digest"]},
    ]
    for level in ("manifests", "blobs"):
        moment = mark()
        call([copying(items, {"artifacts": ["none"], "verify": level})])
        # The second of the images has no tag, and is compared by its digest.
        wanted = [("HEAD", entry["digest"]), ("GET", entry["digest"])]
        wanted += [("HEAD" if level == "manifests" else "GET", digest) for digest in entry["manifests"]]
        wanted += [("HEAD", blob["digest"]) for blob in entry["blobs"] if level == "blobs"]
        seen = [(one["method"], one["path"].rpartition("/")[2]) for one in requests_since(moment, "destination")]
        asked = sorted(pair for pair in seen if pair[1] in parts)
        check(asked == sorted(wanted), f"{level}: {asked}, not {sorted(wanted)}")
        read = [one["path"] for one in requests_since(moment, "source") if one["method"] != "HEAD"]
        check(not [path for path in read if "/manifests/" in path], f"the source was asked for {read}")


def blobs_gone() -> None:
    """The bytes of a layer are gone, and of another one that it belongs to the repository."""
    images = seed("source", "single,multi", "verify/blobs", layers=3)
    copied(images)
    bytes_gone = max(images[0]["blobs"], key=lambda blob: blob["size"])["digest"]
    link_gone = max(images[1]["blobs"], key=lambda blob: blob["size"])["digest"]
    stored(bytes_gone).unlink()
    link(images[1]["repository"], link_gone).unlink()
    restarted()
    gone = {("blob", bytes_gone), ("blob", link_gone)}
    blobs = {"verify": "blobs"}
    shallow, *told, predicted, mended, again = copies(
        images,
        {"verify": "manifests", "repair": True},
        blobs,
        {**blobs, "check_mode": True},
        {**blobs, "repair": True, "check_mode": True},
        {**blobs, "repair": True},
        {**blobs, "repair": True, "verify_content": True},
    )
    check(shallow["changed"] is False and not shallow["failed"], "manifests alone tell of blobs")
    for result in told:
        check(result["failed"] and lost(result) == gone, f"{result}")
        check(f"is missing blob {bytes_gone}, which" in result["msg"], result["msg"])
        check("With repair: true it is pushed again" in result["msg"], result["msg"])
    for name in ("changed", "failed", "images"):
        check(predicted[name] == mended[name], f"{predicted[name]} was predicted, and it was {mended[name]}")
    check([image["blobs_uploaded"] for image in mended["images"]] == [1, 1], f"{mended}")
    check(again["changed"] is False and not again["failed"], f"a second run changes something: {again}")
    check_equal(images)
    for entry in images:
        skopeo_copies(entry["repository"], entry["tag"])


def damage(digest: str, registry: str = "destination") -> None:
    path = stored(digest, registry)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def damaged() -> None:
    """One bit of a layer is another. Only reading it tells."""
    content = {"verify": "blobs", "verify_content": True}
    for registry in ("destination", *(["olareg"] if "olareg" in STARTED else [])):
        images = seed("source", "single", f"verify/damaged-{registry}")
        copied(images, registry)
        digest = max(images[0]["blobs"], key=lambda blob: blob["size"])["digest"]
        damage(digest, registry)
        restarted()
        shallow, *told, predicted, mended, again = copies(
            images,
            {"verify": "blobs", "repair": True},
            content,
            {**content, "check_mode": True},
            {**content, "repair": True, "check_mode": True},
            {**content, "repair": True},
            {**content, "repair": True},
            to=registry,
        )
        check(shallow["changed"] is False and not shallow["failed"], "HEAD tells of a bit")
        for result in told:
            check(f"has a damaged blob {digest}, which" in result["msg"], result["msg"])
            check([entry["problem"] for entry in result["images"][0]["missing"]] == ["damaged"], f"{result}")
        check(predicted["changed"] is True and predicted["images"][0]["blobs_uploaded"] == 1, f"{predicted}")
        if registry == "destination":
            # distribution keeps the copy that it has, whatever comes. That is seen, and said.
            check(mended["failed"], f"{mended}")
            sentence = "if the registry keeps a damaged copy in its storage, remove that there"
            check(f"Cannot read blob {digest} from " in mended["msg"] and sentence in mended["msg"], mended["msg"])
            stored(digest).unlink()
            restarted()
            mended, again = copies(images, {**content, "repair": True}, {**content, "repair": True})
        check(not mended["failed"] and mended["images"][0]["blobs_uploaded"] == 1, f"{registry}: {mended}")
        check(again["changed"] is False and not again["failed"], f"{registry}: a second run changes something: {again}")
        Side(registry, images[0]["repository"]).reachable("1.0")


def by_the_role() -> None:
    """What is damaged goes through all tasks of the role."""
    images = seed("source", "multi", "verify/role")
    copied(images)
    digest = max(images[0]["blobs"], key=lambda blob: blob["size"])["digest"]
    stored(digest).write_bytes(b"short")
    restarted()
    reported(promote(images, verify="blobs", expected=2), f"has a damaged blob {digest}, which")
    predicted = result_of(promote(images, "--check", verify="blobs", repair=True))
    check(predicted["changed"] is True and predicted["images"][0]["blobs_uploaded"] == 1, f"{predicted}")
    run = promote(images, verify="blobs", repair=True, expected=2)
    reported(run, f" blob {digest} ")
    check(result_of(run)["images"][0]["action"] == "failed", f"{result_of(run)}")
    stored(digest).unlink()
    restarted()
    check(result_of(promote(images, verify="blobs", repair=True))["changed"] is True, "nothing was mended")
    check(result_of(promote(images, verify="blobs", repair=True))["changed"] is False, "a second run changes something")
    check_equal(images)
    damage(digest)
    restarted()
    # To another repository it is sent, but distribution keeps what it has: the tag must not move.
    (moved,) = ({**entry, "destination_repository": "verify/elsewhere"} for entry in images)
    run = promote([moved], verify="blobs", verify_content=True, expected=2)
    reported(run, f" blob {digest} ")
    check(Side("destination", "verify/elsewhere").manifest("1.0") is None, "a tag leads to what is not whole")
    # distribution 2.8 collects no garbage while a repository has manifests and no tag.
    storage = Path(state_at().registry("destination")["storage"])
    shutil.rmtree(storage / "docker/registry/v2/repositories/verify/elsewhere")


def signatures() -> None:
    """What was signed loses its signatures, which have no tag."""
    made = signed("verify/signed")
    push_signed("source", made)
    images = [{"repository": made.repository, "tag": "1.0"}]
    copied(images)
    entry = next(manifest for subject, manifest in made.referrers if subject is made.index)
    blob = entry.blobs[-1].digest
    stored(blob).unlink()
    restarted()
    wanted = {"verify": "blobs", "compare_artifacts": True}
    told, mended = copies(images, wanted, {**wanted, "repair": True})
    check(told["failed"] and f"is missing blob {blob}, which" in told["msg"], f"{told}")
    check(lost(mended) == {("blob", blob)}, f"{mended}")
    check(
        [found["action"] for found in mended["images"][0]["artifacts"] if found["digest"] == entry.digest] == ["copy"],
        f"{mended}",
    )
    check_equal(images)
    collect_garbage()
    # By the role, too: what belongs to an image goes through a task of its own there.
    check(result_of(promote(images, **wanted, repair=True))["changed"] is True, "nothing was mended")
    check_equal(images)
    (again,) = copies(images, {**wanted, "repair": True})
    check(again["changed"] is False and not again["failed"], f"a second run changes something: {again}")


def source_lacks_it() -> None:
    """What the source has lost as well can't be mended, and that is said; and options that can't go together."""
    images = seed("source", "multi", "verify/both")
    copied(images)
    child = images[0]["manifests"][0]
    for registry in ("source", "destination"):
        storage = Path(state_at().registry(registry)["storage"])
        encoded = child.partition(":")[2]
        revisions = (
            storage / "docker/registry/v2/repositories" / images[0]["repository"] / "_manifests/revisions/sha256"
        )
        shutil.rmtree(revisions / encoded)
    restarted()
    result, *refused = copies(
        images,
        {"verify": "manifests", "repair": True},
        {"repair": True},
        {"verify": "manifests", "verify_content": True},
    )
    check("The source does not have it either" in result["msg"] and child in result["msg"], result["msg"])
    check(lost(result) == {("manifest", child)} and result["changed"] is False, f"{result}")
    for result, sentence in zip(refused, ("repair mends what verify finds", "verify_content goes with verify: blobs")):
        check(sentence in result["msg"], result["msg"])


@contextlib.contextmanager
def cache_of(upstream: str) -> Iterator[Path]:
    """distribution as a cache in front of a registry, known as ``cache``. Gives its storage."""
    entry = REGISTRIES[upstream]
    storage = OUTPUT / "cache"
    shutil.rmtree(storage, ignore_errors=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    configuration = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": {"addr": address},
        "proxy": {"remoteurl": f"http://{entry['address']}"},
    }
    path = private_file("cache.yml", json.dumps(configuration))
    with subprocess.Popen(
        [entry["binary"], "serve", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while not listens(address):
                check(time.monotonic() < deadline and process.poll() is None, "the cache did not start")
                time.sleep(0.1)
            REGISTRIES["cache"] = {**entry, "address": address}
            yield storage
        finally:
            process.terminate()


def listens(address: str) -> bool:
    host, _colon, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def pull_through_cache() -> None:
    """A cache serves what it doesn't have yet, so that reading it all fills it."""
    (entry,) = seed("source", "multi", "verify/cached")
    content = {"verify": "blobs", "verify_content": True}
    with cache_of("source") as storage:
        for is_filled in (False, True):
            if is_filled:
                max(storage.glob("**/data"), key=lambda file: file.stat().st_size).unlink()
            for result in copies([entry], {"verify": "blobs"}, content, to="cache"):
                check(result["changed"] is False and not result["failed"], f"{result}")
            names = {f"sha256:{file.parent.name}" for file in storage.glob("**/data")}
            wanted = {entry["digest"], *entry["manifests"], *(blob["digest"] for blob in entry["blobs"])}
            check(names == wanted, f"the cache has {names}, not {wanted}")


def run_all() -> None:
    CONFIG["registries_state"] = str(STATE)
    start(*STARTED.values())
    try:
        main(
            [
                garbage_collection,
                asked_once,
                blobs_gone,
                damaged,
                by_the_role,
                signatures,
                source_lacks_it,
                pull_through_cache,
            ]
        )
    finally:
        harness("stop", "--state", str(STATE), "--delete")


run_all()
