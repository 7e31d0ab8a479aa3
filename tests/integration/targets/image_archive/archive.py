# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images through an image layout: from one registry into files, from there into another, and between us and skopeo."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

from content import Side
from killing import kill_tree
from runs import (
    OUTPUT,
    WRITING,
    Failed,
    Plain,
    call,
    check,
    connection,
    inventory,
    main,
    mark,
    play,
    playbook,
    requests_since,
    say,
    seed,
    task,
)
from signed_images import SPDX, push_signed, signed

KINDS = "single,docker,multi,docker-list,nested,artifact"
OCI_KINDS = ("single", "multi")
SECONDS = 120


class Kind(NamedTuple):
    """A format of layouts: how we call it, how skopeo does, and what a file of it is called."""

    form: str
    transport: str
    suffix: str

    def path(self, name: str) -> Path:
        directory = OUTPUT / self.form
        directory.mkdir(exist_ok=True)
        return directory / (name + self.suffix)


FORMATS = (Kind("directory", "oci", ""), Kind("archive", "oci-archive", ".tar"))


def archive_task(state: str, name: str, path: Path, images: list[Plain] | None, **more: Any) -> Plain:
    """A task of the module; exports are from dev, imports into prod."""
    options: Plain = {**connection("dev" if state == "exported" else "prod"), "state": state, "path": str(path)}
    keywords = {word: more.pop(word) for word in ("check_mode", "ignore_errors") if word in more}
    return task(
        "image_archive", {**options, **({} if images is None else {"images": images}), **more}, name=name, **keywords
    )


def snapshot(path: Path) -> dict[str, tuple[int, int, str]]:
    """What is beside a path and below it: inode, time of writing, content."""
    files = sorted(path.parent.rglob("*"))
    return {
        str(file): (
            file.stat().st_ino,
            file.stat().st_mtime_ns,
            hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "",
        )
        for file in files
    }


def items_of(images: list[Plain]) -> list[Plain]:
    return [{"repository": image["repository"], "tag": image["tag"]} for image in images]


def check_equal(images: list[Plain]) -> int:
    """All that is reachable from each tag is at the other registry, byte for byte. Returns how much that is."""
    count = 0
    for image in images:
        there, here = (Side(name, image["repository"]).reachable(image["tag"]) for name in ("dev", "prod"))
        missing = {name for name, content in there.items() if here.get(name) != content}
        check(not missing, f"{image['repository']} lacks {sorted(missing)}, or has other bytes")
        count += len(there)
    return count


def run_skopeo(*arguments: str) -> str:
    done = subprocess.run(["skopeo", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"skopeo {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def there_and_back() -> None:
    """From one registry into a layout and from there into another, twice; the second time nothing is written."""
    for kind in FORMATS:
        path = kind.path("all")
        images = seed("dev", KINDS, f"archive/{kind.form}")
        made = signed(f"archive/{kind.form}/signed")
        push_signed("dev", made)
        images.append({"repository": made.repository, "tag": "1.0"})
        digest_only = {"repository": images[0]["repository"], "digest": images[0]["digest"], "tags": []}
        digest_only["destination_repository"] = f"archive/{kind.form}/by-digest"
        items = [*items_of(images), digest_only]
        tasks = [
            archive_task("exported", "Predict", path, items, check_mode=True),
            {"name": "Look", "ansible.builtin.stat": {"path": str(path)}},
            archive_task("exported", "Export", path, items),
            archive_task("imported", "Predict the import", path, None, check_mode=True),
            archive_task("imported", "Import", path, None),
        ]
        done = playbook(play(tasks), {}, "--diff")
        check(not done.of("Look")["stat"]["exists"], "check mode writes")
        for first, second in (("Predict", "Export"), ("Predict the import", "Import")):
            before, after = done.of(first), done.of(second)
            check(before["changed"] and after["changed"], f"{second}: nothing was changed: {after}")
            check(after["format"] == kind.form, f"{after['format']} is not {kind.form}")
            for one, other in zip(before["images"], after["images"]):
                for name in ("digest", "action", "tags", "artifacts"):
                    check(one[name] == other[name], f"{first} said {one[name]}, then it was {other[name]}")
        found = [entry for image in done.of("Import")["images"] for entry in image["artifacts"]]
        check(len(found) == len(made.tags) + len(made.referrers), f"these artifacts were imported: {found}")
        count = check_equal(images)
        by_digest = Side("prod", digest_only["destination_repository"]).manifest(digest_only["digest"])
        check(by_digest is not None, "the image without a tag is not there")
        files, moment = snapshot(path), mark()
        again = [
            archive_task("exported", "Export again", path, items, compare_artifacts=True),
            archive_task("imported", "Import again", path, None, compare_artifacts=True),
        ]
        done = playbook(play(again), {}, "--diff")
        for name in ("Export again", "Import again"):
            check(done.of(name)["changed"] is False, f"{name} changes something: {done.of(name)}")
            moved = {
                key: value for key, value in done.of(name)["transfer"].items() if key.startswith("bytes") and value
            }
            check(not moved, f"{name} moves {moved}")
        check(snapshot(path) == files, "the second export writes")
        writes = [
            seen for name in ("dev", "prod") for seen in requests_since(moment, name) if seen["method"] in WRITING
        ]
        check(not writes, f"the second time something is written: {writes}")
        say(f"{kind.form}: {count} manifests and blobs are equal, {len(found)} artifacts")


def one_by_one() -> None:
    """What is added to a layout stays beside what is there, and the same images always give the same archive."""
    images = items_of(seed("dev", "single,multi,artifact", "archive/steps"))
    whole, steps = FORMATS[1].path("whole"), FORMATS[1].path("steps")
    tasks = [archive_task("exported", "Whole", whole, images)]
    tasks += [archive_task("exported", f"Step {number}", steps, [image]) for number, image in enumerate(images)]
    call(tasks)
    check(whole.read_bytes() == steps.read_bytes(), "the archives differ")


def skopeo_reads() -> None:
    """What we write, skopeo reads, with all platforms."""
    for kind in FORMATS:
        images = [image for image in seed("dev", KINDS, f"archive/{kind.form}") if image["kind"] in OCI_KINDS]
        check(len(images) == len(OCI_KINDS), "no images to look at")
        for image in images:
            name = f"{kind.transport}:{kind.path('all')}:{image['repository']}:{image['tag']}"
            raw = run_skopeo("inspect", "--raw", name)
            check(
                "sha256:" + hashlib.sha256(raw.encode()).hexdigest() == image["digest"], f"skopeo reads another {name}"
            )
            target = f"{connection('prod')['registry']}/skopeo-read/{kind.form}-{image['kind']}:1.0"
            run_skopeo("copy", "--quiet", "--all", "--dest-tls-verify=false", name, f"docker://{target}")
            copied = Side("prod", f"skopeo-read/{kind.form}-{image['kind']}").manifest("1.0") or b""
            check("sha256:" + hashlib.sha256(copied).hexdigest() == image["digest"], f"skopeo copies another {name}")


def reads_skopeo() -> None:
    """What skopeo writes, we read: under a name of its own, under repository and tag, and without any name."""
    for kind in FORMATS:
        tasks, copies = [], {}
        for image in seed("dev", ",".join(OCI_KINDS), f"archive/skopeo-{kind.form}"):
            source = f"docker://{connection('dev')['registry']}/{image['repository']}:{image['tag']}"
            item = {"repository": image["repository"], "tag": image["tag"]}
            cases: dict[str, Plain] = {
                f":{image['repository']}:{image['tag']}": {},
                ":release": {"name": "release"},
                "": {"name": ""},
            }
            for number, (name, more) in enumerate(cases.items()):
                copy = f"{image['repository']}-{number}"
                path = kind.path(copy.replace("/", "-"))
                run_skopeo(
                    "copy", "--quiet", "--all", "--src-tls-verify=false", source, f"{kind.transport}:{path}{name}"
                )
                named = {**item, **more, "destination_repository": copy}
                tasks.append(archive_task("imported", copy, path, [named]))
                copies[copy] = image
        done = call(tasks)
        for copy, image in copies.items():
            check(done.of(copy)["images"][0]["digest"] == image["digest"], f"{done.of(copy)}")
            there = Side("dev", image["repository"]).reachable(image["tag"])
            check(there == Side("prod", copy).reachable(image["tag"]), f"not all of it is in {copy}")


def with_oras() -> None:
    """Where oras is at hand: it copies from our layouts, and we from its, with what refers to the image."""
    if shutil.which("oras") is None:
        say("oras is not at hand: left out")
        return
    made = signed("archive/oras")._replace(tags={})
    push_signed("dev", made)
    item = {"repository": made.repository, "tag": "1.0"}
    ours, archive, its = FORMATS[0].path("for-oras"), FORMATS[1].path("for-oras"), FORMATS[0].path("from-oras")
    tasks = [
        archive_task("exported", "Export", ours, [item]),
        archive_task("exported", "Export under a tag alone", archive, [{**item, "name": "1.0"}]),
    ]
    call(tasks)
    dev, prod = (connection(name)["registry"] for name in ("dev", "prod"))
    copies = [
        [
            "--from-oci-layout-path",
            str(ours),
            f"{made.repository}:1.0",
            "--to-plain-http",
            f"{prod}/oras/directory:1.0",
        ],
        ["--from-oci-layout", f"{archive}:1.0", "--to-plain-http", f"{prod}/oras/archive:1.0"],
        ["--from-plain-http", f"{dev}/{made.repository}:1.0", "--to-oci-layout", f"{its}:1.0"],
    ]
    for arguments in copies:
        subprocess.run(["oras", "copy", "--recursive", *arguments], check=True, stdout=subprocess.DEVNULL)
    done = call([archive_task("imported", "Import", its, None, default_repository="oras/written")])
    check(len(done.of("Import")["images"]) == 1, f"more than the image was imported: {done.of('Import')}")
    there = Side("dev", made.repository).reachable("1.0")
    for repository in ("oras/directory", "oras/archive", "oras/written"):
        check(there == Side("prod", repository).reachable("1.0"), f"{repository} lacks something")


def arrived(kind: Kind, path: Path) -> set[str]:
    """The blobs that an export has brought so far."""
    place = path / "blobs" / "sha256" if kind.form == "directory" else path.parent / f".{path.name}.partial"
    found = [file.name.removeprefix("sha256-") for file in place.iterdir()] if place.is_dir() else []
    return {name for name in found if len(name) == 64}


def start(playbook_file: Path) -> subprocess.Popen[bytes]:
    """A playbook that isn't waited for."""
    environment = {name: value for name, value in os.environ.items() if name != "RUNS_STARTED"}
    command = ["ansible-playbook", "-i", str(inventory()), str(playbook_file)]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment, start_new_session=True
    )


def killed() -> None:
    """An export that is killed leaves no layout that is wrong; run again, it brings only what lacks."""
    images = seed("dev", "family", "archive/killed", images=2, layers=5, layer_size=8 * 1024 * 1024)
    layers = {blob["digest"].partition(":")[2] for image in images for blob in image["blobs"] if blob["size"] > 1000000}
    for kind in FORMATS:
        path = kind.path("killed")
        tasks = [archive_task("exported", "Export", path, items_of(images), jobs=1)]
        process = start(play(tasks))
        deadline = time.monotonic() + SECONDS
        while len(arrived(kind, path) & layers) < 2:
            check(time.monotonic() < deadline and process.poll() is None, "the export ended before it was killed")
            time.sleep(0.005)
        kill_tree(process.pid)
        process.wait()
        before = arrived(kind, path)
        check(layers - before != set(), "the kill came too late")
        check(not (path / "index.json").exists() and not path.is_file(), "a layout is seen that is not whole")
        moment = mark()
        done = call([*tasks, archive_task("imported", "Import", path, None)])
        check(done.of("Export")["changed"], "nothing was left to do")
        read = {seen["path"].rpartition(":")[2] for seen in requests_since(moment, "dev") if "/blobs/" in seen["path"]}
        check(not read & before, f"{read & before} were read again")
        check(layers - before <= read, "what lacked was not read")
        check_equal(images)
        check([file.name for file in path.parent.iterdir() if ".partial" in file.name] == [], "something is left over")
        say(f"{kind.form}: {len(before)} blobs had arrived, {len(read)} were read later")


def damaged() -> None:
    """A blob with other bytes is never imported; an export that verifies brings it anew."""
    (image,) = seed("dev", "single", "archive/damaged")
    path = FORMATS[0].path("damaged")
    export = archive_task("exported", "Export", path, items_of([image]))
    call([export])
    largest = max(image["blobs"], key=lambda blob: int(blob["size"]))
    file = path / "blobs" / "sha256" / largest["digest"].partition(":")[2]
    file.write_bytes(bytes(file.stat().st_size))
    tasks = [
        archive_task("imported", "Import", path, None, ignore_errors=True),
        archive_task("exported", "Export without a look", path, items_of([image])),
        archive_task("exported", "Verify", path, items_of([image]), verify=True),
        archive_task("exported", "Verify again", path, items_of([image]), verify=True),
        archive_task("imported", "Import what was mended", path, None),
    ]
    done = call(tasks)
    refused = done.of("Import")
    check(refused["failed"] and "have the digest" in refused["msg"], f"damaged bytes were imported: {refused}")
    changes = [done.of(name)["changed"] for name in ("Export without a look", "Verify", "Verify again")]
    check(changes == [False, True, False], f"these exports changed something: {changes}")
    check_equal([image])


def chosen() -> None:
    """Some platforms, some artifacts, other names; and what was signed after it was exported."""
    made = signed("archive/chosen")
    push_signed("dev", made._replace(tags={}, referrers=[]))
    item = {"repository": made.repository, "tag": "1.0"}
    path = FORMATS[1].path("chosen")
    some = {**item, "name": "amd64", "platforms": ["linux/amd64"]}
    first = call([archive_task("exported", "Export", path, [item, {**some, "tags": ["amd64"]}])])
    push_signed("dev", made)
    tasks = [
        archive_task("exported", "Ignore", path, [item]),
        archive_task("exported", "Add", path, [item], compare_artifacts=True, artifacts=[SPDX]),
        archive_task("exported", "Nothing to add", path, [item], compare_artifacts=True, artifacts=[SPDX]),
        archive_task("imported", "Import", path, [{**some, "platforms": [], "tag": "amd64"}]),
    ]
    done = call(tasks)
    changes = [done.of(name)["changed"] for name in ("Ignore", "Add", "Nothing to add")]
    check(changes == [False, True, False], f"these exports changed something: {changes}")
    digest = first.of("Export")["images"][1]["digest"]
    check(digest != made.index.digest, "the platforms were not chosen")
    check(done.of("Import")["images"][0]["digest"] == digest, "another index was imported")
    document = json.loads(Side("prod", made.repository).manifest("amd64") or b"{}")
    check([entry["digest"] for entry in document["manifests"]][0] == made.images[0].digest, f"{document}")
    raw = run_skopeo("inspect", "--raw", f"oci-archive:{path}:amd64")
    check("sha256:" + hashlib.sha256(raw.encode()).hexdigest() == digest, "skopeo reads another index")


if __name__ == "__main__":
    main([there_and_back, one_by_one, skopeo_reads, reads_skopeo, with_oras, killed, damaged, chosen])
