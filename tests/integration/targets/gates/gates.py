# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gates at real registries: each example of the cookbook lets one image pass, and refuses another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from killing import kill_tree
from made_images import RECORD, Made
from openssl_signatures import Keys
from runs import (
    COLLECTION,
    OUTPUT,
    PROMOTE,
    REGISTRIES,
    WRITING,
    Plain,
    Run,
    check,
    connection,
    inventory,
    lines,
    main,
    mark,
    play,
    playbook,
    requests_since,
    say,
    task,
    write_task,
)

sys.path.append(str(COLLECTION / "tools"))

import guide_pages

SOURCE, DESTINATION = "dev", "prod"
SPDX, SLSA = "https://spdx.dev/Document", "https://slsa.dev/provenance/v1"
PREFIX = f"gates-{time.time_ns()}"
"""New at every run: what an earlier one has promoted would be equal."""


def to_destination(made: Made) -> Plain:
    """As an entry of ``images``."""
    return {**made.named, "destination_repository": f"{PREFIX}/{made.repository}"}


SOURCE_LABEL, LICENCES = "org.opencontainers.image.source", "org.opencontainers.image.licenses"
BASE = "org.opencontainers.image.base.name"
OLD = {"environment": "staging", "outcome": "done", "finished_at": "2026-01-01T00:00:00Z", "images": []}
YOUNG = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

CASES: dict[str, tuple[Made, Made]] = {
    "required labels": (
        Made("team/labels", labels={"team": "a", SOURCE_LABEL: "b"}),
        Made("team/no-labels", labels={"team": "a"}),
    ),
    "base image": (
        Made("team/base", annotations={BASE: "registry.example/base/debian:12"}),
        Made("team/no-base", annotations={BASE: "docker.example/debian:12"}),
    ),
    "maximum size": (Made("team/small"), Made("team/large", layer=2000)),
    "maximum age": (Made("team/young", created=YOUNG), Made("team/old")),
    "minimum age": (Made("team/known"), Made("team/unknown")),
    "soak time": (
        Made("team/soaked", statements=(("p256", RECORD, OLD),)),
        Made("team/not-soaked", statements=(("stranger", RECORD, OLD), ("p256", RECORD, {**OLD, "environment": "qa"}))),
    ),
    "platforms": (Made("team/amd64"), Made("team/s390x", platform="s390x")),
    "no latest": (Made("team/version"), Made("team/latest", tag="latest")),
    "sbom": (Made("team/sbom", statements=(("p256", SPDX, {}),)), Made("team/no-sbom")),
    "provenance": (Made("team/slsa", statements=(("p256", SLSA, {}),)), Made("team/no-slsa")),
    "licence": (Made("team/gpl", labels={LICENCES: "GPL-3.0"}), Made("team/agpl", labels={LICENCES: "AGPL-3.0"})),
    "repositories": (Made("base/ours"), Made("other/theirs")),
    "new rule": (Made("team/new", labels={"org.opencontainers.image.documentation": "x"}), Made("team/not-new")),
}
"""For each example of the cookbook, an image that passes and one that doesn't."""


def examples() -> dict[str, Plain]:
    """The gates of the cookbook, by their names."""
    blocks = [one.text for one in guide_pages.examples(guide_pages.page("gates")) if one.language == "yaml"]
    read = OUTPUT / "cookbook.json"
    playbook(play([write_task("blocks | map('from_yaml')", read)]), {"blocks": blocks})
    return {gates[0]["name"]: gates[0] for gates in json.loads(read.read_text())}


def cookbook() -> None:
    """Each example, with an image that passes and one that doesn't."""
    keys = Keys(OUTPUT / "keys")
    gates = examples()
    check(set(gates) == set(CASES), f"the cookbook has {sorted(gates)}, and here are {sorted(CASES)}")
    # Half a gigabyte isn't pushed: the limit is moved instead.
    size = "total_size <= `524288000`"
    check(gates["maximum size"]["that"] == size, "another maximum size")
    gates["maximum size"]["that"] = "total_size <= `1000`"
    playbook(play([step for pair in CASES.values() for made in pair for step in made.tasks(SOURCE, keys)]), {})
    records = OUTPUT / "records"
    records.mkdir()
    tasks = [looking(name, gates[name], pair, keys, str(records)) for name, pair in CASES.items()]
    known = {"name": "Know one of them for long", "ansible.builtin.copy": {"dest": str(records / "first-seen.json")}}
    known["ansible.builtin.copy"]["content"] = "{{ old | to_json }}"
    name = f"{REGISTRIES[SOURCE]['address']}/team/known@"
    look = task("manifest_info", {**connection(SOURCE), "repository": "team/known", "tag": "1.0"}, register="looked")
    known["vars"] = {"old": "{{ {'" + name + "' ~ looked.digest: '2026-01-01T00:00:00Z'} }}"}
    beginning = mark()
    done = playbook(play([look, known, *tasks]), {}, noise=True)
    for name in CASES:
        images = done.of(name)["images"]
        wanted = ["promote", "promote" if name == "new rule" else "refused"]
        check([image["action"] for image in images] == wanted, f"{name}: {images}")
        passed = [image["gates"][0]["passed"] for image in images]
        check(passed == [True, False], f"{name}: {images}")
        if name != "new rule":
            check(gates[name]["msg"] in images[1]["reason"], f"{name}: {images[1]['reason']}")
    check("January" in done.output, f"no warning of the new rule:\n{done.output}")
    writes = [one for one in requests_since(beginning, DESTINATION) if one["method"] in WRITING]
    check(not writes, f"{writes}")
    say(f"{len(CASES)} examples")


def looking(name: str, gate: Plain, pair: tuple[Made, Made], keys: Keys, records: str) -> Plain:
    ends = {**connection(DESTINATION), "source": connection(SOURCE)}
    options = {**ends, "images": [to_destination(made) for made in pair], "gates": [gate]}
    if name == "minimum age":
        options["record"] = {"path": records}
    if name == "soak time":
        options["signatures"] = [{"keys": [str(keys.path("p256.pub"))], "mode": "if_present"}]
    return task("image_diff_info", options, name=name)


def role() -> None:
    """What the role refuses, in check mode and for real, writes nothing; what passes is promoted, once."""
    good, bad = CASES["required labels"]
    gate = examples()["required labels"]
    gate["message"] = gate.pop("msg")  # Its other name.
    variables = {
        "promote_source": connection(SOURCE),
        "promote_destination": connection(DESTINATION),
        "promote_images": [to_destination(good), to_destination(bad)],
        "promote_gates": [gate],
    }
    steps = [{"name": "Promote", "ansible.builtin.include_role": {"name": PROMOTE}}]
    beginning = mark()
    for arguments in (("--check", "--diff"), ()):
        done = playbook(play(steps), variables, *arguments, expected=2)
        said = said_in(done)
        check(gate["message"] in said and "Nothing was written" in said, done.output)
    writes = [one for one in requests_since(beginning, DESTINATION) if one["method"] in WRITING]
    check(not writes, f"{lines(writes)}")
    part = {**variables, "promote_on_error": "continue"}
    foreseen = playbook(play(steps), part, "--check", "--diff", expected=2)
    done = playbook(play(steps), part, "--diff", expected=2)
    check("gates: required labels (passed)" in said_in(done), done.output)
    blocks = diff_of(done)
    check(blocks == diff_of(foreseen), f"check mode has shown {diff_of(foreseen)}, and then it was {blocks}")
    check([block["after"].startswith(f"tag {good.tag}: sha256:") for block in blocks] == [True], f"{blocks}")
    check(blocks[0]["after"].endswith("according to the plan, gates: required labels (passed)\n"), f"{blocks}")
    again = playbook(play(steps), {**variables, "promote_images": [to_destination(good)]})
    check("1 unchanged" in said_in(again), again.output)


JUDGED = 12
ATTEMPTS = 3


class Begun:
    """A run of ansible-playbook that is watched by what the source sees of it."""

    def __init__(self, copying: Plain) -> None:
        command = ["ansible-playbook", "-i", str(inventory()), str(play([copying]))]
        environment = {name: value for name, value in os.environ.items() if name != "RUNS_STARTED"}
        self.moment = mark()
        with (OUTPUT / "judged.log").open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )

    def judged(self) -> int:
        """How many images the gates have seen: for each, its config is read."""
        return sum("/blobs/sha256:" in request["path"] for request in requests_since(self.moment, SOURCE))

    def kill_at(self, number: int) -> int:
        """SIGKILL it and all below it when so many images are judged, or it has ended. Returns how many are."""
        while self._process.poll() is None and self.judged() < number:
            time.sleep(0.01)
        kill_tree(self._process.pid)
        self._process.wait()
        return self.judged()

    def writes(self) -> list[str]:
        return lines(one for one in requests_since(self.moment, DESTINATION) if one["method"] in WRITING)


def killed() -> None:
    """Killed at any moment before the last image is judged, nothing is written; with one refused, nothing either."""
    keys = Keys(OUTPUT / "keys")
    images = [Made(f"judged/image-{number}", labels={"number": str(number)}) for number in range(JUDGED)]
    playbook(play([step for made in images for step in made.tasks(SOURCE, keys)]), {})
    gate = {"name": "numbered", "that": "labels.number != `null`"}
    options: Plain = {**connection(DESTINATION), "source": connection(SOURCE), "artifacts": ["none"], "gates": [gate]}
    options["images"] = [to_destination(made) for made in images]
    # So it takes some seconds until all are judged.
    slowly = task("image_copy", {**options, "requests_per_second": 2})
    for moment in (1, JUDGED // 2):
        for _attempt in range(ATTEMPTS):
            begun = Begun(slowly)
            seen = begun.kill_at(moment)
            if seen < JUDGED:
                break
        log = (OUTPUT / "judged.log").read_text(encoding="utf-8")
        check(moment <= seen < JUDGED, f"it was killed when {seen} images were judged, which shows nothing:\n{log}")
        check(not begun.writes(), f"{seen} of {JUDGED} images were judged, and these were written: {begun.writes()}")
        say(f"killed when {seen} of {JUDGED} images were judged: nothing was written")
    beginning = mark()
    refusing = {**options, "gates": [{**gate, "that": f"labels.number != '{JUDGED - 1}'"}]}
    done = playbook(play([task("image_copy", refusing)]), {}, expected=2).of("image_copy")
    check([image["action"] for image in done["images"]].count("refused") == 1, f"{done['images']}")
    writes = [one for one in requests_since(beginning, DESTINATION) if one["method"] in WRITING]
    check(not writes, f"{lines(writes)}")
    done = playbook(play([task("image_copy", options)]), {}).of("image_copy")
    check([image["action"] for image in done["images"]] == ["promote"] * JUDGED, f"{done['images']}")


def diff_of(done: Run) -> list[Plain]:
    """The blocks that the role has shown."""
    blocks: list[Plain] = done.of("Copy what differs, and move the tags last")["diff"]
    return blocks


def said_in(done: Run) -> str:
    """What its tasks have said, on one line."""
    return json.dumps([entry["result"] for entry in done.results])


main([cookbook, role, killed])
