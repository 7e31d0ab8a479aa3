# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role promote with a plan that was given, what it hands to the next job, and how large its events are."""

from __future__ import annotations

import json
import re
import sys
import time
from typing import Any

from runs import (
    COLLECTION,
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
    lines,
    main,
    mark,
    play,
    playbook,
    requests_since,
    say,
    seed,
    task,
    write_task,
)

sys.path.append(str(COLLECTION / "tools"))

import guide_pages

SOURCE, DESTINATION = "dev", "prod"
ENDS = {**connection(DESTINATION), "source": connection(SOURCE)}
EVENT = 700_000
"""Bytes, of which AWX keeps no more."""
MANY, SOME = 1000, 120
"""Images; the result of either is too large for an event."""
GUIDE = OUTPUT / "guide"
RUN = f"plans-{time.time_ns()}"
"""New at every run: what an earlier one has promoted would be equal."""


def variables(images: list[Plain], **more: Any) -> Plain:
    ends = {"promote_source": connection(SOURCE), "promote_destination": connection(DESTINATION)}
    return {**ends, "promote_images": images, **more}


def items(number: int, name: str) -> list[Plain]:
    """So many images, in repositories of their own at both ends."""
    seeded = seed(SOURCE, "single,multi,family", f"{RUN}/{name}")[:number]
    return [{"repository": image["repository"], "tag": image["tag"]} for image in seeded]


def planned(images: list[Plain], **options: Any) -> Plain:
    return call([task("image_diff_info", {**ENDS, "images": images, **options})]).of("image_diff_info")


def served(image: Plain, tag: str = "") -> str:
    at = {"repository": image.get("destination_repository", image["repository"]), "tag": tag or image["tag"]}
    found = call([task("manifest_info", {**connection(DESTINATION), **at})]).of("manifest_info")
    return str(found.get("digest", ""))


def point(registry: str, repository: str, tag: str, to: Plain) -> None:
    """Have a tag of a registry point to what another tag of the source points to."""
    there = {**connection(registry), "source": connection(SOURCE)}
    item = {"repository": to["repository"], "tag": to["tag"], "destination_repository": repository, "tags": [tag]}
    call([task("image_copy", {**there, "images": [item]})])


def result(done: Run) -> Plain:
    return dict(done.of("Keep what was done")["ansible_facts"]["promote_result"])


def failure(done: Run) -> str:
    return str(done.of("Fail where images could not be promoted")["msg"])


def a_plan_is_carried_out_without_a_comparison() -> None:
    """From a file (the guide has one in JSON), or as a variable; foreseen; and again, which changes nothing."""
    for form in ("yml", "variable"):
        images = items(2, form)
        plan = planned(images)
        path = OUTPUT / f"plan.{form}"
        copied = {"content": "{{ plan | to_yaml }}", "dest": str(path), "mode": "0600"}
        write = {"name": "Write", "ansible.builtin.copy": copied}
        playbook(play([write]), {"plan": plan})
        given = variables(images, promote_plan=plan if form == "variable" else str(path))
        before = mark()
        foreseen = result(playbook(PROMOTE, given, "--check"))
        wrote = [entry for entry in requests_since(before, DESTINATION) if entry["method"] in WRITING]
        check(not wrote, f"check mode wrote {lines(wrote)}")
        moment = mark()
        done = playbook(PROMOTE, given)
        compared = [one["status"] for one in done.results if one["task"].endswith("Compare digests")]
        check(compared == ["skipped"], done.output)
        read = [entry for entry in requests_since(moment, SOURCE) if "/manifests/" in entry["path"]]
        check({entry["method"] for entry in read} == {"HEAD"} and len(read) == len(images), f"{lines(read)}")
        told = result(done)
        check([image["action"] for image in told["images"]] == ["promote"] * 2, f"{told}")
        check(foreseen["images"] == told["images"] and foreseen["changed"] and told["changed"], f"{foreseen}\n{told}")
        check([served(image) for image in images] == [one["digest"] for one in plan["images"]], f"{form} is not served")
        again = playbook(PROMOTE, given)
        check(not result(again)["changed"] and "changed=0" in again.output, again.output)
        actions = [image["action"] for image in result(again)["images"]]
        check(actions == ["unchanged"] * 2 and "0 promoted, 2 unchanged" in again.output, again.output)
        say(f"a plan as {form}: {len(read)} requests for manifests at the source, all HEAD")


def an_old_plan_is_refused_image_by_image() -> None:
    """What has changed is told. Others are promoted where that is asked for."""
    images = items(3, "old")
    images[2]["tags"] = ["moved"]
    plan = planned(images)
    point(SOURCE, images[0]["repository"], images[0]["tag"], images[1])
    point(DESTINATION, images[2]["repository"], "moved", images[1])
    given = variables(images, promote_plan=plan)
    moment = mark()
    done = playbook(PROMOTE, given, expected=2)
    check(not [one for one in requests_since(moment, DESTINATION) if one["method"] in WRITING], "it wrote something")
    old, new = plan["images"][0]["digest"], plan["images"][1]["digest"]
    words = [
        "Nothing was written.",
        f"the source serves {new} now, and the plan promotes {old}. Make a new plan.",
        f":moved points to {new}, and no tag was expected. Make a new plan.",
    ]
    check(all(part in failure(done) for part in words), failure(done))
    check([image["action"] for image in result(done)["images"]] == ["refused", "failed", "refused"], f"{result(done)}")
    done = playbook(PROMOTE, {**given, "promote_on_error": "continue"}, expected=2)
    check([image["action"] for image in result(done)["images"]] == ["refused", "promote", "refused"], f"{result(done)}")
    check(served(images[1]) == new and served(images[0]) == "", "the wrong images were promoted")
    check("2 of 3 images" in failure(done), failure(done))


def a_digest_that_is_gone_is_refused() -> None:
    (image,) = items(1, "gone")
    digest = planned([image])["images"][0]["digest"]
    pinned = [{"repository": image["repository"], "digest": digest, "tags": ["1.0"]}]
    plan = planned(pinned)
    call(
        [
            task(
                "manifest",
                {**connection(SOURCE), "repository": image["repository"], "digest": digest, "state": "absent"},
            )
        ]
    )
    done = playbook(PROMOTE, variables(pinned, promote_plan=plan), expected=2)
    check(f"the source does not have it any more, and the plan promotes {digest}" in failure(done), failure(done))


def a_plan_claims_nothing_that_is_believed() -> None:
    """By its own gates and options, whatever the plan says: in the role, and in the module that carries plans out."""
    images = items(2, "claims")
    plan = planned(images)
    given: Plain
    gates = {"gates": [{"name": "never", "that": "repository == 'x'"}]}
    moment = mark()
    for given, words in (
        (gates, "gate 'never'"),
        ({"signatures": [{"repositories": ["x"], "mode": "none"}]}, "no rule of signatures matches"),
        ({"images": images[:1]}, "plan is about 2 images, and images has 1"),
        ({"images": [images[0], {**images[1], "tags": ["other"]}]}, "it has other tags than other"),
        ({"plan": {**plan, "blobs": []}}, "counts on blob"),
    ):
        options = {**ENDS, "images": images, "plan": plan, **given}
        said = call([task("image_copy", options, ignore_errors=True)]).of("image_copy")["msg"]
        check(words in said, f"{words!r} is not in {said!r}")
    for given, words in (
        ({"promote_gates": gates["gates"]}, "gate 'never'"),
        ({"promote_images": images[:1]}, "promote_plan is about 2 images, and images has 1"),
        ({"promote_plan": str(OUTPUT / "nowhere.json")}, "is not there on the controller"),
        ({"promote_plan": ""}, "promote_plan is empty"),
        ({"promote_plan": {"kept": "imageops-registry-1"}}, "promote_plan.images is not a list"),
    ):
        done = playbook(PROMOTE, variables(images, **{"promote_plan": plan, **given}), expected=2)
        check(words in failure(done), f"{words!r} is not in {failure(done)!r}")
    wrote = [one for one in requests_since(moment, DESTINATION) if one["method"] in WRITING]
    check(not wrote, f"it wrote {lines(wrote)}")


def the_next_job_is_told() -> None:
    """Its variable has what is served, in check mode as well; nothing is handed on without being asked."""
    images = items(2, "next")
    images[0]["tags"] = ["1.0", "stable"]
    point(DESTINATION, images[0]["repository"], "stable", images[1])
    digests = [one["digest"] for one in planned(images)["images"]]
    given = variables(images, promote_set_stats=True)
    for arguments, action in ((["--check"], "promote"), ([], "promote"), ([], "unchanged")):
        done = playbook(PROMOTE, given, *arguments)
        told = done.of("Hand on what was done")["ansible_stats"]["data"]
        check(list(told) == ["promoted"] and set(told["promoted"]) == {"changed", "record", "images"}, f"{told}")
        check(told["promoted"]["changed"] is (action == "promote"), f"{told}")
        first, second = told["promoted"]["images"]
        check([first["digest"], second["digest"]] == digests and first["tags"] == ["1.0", "stable"], f"{told}")
        check(first["destination"] == f"{REGISTRIES[DESTINATION]['address']}/{images[0]['repository']}", f"{told}")
        moved = {"stable": digests[1]} if action == "promote" else {}
        check(first["previous_digests"] == moved and first["action"] == second["action"] == action, f"{told}")
        headings = [line for line in done.output.splitlines() if line.startswith(f"TASK [{PROMOTE} : ")]
        check(action == "promote" or 0 < len(headings) <= 6, f"{headings}")
    quiet = playbook(PROMOTE, variables(images))
    skipped = [one for one in quiet.results if one["task"].endswith("Hand on what was done")]
    check([one["status"] for one in skipped] == ["skipped"], quiet.output)


def largest(what: str, done: Run) -> None:
    """No event is larger than AWX keeps."""
    sizes = sorted((len(json.dumps(entry)), entry["task"]) for entry in done.results)
    size, name = sizes[-1]
    check(size < EVENT, f"{what}: the event of {name!r} has {size} bytes")
    say(f"{what}: the largest event, {name!r}, has {size} bytes")


def events_of_many_images() -> None:
    """Of a thousand images, each with a manifest and blobs of its own places; the result has all of them."""
    (image,) = items(1, "many")
    many = [{**image, "destination_repository": f"{RUN}/many/{number}"} for number in range(MANY)]
    actions = "{{ promote_result.images | map(attribute='action') | unique }}"
    count = {"name": "Count", "ansible.builtin.debug": {"msg": actions}}
    whole = OUTPUT / "whole.json"
    role = {"name": "Promote", "ansible.builtin.include_role": {"name": PROMOTE}}
    tasks = [role, count, write_task("promote_result", whole)]
    # What is foreseen has all that the result of the promotion has: so only some are promoted, which takes much longer.
    for arguments, what, action, images in (
        (["--check"], "foreseen", "promote", many),
        ([], "promoted", "promote", many[:SOME]),
        ([], "unchanged", "unchanged", many[:SOME]),
    ):
        done = playbook(play(tasks), variables(images, promote_set_stats=True, promote_jobs=8), *arguments)
        largest(f"{len(images)} images {what}", done)
        check(done.of("Count")["msg"] == [action], done.of("Count")["msg"])
        if not arguments:
            kept = json.loads(whole.read_text())
            check(len(kept["images"]) == SOME and kept["changed"] is (action == "promote"), "the result is not whole")
        stats = done.of("Hand on what was done")["ansible_stats"]["data"]["promoted"]["images"]
        check(len(stats) == len(images), f"{len(stats)} images were handed on")
    plan = planned(many[:SOME])
    check(not plan["differs"], "a second run would find differences")
    missing = [{**entry, "tag": "nowhere"} for entry in many]
    done = playbook(PROMOTE, variables(missing, promote_set_stats=True), expected=2)
    largest(f"{MANY} images missing", done)
    check("Nothing was written." in failure(done) and "others were blocked" not in failure(done), failure(done))


def on_real_registries(text: str, image: Plain) -> str:
    """The text of the guide for the registries that run, without TLS, and an image of theirs."""
    for name, registry in {"dev.example:5000": SOURCE, "prod.example": DESTINATION}.items():
        there = rf"\1registry: {REGISTRIES[registry]['address']}\n\1plain_http: true"
        text = re.sub(rf"^( *)registry: {name}$", there, text, flags=re.MULTILINE)
    return text.replace("team/app", image["repository"]).replace('"1.4.2"', json.dumps(image["tag"]))


def the_guide_runs() -> None:
    """Its files, one after the other."""
    (image,) = items(1, "guide")
    GUIDE.mkdir(exist_ok=True)
    for name, text in guide_pages.files("plan_approve").items():
        (GUIDE / name).write_text(on_real_registries(text, image))
    done = playbook(GUIDE / "plan.yml", {})
    (shown,) = (one["msg"] for one in done.of("Show what would be promoted")["results"])
    check([tag["action"] for tag in shown["tags"]] == ["create", "create"], f"{shown}")
    check(shown["action"] == "promote" and shown["reason"] == "", f"{shown}")
    reviewed = playbook(GUIDE / "carry_out.yml", {}, "--check", "--diff")
    check(f"+tag stable: {shown['digest']}" in reviewed.output, reviewed.output)
    check(served(image) == "", "the plan has promoted something")
    playbook(GUIDE / "carry_out.yml", {})
    check(served(image) == served(image, "stable") == shown["digest"], "what was planned is not served")


def awx_hands_the_plan_on() -> None:
    """Registries with TLS and a login, as the playbooks of the guide have them."""
    source, destination = "dev-token", "prod-htpasswd"
    (seeded,) = seed(source, "single", f"{RUN}/awx")
    given: Plain = {"images": f"{seeded['repository']}:{seeded['tag']}\n\n"}
    for side, name in (("source", source), ("destination", destination)):
        entry = REGISTRIES[name]
        login = {"registry": entry["address"], "username": entry["username"], "password": entry["password"]}
        given.update({f"{side}_{key}": value for key, value in login.items()})
    trusting = {"REQUESTS_CA_BUNDLE": CONFIG["registries_ca"]}
    done = playbook(GUIDE / "awx-plan.yml", given, environment=trusting)
    handed = done.of("Pass the plan to the next node")["ansible_stats"]["data"]
    check(list(handed) == ["approved_plan"], f"{list(handed)}")
    done = playbook(GUIDE / "awx-carry-out.yml", {**given, **handed}, environment=trusting)
    (promoted,) = done.of("Hand on what was done")["ansible_stats"]["data"]["promoted"]["images"]
    check(promoted["digest"] == seeded["digest"] and promoted["action"] == "promote", f"{promoted}")
    done = playbook(GUIDE / "awx-carry-out.yml", given, environment=trusting, expected=2)
    check("approved_plan" in done.output, done.output)


main(
    [
        a_plan_is_carried_out_without_a_comparison,
        an_old_plan_is_refused_image_by_image,
        a_digest_that_is_gone_is_refused,
        a_plan_claims_nothing_that_is_believed,
        the_next_job_is_told,
        events_of_many_images,
        the_guide_runs,
        awx_hands_the_plan_on,
    ]
)
