# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role rollback at every kind of registry: back to the very digests, or refused before anything moves."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from openssl_signatures import Keys
from runs import (
    COLLECTION,
    OUTPUT,
    REGISTRIES,
    WRITING,
    Plain,
    Run,
    call,
    check,
    connection,
    lines,
    main,
    mark,
    play,
    playbook,
    requests_since,
    say,
    seed,
    task,
)

sys.path.append(str(COLLECTION / "tools"))

import guide_pages

ROLLBACK = "imageops.registry.rollback"
SOURCE = "dev"
DESTINATIONS = [name for name in ("prod", "distribution3", "olareg") if name in REGISTRIES]
"""distribution 2.8 and 3, and olareg."""
REMOVES_TAGS = ("distribution3", "olareg")
"""Those that can delete a tag alone."""
RUN = f"rollback-{time.time_ns()}"
"""New at every run: what an earlier one has promoted would be equal."""


class Promoted:
    """Two promotions of the same tags, the second of which also creates one."""

    def __init__(self, destination: str, name: str) -> None:
        self.destination = destination
        self.records = OUTPUT / f"records-{destination}-{name}"
        self.records.mkdir()
        seeded = seed(SOURCE, "single,multi,family", f"{RUN}/{destination}/{name}")
        self._images = [{"repository": image["repository"], "tag": image["tag"]} for image in seeded[:3]]
        to = f"{RUN}/{name}"
        self.app, self.web = f"{to}/app", f"{to}/web"
        copies = [
            self.copying({self.app: (0, ["stable", "prod"]), self.web: (1, ["stable"])}, "first"),
            self.copying({self.app: (1, ["stable", "prod"]), self.web: (2, ["stable", "new"])}, "second"),
        ]
        looks = [self.looking("before"), self.looking("after")]
        done = call([{**one, "series": "all"} for both in zip(copies, looks) for one in both])
        self.before, self.after = (serving(done, name) for name in ("before", "after"))
        self.record = Path(done.of("second")["record"]["path"])
        check(all(self.before[place] != self.after[place] for place in self.after), f"{self.before}, {self.after}")

    def copying(self, wanted: dict[str, tuple[int, list[str]]], name: str) -> Plain:
        """The task that promotes images by their numbers, with a record, as the role does."""
        images = [
            {**self._images[number], "destination_repository": repository, "tags": tags}
            for repository, (number, tags) in wanted.items()
        ]
        record = {"path": str(self.records), "environment": "production"}
        ends = {**connection(self.destination), "source": connection(SOURCE)}
        return task("image_copy", {**ends, "images": images, "record": record}, name=name)

    def looking(self, name: str) -> Plain:
        """The task that asks what the tags point to."""
        tags = [(self.app, "stable"), (self.app, "prod"), (self.web, "stable"), (self.web, "new")]
        asked = [{"repository": repository, "tag": tag} for repository, tag in tags]
        return task("manifest_info", {**connection(self.destination), "images": asked}, name=name)

    def served(self) -> dict[str, str]:
        """What the tags point to."""
        return serving(call([self.looking("now")]), "now")

    def point(self, repository: str, tag: str, digest: str) -> None:
        """Have a tag point to another digest of its repository, as others may."""
        item = {"repository": repository, "tag": tag, "digest": digest}
        call([task("tag", {**connection(self.destination), **item})])

    def back(self, *arguments: str, expected: int = 0, **variables: Any) -> Run:
        """Run the role, by the record of the second promotion unless ``variables`` say otherwise."""
        role = {"name": "Go back", "ansible.builtin.include_role": {"name": ROLLBACK}}
        given = {"rollback_destination": connection(self.destination), "rollback_record": str(self.record)}
        return playbook(play([role]), {**given, **variables}, *arguments, expected=expected)

    def wrote(self, moment: str) -> list[str]:
        return lines(one for one in requests_since(moment, self.destination) if one["method"] in WRITING)

    def number_of_records(self) -> int:
        return len(list(self.records.glob("*.promotion.json")))


def serving(done: Run, name: str) -> dict[str, str]:
    """What tags pointed to when the task of that name has looked."""
    return {f"{one['repository']}:{one['tag']}": one.get("digest") or "" for one in done.of(name)["images"]}


def result(done: Run) -> Plain:
    return dict(done.of("Keep what was done")["ansible_facts"]["rollback_result"])


def failure(done: Run) -> str:
    return str(done.of("Fail where tags could not go back")["msg"])


def created_by(made: Promoted) -> str:
    """The tag that the second promotion created."""
    return f"{made.web}:new"


def all_of_a_record() -> None:
    """Foreseen by check mode; once; and the digests are those of before, which is recorded.

    What the promotion created goes where the registry can delete a tag alone, else it is listed.
    """
    for name in DESTINATIONS:
        made = Promoted(name, "all")
        created = f"{made.web}:new"
        entry = {"repository": made.web, "tag": "new", "digest": made.after[created]}
        moment = mark()
        foreseen = result(made.back("--check", rollback_created_tags="remove"))
        check(
            made.wrote(moment) == [] and made.served() == made.after, f"{name}: check mode wrote {made.wrote(moment)}"
        )
        check(foreseen["removed"] == [entry], f"{foreseen}")
        done = result(made.back(rollback_created_tags="remove"))
        check(done["images"] == foreseen["images"] and foreseen["changed"] and done["changed"], f"{foreseen}\n{done}")
        wanted = {**made.before, created: "" if name in REMOVES_TAGS else made.after[created]}
        check(made.served() == wanted, f"{name} serves {made.served()}, not {wanted}")
        if name in REMOVES_TAGS:
            check(done["removed"] == [entry] and done["not_reverted"] == [], f"{done}")
        else:
            (left,) = done["not_reverted"]
            reason = left.pop("reason")
            check(left == {**entry, "previous_digest": ""} and done["removed"] == [], f"{done}")
            check("cannot delete a tag alone" in reason, reason)
        own = json.loads(Path(done["record"]["path"]).read_text())["predicate"]
        check(Path(done["record"]["path"]).parent == made.records, f"{done['record']}")
        check((own["reverts"], own["outcome"]) == (made.record.name, "done"), f"{own}")
        check(own["environment"] == "production" and made.number_of_records() == 3, f"{own}")
        of_new = [tag for image in own["images"] for tag in image["tags"] if tag["tag"] == "new"]
        gone = [{"tag": "new", "previous_digest": "", "digest": entry["digest"], "action": "reverted"}]
        check(of_new == (gone if name in REMOVES_TAGS else []), f"{own}")
        moment = mark()
        again = made.back(rollback_created_tags="remove")
        check(not result(again)["changed"] and "changed=0" in again.output, again.output)
        wrote = made.wrote(moment)
        # Only where a tag stays, its removal is tried again.
        tried = [] if name in REMOVES_TAGS else [line for line in wrote if line.startswith("DELETE ")]
        check(wrote == tried and made.number_of_records() == 3, f"{name}: a second run wrote {wrote}")
        say(f"{name}: {len(made.before) - 1} tags went back, by a record; removed: {len(done['removed'])}")


def a_promotion_that_was_cut_off() -> None:
    """Its record ends as what the registry has: reverted if all is back, also what was never created."""
    for name in DESTINATIONS:
        for existed in (True, False):
            if not existed and name not in REMOVES_TAGS:
                continue
            made = Promoted(name, "cut-off-whole" if existed else "cut-off")
            statement = json.loads(made.record.read_text())
            statement["predicate"].update(outcome="begun", finished_at=None)
            made.record.write_text(json.dumps(statement, indent=1))
            if not existed:
                gone = {"state": "absent", "repository": made.web, "tag": "new"}
                call([task("tag", {**connection(name), **gone})])
            done = result(made.back(rollback_created_tags="remove"))
            ended = json.loads(made.record.read_text())["predicate"]
            actions = {tag["tag"]: tag["action"] for image in ended["images"] for tag in image["tags"]}
            is_back = name in REMOVES_TAGS
            check(ended["outcome"] == ("reverted" if is_back else "failed"), f"{name}: {ended}")
            wanted = {"stable": "reverted", "prod": "reverted", "new": "reverted" if is_back else "create"}
            check(actions == wanted and bool(ended["finished_at"]), f"{name}: {ended}")
            check(done["changed"] and made.number_of_records() == 3, f"{name}: {done}")
            written = made.record.read_text()
            again = made.back(rollback_created_tags="remove")
            check(not result(again)["changed"] and "changed=0" in again.output, again.output)
            check(made.record.read_text() == written and made.number_of_records() == 3, f"{name}: written again")


def some_of_a_record() -> None:
    """One image of it, one tag; or without it, to a digest that is named."""
    made = Promoted(DESTINATIONS[0], "some")
    made.back(rollback_images=[{"repository": made.app, "tag": "prod"}])
    app, web = made.app, made.web
    wanted = {**made.after, f"{app}:prod": made.before[f"{app}:prod"]}
    check(made.served() == wanted, f"{made.served()}, not {wanted}")
    record = json.loads(made.record.read_text())
    done = made.back(rollback_record=record["predicate"], rollback_images=[{"repository": web}])
    wanted[f"{web}:stable"] = made.before[f"{web}:stable"]
    check(made.served() == wanted and result(done)["record"]["path"] is None, f"{made.served()}, not {wanted}")
    to = {"repository": app, "tag": "stable", "digest": made.before[f"{app}:stable"]}
    others = OUTPUT / "other-records"
    others.mkdir()
    # A question of a survey that nobody answers gives empty text.
    done = made.back(rollback_record="", rollback_images=[to], rollback_record_to=str(others))
    wanted[f"{app}:stable"] = made.before[f"{app}:stable"]
    check(made.served() == wanted and Path(result(done)["record"]["path"]).parent == others, f"{result(done)}")
    done = made.back(rollback_images=[{"repository": app, "tag": "2.0"}], expected=2)
    check("rollback_images[0]: the record has no tag" in failure(done), failure(done))


def what_moved_since_is_refused() -> None:
    """Before anything moves; and what isn't asked for is left as it is. What is back already is fine."""
    made = Promoted(DESTINATIONS[0], "moved")
    app = made.app
    made.point(app, "prod", made.before[f"{app}:prod"])
    made.point(made.web, "stable", made.after[f"{made.web}:stable"])
    third = made.before[f"{made.web}:stable"]
    call([made.copying({app: (2, ["third"])}, "third")])
    at = {**connection(made.destination), "repository": app, "tag": "third"}
    made.point(app, "stable", call([task("manifest_info", at)]).of("manifest_info")["digest"])
    before = made.served()
    moment = mark()
    done = made.back(expected=2)
    now, expected = before[f"{app}:stable"], made.after[f"{app}:stable"]
    words = f"{app}:stable points to {now}, and {expected} was expected by the record"
    check("Nothing was written." in failure(done) and words in failure(done), failure(done))
    check(made.wrote(moment) == [] and made.served() == before, f"it wrote {made.wrote(moment)}")
    made.back(rollback_images=[{"repository": made.web, "tag": "stable"}, {"repository": app, "tag": "prod"}])
    check(made.served() == {**before, f"{made.web}:stable": third}, f"{made.served()}")


def created_tags_stay_unless_they_are_to_go() -> None:
    """And where one was moved since, nothing goes back."""
    made = Promoted(DESTINATIONS[0], "created")
    done = result(made.back())
    check(made.served() == {**made.before, created_by(made): made.after[created_by(made)]}, f"{made.served()}")
    check(done["kept"] == [{"repository": made.web, "tag": "new", "digest": made.after[created_by(made)]}], f"{done}")
    check(done["not_reverted"] == [] and done["removed"] == [], f"{done}")
    for name in (one for one in DESTINATIONS if one in REMOVES_TAGS):
        made = Promoted(name, "created-only")
        entry = {"repository": made.web, "tag": "new"}
        done = result(made.back(rollback_created_tags="remove", rollback_images=[entry]))
        check(made.served() == {**made.after, created_by(made): ""}, f"{made.served()}")
        own = json.loads(Path(done["record"]["path"]).read_text())["predicate"]
        check(
            (own["reverts"], own["outcome"], own["environment"]) == (made.record.name, "done", "production"), f"{own}"
        )
        check(made.number_of_records() == 3 and own["images"][0]["tags"][0]["action"] == "reverted", f"{own}")
        again = made.back(rollback_created_tags="remove", rollback_images=[entry])
        check("changed=0" in again.output and made.number_of_records() == 3, again.output)
    made = Promoted(DESTINATIONS[0], "created-moved")
    made.point(made.web, "new", made.before[f"{made.web}:stable"])
    before = made.served()
    moved = made.back(rollback_created_tags="remove", expected=2)
    check("Nothing was written." in failure(moved) and made.served() == before, failure(moved))


def a_removal_that_fails_is_a_failure() -> None:
    """As a whole, after the tags have moved: the tags that the promotion created are listed, and the role fails."""
    made = Promoted(DESTINATIONS[0], "unremoved")
    created = f"{made.web}:new"
    # Templates are filled in for each task: this one is wrong after the copy.
    jobs = "{{ 0 if 'images' in __rollback_copied else 4 }}"
    done = made.back(rollback_created_tags="remove", rollback_jobs=jobs, expected=2)
    check(made.served() == {**made.before, created: made.after[created]}, f"{made.served()}")
    (left,) = result(done)["not_reverted"]
    check((left["repository"], left["tag"]) == (made.web, "new") and "jobs" in left["reason"], f"{left}")
    check(failure(done) == f"The tags that the promotion created were not removed. {left['reason']}", failure(done))


def what_is_gone_is_said_before_anything_moves() -> None:
    """And a manifest that has lost its tag, but is there, is enough."""
    made = Promoted(DESTINATIONS[0], "gone")
    digest = made.before[f"{made.web}:stable"]
    gone = {**connection(made.destination), "repository": made.web, "digest": digest, "state": "absent"}
    call([task("manifest", gone)])
    moment = mark()
    done = made.back(expected=2)
    source = REGISTRIES[SOURCE]["address"]
    for words in ("Nothing was written.", f"{made.web}@{digest} is gone", f"Promote it again from {source}"):
        check(words in failure(done), failure(done))
    check(made.wrote(moment) == [] and made.served() == made.after, f"it wrote {made.wrote(moment)}")


def gates_and_signatures_judge_what_it_goes_back_to() -> None:
    made = Promoted(DESTINATIONS[0], "judged")
    never = {"name": "never", "that": "repository == 'x'"}
    for variables, words in (
        ({"rollback_gates": [never]}, "gate 'never'"),
        ({"rollback_signatures": [{"repositories": ["x"], "mode": "none"}]}, "no rule of signatures matches"),
    ):
        done = made.back(expected=2, **variables)
        check("Nothing was written." in failure(done) and words in failure(done), failure(done))
        check(made.served() == made.after, f"{words}: something moved")
    always = {"name": "was there", "that": f"starts_with(repository, '{RUN}')"}
    rule = {"mode": "if_present", "keys": [str(Keys(OUTPUT / "keys").path("p256.pub"))]}
    done = result(made.back(rollback_gates=[always], rollback_signatures=[rule]))
    check(all(image["gates"][0]["passed"] for image in done["images"]), f"{done['images']}")
    check(made.served()[f"{made.app}:prod"] == made.before[f"{made.app}:prod"], "nothing went back")


def the_guide_runs() -> None:
    """Its promotion, twice, with another image; then its rollback, and the playbook of the collection.

    Promotions of another repository came later, into the same directory: they stay.
    """
    directory, destination = OUTPUT / "guide", "prod"
    records = directory / "promotions"
    records.mkdir(parents=True)
    first, second, _third = seed(SOURCE, "single,multi,family", f"{RUN}/guide")[:3]
    files = {}
    for name, text in guide_pages.files("roll_back").items():
        for registry, runs in (("dev.example:5000", SOURCE), ("prod.example", destination)):
            there = rf"\1registry: {REGISTRIES[runs]['address']}\n\1plain_http: true"
            text = re.sub(rf"^( *)registry: {registry}$", there, text, flags=re.MULTILINE)
        files[name] = text.replace("/var/lib/promotions", str(records)).replace('"1.4.2"', json.dumps(first["tag"]))
    other = f"{first['repository']}-other"
    for repository in (first["repository"], other):
        for image in (first, second):
            text = files["promote.yml"].replace("- repository: team/app", f"- repository: {image['repository']}")
            also = rf"\1\2\n\1destination_repository: {repository}\n"
            (directory / "promote.yml").write_text(re.sub(r"( +)(tags: \[stable\])\n", also, text))
            playbook(directory / "promote.yml", {})
    at = {**connection(destination), "repository": first["repository"], "tag": "stable"}
    beside = {**at, "repository": other}

    def served() -> list[str]:
        done = call([task("manifest_info", at), task("manifest_info", beside, name="beside")])
        return [done.of("manifest_info")["digest"], done.of("beside")["digest"]]

    check(served() == [second["digest"]] * 2, "it is not promoted")
    (directory / "none.yml").write_text(files["rollback.yml"].replace("team/app", "team/nowhere"))
    done = playbook(directory / "none.yml", {}, expected=2)
    words = "says that a promotion to production moved stable of team/nowhere."
    check(words in done.of("Stop if there is none")["msg"], done.output)
    (directory / "rollback.yml").write_text(files["rollback.yml"].replace("team/app", first["repository"]))
    done = playbook(directory / "rollback.yml", {})
    check("1 tag went back" in done.output, done.output)
    check(served() == [first["digest"], second["digest"]], "it is not back, or more went back")
    again = playbook(directory / "rollback.yml", {})
    check("changed=0" in again.output and len(list(records.glob("*.promotion.json"))) == 5, again.output)
    check(served() == [first["digest"], second["digest"]], "it moved forward again")
    back = {"repository": first["repository"], "tag": "stable", "digest": first["digest"]}
    given = {"rollback_destination": connection(destination), "rollback_images": [back]}
    check("0 tags went back" in playbook(ROLLBACK, given).output, "the playbook moved something")
    for some in ({}, {"rollback_destination": connection(destination)}, {"rollback_images": [back]}):
        done = playbook(ROLLBACK, some, expected=2)
        check("rollback_destination must be given" in " ".join(done.output.split()), done.output)


def what_is_no_record() -> None:
    made = Promoted(DESTINATIONS[0], "none")
    other = OUTPUT / "no-record.json"
    other.write_text("{}")
    for variables, words in (
        ({"rollback_record": str(OUTPUT / "nowhere")}, "rollback_record: "),
        ({"rollback_record": str(other)}, "rollback_record: "),
        ({"rollback_record": None}, "rollback_images: no tags to move back are named"),
        ({"rollback_created_tags": "drop"}, "rollback_created_tags must be keep or remove"),
        ({"rollback_destination": connection(SOURCE)}, "rollback_record: its promotion was to"),
    ):
        done = made.back(expected=2, **variables)
        check(words in failure(done), f"{words!r} is not in {failure(done)!r}")
    check(made.served() == made.after, "something moved")


main(
    [
        all_of_a_record,
        a_promotion_that_was_cut_off,
        some_of_a_record,
        what_moved_since_is_refused,
        created_tags_stay_unless_they_are_to_go,
        a_removal_that_fails_is_a_failure,
        what_is_gone_is_said_before_anything_moves,
        gates_and_signatures_judge_what_it_goes_back_to,
        what_is_no_record,
        the_guide_runs,
    ]
)
