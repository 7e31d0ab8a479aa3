# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records of promotions in a directory, on real registries: once, again, in check mode, cut off, at the same time, and
where the directory can't be written."""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from killable import PlayEngine
from runs import (
    COLLECTION,
    CONFIG,
    OUTPUT,
    PROMOTE,
    REGISTRIES,
    WRITING,
    Run,
    call,
    check,
    connection,
    main,
    mark,
    play,
    playbook,
    requests_since,
    say,
    seed,
    state_at,
    task,
)

sys.path.insert(0, str(Path(CONFIG["registries_script"]).parents[1] / "soak"))

from engine import Engine
from play import Rig
from reader import Client
from recorded import kill_recorded, refuse_each

Plain = dict[str, Any]

PREFIX = f"records-{time.time_ns()}"
"""New at every run: what an earlier one has promoted would be equal."""
MOMENTS, PLAYS = 4, 10
"""How often a promotion is killed, without Ansible and as a play."""
SEED = 20261130
SOURCE, DESTINATION = "dev", "prod"
TEXTS = {"environment": "production", "actor": "ci", "job": "https://ci.example/jobs/7", "reason": "CHG-1234"}


def directory(name: str) -> Path:
    """A new directory for records."""
    path = OUTPUT / f"records-{name}"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    return path


def records(path: Path) -> dict[str, Plain]:
    """The records in a directory, by the paths of their files."""
    return {str(one): json.loads(one.read_text(encoding="utf-8")) for one in sorted(path.glob("*.promotion.json"))}


def made(name: str, *kinds: str) -> list[Plain]:
    """Images at the source, as entries of ``promote_images``."""
    found = seed(SOURCE, ",".join(kinds or ("single", "multi")), f"{PREFIX}/{name}")
    return [{"repository": one["repository"], "tag": one["tag"]} for one in found]


def promote(images: list[Plain], path: Path, *arguments: str, **more: Any) -> Run:
    """Promote by the role, with a record."""
    variables = {
        "promote_source": connection(SOURCE),
        "promote_destination": connection(DESTINATION),
        "promote_images": images,
        "promote_record": {"path": str(path), **TEXTS},
        **more,
    }
    tasks = [
        {"name": "Promote", "ansible.builtin.include_role": {"name": PROMOTE}},
        {"name": "Show", "ansible.builtin.debug": {"var": "promote_result"}},
    ]
    return playbook(play(tasks), variables, *arguments)


def told(run: Run) -> Plain:
    """What the role says of the record."""
    found: Plain = run.of("Show")["promote_result"]["record"]
    return found


def copying(images: list[Plain], path: Path | str, **more: Any) -> Plain:
    """The task of the module that promotes with a record."""
    record = {"path": str(path), **TEXTS}
    options = {**connection(DESTINATION), "source": connection(SOURCE), "images": images, "record": record}
    return task("image_copy", options, **more)


def a_promotion_is_recorded_once() -> None:
    images, path = made("once"), directory("once")
    nothing = {"path": None, "outcome": None, "finished": []}
    foreseen = promote(images, path, "--check")
    check(told(foreseen) == {**nothing, "outcome": "done"}, f"check mode says {told(foreseen)}")
    check(not records(path), f"check mode wrote {list(records(path))}")
    done = promote(images, path)
    ((name, record),) = records(path).items()
    check(told(done) == {**nothing, "outcome": "done", "path": name}, f"the role says {told(done)}")
    check(name in str(done.of("Say what was done")["msg"]), "the report does not name the record")
    predicate = record["predicate"]
    check({key: predicate[key] for key in TEXTS} == TEXTS, f"it says {predicate}")
    check(predicate["outcome"] == "done" and len(predicate["images"]) == len(images), f"it says {predicate}")
    digests = {f"sha256:{one['digest']['sha256']}" for one in record["subject"]}
    check(digests == {one["digest"] for one in predicate["images"]}, f"it is about {record['subject']}")
    for where in (str(OUTPUT), str(COLLECTION), str(Path.home())):
        check(where not in json.dumps(record), f"{where} is in the record")
    for arguments in ((), ("--check",)):
        again = promote(images, path, *arguments)
        check(told(again) == nothing, f"a run that changes nothing says {told(again)}")
    check(list(records(path)) == [name], f"there are {list(records(path))}")


def what_gates_said_is_in_the_record_of_the_role() -> None:
    images, path = made("gates"), directory("gates")
    gate = {"name": "not too large", "that": "total_size < `100000000`"}
    promote(images, path, promote_gates=[gate])
    (record,) = records(path).values()
    for one in record["predicate"]["images"]:
        check([said["name"] for said in one["gates"]] == ["not too large"], f"it says {one['gates']}")


@contextlib.contextmanager
def rig_of(name: str) -> Iterator[Rig]:
    """The registries behind proxies of this process, and what promotes without Ansible."""
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(Engine(str(shutil.which("python")), COLLECTION.parents[2], OUTPUT))
        ends = (REGISTRIES[SOURCE], REGISTRIES[DESTINATION], str(state_at().ca_path))
        yield stack.enter_context(Rig(*ends, engine, f"{PREFIX}-{name}"))


def a_run_that_was_killed_between_tags_is_finished_by_the_next() -> None:
    with rig_of("killed") as rig:
        say(kill_recorded(rig, directory("killed"), MOMENTS, SEED))


def a_play_that_was_killed_between_tags_is_finished_by_the_next_run() -> None:
    with rig_of("plays") as rig:
        # Each second play would do what the engine does in less time: to finish what was killed.
        finisher, rig.engine = rig.engine, PlayEngine("plays")
        say(f"by the role, {kill_recorded(rig, directory('plays'), PLAYS, SEED, finisher)}")


def all_tags_are_back_where_one_is_refused() -> None:
    with rig_of("refused") as rig:
        say(refuse_each(rig, directory("refused"), (1, 17, 30)))


def promotions_of_overlapping_sets_at_the_same_time_leave_whole_records() -> None:
    path = directory("overlapping")
    images = made("overlapping", "single", "multi", "artifact")
    # Two sources of the same tags: the last who moves one decides.
    sets = [[{**one, "tags": ["moving", name]} for one in images] for name in ("one", "two")]
    sets[1] = [{**one, "repository": images[0]["repository"], "tag": images[0]["tag"]} | into(one) for one in sets[1]]
    with ThreadPoolExecutor(max_workers=2) as pool:
        runs = list(pool.map(lambda one: call([copying(one, path, ignore_errors=True)]), sets))
    found = records(path)
    check(len(found) == len(runs), f"two promotions left {list(found)}")
    told_of: dict[tuple[str, str], set[str]] = {}
    for name, record in found.items():
        check(record["predicate"]["outcome"] in ("done", "reverted", "failed"), f"{name} has not ended")
        for one in record["predicate"]["images"]:
            for tag in one["tags"]:
                known = told_of.setdefault((one["repository"], tag["tag"]), set())
                known.update((tag["digest"], tag["previous_digest"]))
    client = Client(REGISTRIES[DESTINATION]["address"])
    for (repository, tag), digests in told_of.items():
        served = client.digest(repository, tag)
        check(served in digests, f"{repository}:{tag} serves {served}, and the records say {digests}")
    client.close()


def into(one: Plain) -> Plain:
    """Where an image goes to, and under which tags."""
    return {"destination_repository": one["repository"], "tags": one["tags"]}


@contextlib.contextmanager
def small_files(most: int) -> Iterator[None]:
    """No file that is written gets larger than so many bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def nothing_is_written_where_the_record_cannot_be() -> None:
    images = made("unwritable")
    broken = directory("broken")
    (broken / "first-seen.json").write_text("[", encoding="utf-8")
    full = directory("full")
    for path, limit, words in (
        (full, 16_384, "cannot be written: File too large"),
        (Path("/sys"), resource.RLIM_INFINITY, "/sys"),
        (OUTPUT / "records-none", resource.RLIM_INFINITY, "No such file or directory"),
        (broken, resource.RLIM_INFINITY, "is not what it was written as"),
    ):
        moment = mark()
        with small_files(limit):
            run = call([copying(images, path, ignore_errors=True)])
        message = run.of("image_copy")["msg"]
        check(run.of("image_copy")["failed"] and words in message, f"{path}: {message}")
        written = [one for one in requests_since(moment, DESTINATION) if one["method"] in WRITING]
        check(not written, f"{path}: the registry was written to: {written}")
    left = sorted(one.name for one in full.iterdir())
    check(left == [".first-seen.lock", "first-seen.json"], f"a full disk has {left}")


main(
    [
        a_promotion_is_recorded_once,
        what_gates_said_is_in_the_record_of_the_role,
        a_run_that_was_killed_between_tags_is_finished_by_the_next,
        a_play_that_was_killed_between_tags_is_finished_by_the_next_run,
        all_tags_are_back_where_one_is_refused,
        promotions_of_overlapping_sets_at_the_same_time_leave_whole_records,
        nothing_is_written_where_the_record_cannot_be,
    ]
)
