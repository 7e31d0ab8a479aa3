# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passwords that occur in names, digests and contents. Before 2.22, ansible-core cuts them out of results."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from runs import (
    OUTPUT,
    TWO_ENDS,
    WRITING,
    Failed,
    Plain,
    Run,
    check,
    connection,
    core_version,
    lines,
    main,
    module_options,
    play,
    playbook,
    private_file,
    say,
    seed,
    state_at,
    task,
    write_task,
)

from access_log import mark_logs, read_requests
from fleet import start, stop
from specification import Specification

OWN = state_at(OUTPUT / "short-registries")
PASSWORDS = {"word": "ci", "letter": "a", "number": "12", "digits": "0e"}
WITH_ALL = "letter"
"""Tried with every module where ansible-core cuts it out, since it occurs most often; the others with some."""
SOME = ("image_diff_info", "manifest_info", "tag")
MASKED = core_version() < (2, 22)
REPOSITORY = "ci/12-0e"
WRITTEN = OUTPUT / "short-results.json"
CUT = ("********", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "REDACTED")


def image_in(name: str) -> Plain:
    return next(image for image in seed(name, "single", REPOSITORY, state=OWN))


def open_end(name: str, *, with_file: bool) -> Plain:
    entry = OWN.registry(name)
    options: Plain = {"registry": entry["address"], "plain_http": True}
    if not with_file:
        return {**options, "username": entry["username"], "password": entry["password"]}
    encoded = base64.b64encode(f"{entry['username']}:{entry['password']}".encode()).decode()
    file = private_file(f"short-auth-{name}.json", json.dumps({"auths": {entry["address"]: {"auth": encoded}}}))
    return {**options, "auth_file": str(file)}


class Case(NamedTuple):
    """One of the passwords, as an option or in an auth_file."""

    password: str
    with_file: bool = False

    @property
    def name(self) -> str:
        return f"{self.password}{', in an auth_file' if self.with_file else ''}"

    @property
    def written(self) -> Path:
        """The file to which the results of its tasks are written."""
        return OUTPUT / f"short-{self.password}-{self.with_file}.json"

    def of(self, done: Run) -> dict[str, Plain]:
        """What came of its tasks, by their names."""
        start = f"{self.name}: "
        return {entry["task"].removeprefix(start): entry for entry in done.results if entry["task"].startswith(start)}


CASES = [*map(Case, PASSWORDS), Case(WITH_ALL, with_file=True)]
"""From an auth_file, the one that occurs most often says it for all."""


def tasks_of(case: Case, image: Plain) -> list[Plain]:
    """Modules with the short password at either end, all or some, and a task that writes their results down."""
    short = open_end(case.password, with_file=case.with_file)
    tasks: list[Plain] = []
    registered: dict[str, str] = {}

    def add(module: str, option: str, options: Plain) -> None:
        name = f"{module}: {option}"
        registered[name] = result = f"result_{case.password}_{case.with_file}_{len(tasks)}"
        tasks.append(task(module, options, name=f"{case.name}: {name}", register=result, ignore_errors=True))

    for module, options in module_options(image).items():
        if module not in SOME and (case != Case(WITH_ALL) or not MASKED):
            continue
        source = {"source": connection("dev")} if module in TWO_ENDS else {}
        add(module, "password", {**short, **source, **options})
        if source:
            add(module, "source.password", {**connection("prod"), **options, "source": short})
    results = ", ".join(f"'{name}': {result}" for name, result in registered.items())
    return [*tasks, write_task("{" + results + "}", case.written)]


def writes(moment: str, name: str) -> list[str]:
    seen = read_requests(OWN, name, moment)
    return lines(request for request in seen if request["method"] in WRITING)


def check_refusal(case: Case, done: Run) -> None:
    """Every task names the option and a way out, and shows the password nowhere."""
    asked = case.of(done)
    for name, entry in asked.items():
        option = name.partition(": ")[2]
        check(entry["status"] == "failed", f"{entry['task']}: {entry['status']}")
        message = entry["result"]["msg"]
        for part in (f"The value of {option} also occurs", "auth_file", "ansible-core before 2.22"):
            check(part in message, f"{entry['task']}: {message}")
        check("********" not in message, f"{entry['task']}: {message}")
        shown = json.dumps({key: value for key, value in entry["result"].items() if key != "invocation"})
        check(f'"{PASSWORDS[case.password]}"' not in shown, f"{entry['task']}: the password is in the result")
    say(f"{PASSWORDS[case.password]!r}: {len(asked)} tasks refuse: {message}")


def check_results(case: Case, done: Run, image: Plain) -> None:
    """The results hold the image's names and digests as they are."""
    worked = case.of(done)
    for entry in worked.values():
        check(entry["status"] == "ok", f"{entry['task']}: {entry['result'].get('msg')}")
    whole = case.written.read_text(encoding="utf-8")
    for cut in CUT:
        check(cut not in whole, f"{case.name}: {cut} in the results: {whole}")
    results = json.loads(whole)
    info = results["manifest_info: password"]
    check(info["digest"] == image["digest"], f"{case.name}: the digest is {info['digest']}")
    check(info["images"][0]["repository"] == image["repository"], f"{case.name}: {info['images'][0]}")
    compared = results["image_diff_info: source.password"]["images"][0]
    check(compared["digest"] == image["digest"], f"{case.name}: the digest is {compared['digest']}")
    say(f"{PASSWORDS[case.password]!r}, {case.name}: {len(worked)} tasks work")


def every_module() -> None:
    """Before 2.22 every module refuses such a password before it writes; from an auth_file it is always taken."""
    images = {name: image_in(name) for name in PASSWORDS}
    for name in ("dev", "prod"):
        seed(name, "single", REPOSITORY)
    (OUTPUT / "downloaded").unlink(missing_ok=True)
    moment = mark_logs(OWN)
    done = playbook(play([step for case in CASES for step in tasks_of(case, images[case.password])]), {})
    for name in PASSWORDS:
        wrote = writes(moment, name)
        check(not wrote, f"{name} saw {wrote}")
    for case in CASES:
        check(len(case.of(done)) > len(SOME), f"{case.name}: only {len(case.of(done))} tasks")
        if MASKED and not case.with_file:
            check_refusal(case, done)
        else:
            check_results(case, done, images[case.password])


def handed_on() -> None:
    """A whole promotion: what one task returns, the next one works on."""
    name = WITH_ALL
    seeded = seed("dev", "multi,family", REPOSITORY)
    images = [{"repository": image["repository"], "tag": image["tag"]} for image in seeded]
    for with_file in (False, True):
        variables = {
            "promote_source": connection("dev"),
            "promote_destination": open_end(name, with_file=with_file),
            "promote_images": [{**image, "tags": [f"ci-12-0e-{with_file}"]} for image in images],
        }
        refused = MASKED and not with_file
        moment = mark_logs(OWN)
        promotion = play([write_task("promote_result", WRITTEN)], roles=["imageops.registry.promote"])
        done = playbook(promotion, variables, expected=2 if refused else 0)
        if refused:
            check(not writes(moment, name), f"{name} saw {writes(moment, name)}")
            message = done.of("Compare digests")["msg"]
            check("auth_file" in message and "The value of password" in message, f"{name}: {message}")
        else:
            whole = WRITTEN.read_text(encoding="utf-8")
            check(not any(cut in whole for cut in CUT), f"{name}: {whole}")
            result = json.loads(whole)
            digests = [image["digest"] for image in result["images"]]
            check(digests == [image["digest"] for image in seeded], f"{name}: {result}")
            say(f"{PASSWORDS[name]!r}: promoted {len(images)} images, {len(writes(moment, name))} writing requests")


def computed_digest() -> None:
    """A password that occurs only in what a module computes: the digest of a file."""
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "sha256:" + 64 * "7", "size": 2}
    media_type = "application/vnd.oci.image.manifest.v1+json"
    base = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": []}
    target = {**open_end("digits", with_file=False), "repository": "plain"}
    blob, digest = with_digest(f"content {number}" for number in range(1, 10000))
    manifest, manifest_digest = with_digest(json.dumps({**base, "n": number}) for number in range(1, 10000))
    steps = [
        task("blob", {**target, "path": str(private_file("short-blob", blob))}),
        task("manifest", {**target, "path": str(private_file("short-manifest", manifest))}),
    ]
    for step, wanted in zip(steps, (digest, manifest_digest)):
        module = step["name"]
        moment = mark_logs(OWN)
        # The manifest names a blob that isn't there, so that it is refused in any case.
        whole = play([{**step, "register": "result", "ignore_errors": True}, write_task("result", WRITTEN)])
        done = playbook(whole, {})
        if MASKED:
            result = done.of(module)
            check(result["failed"] and "The value of password also occurs" in result["msg"], f"{module}: {result}")
            check(not writes(moment, "digits"), f"{module}: it saw {writes(moment, 'digits')}")
        else:
            check(wanted in WRITTEN.read_text(encoding="utf-8"), f"{module}: {WRITTEN.read_text(encoding='utf-8')}")
    say(f"two files whose digests have {PASSWORDS['digits']!r} in them: {'refused' if MASKED else 'digests are whole'}")


def with_digest(texts: Iterable[str]) -> tuple[str, str]:
    """The first text that hasn't the password in it, but in its digest; and that digest."""
    password = PASSWORDS["digits"]
    for text in texts:
        digest = hashlib.sha256(text.encode()).hexdigest()
        if password in digest and password not in text:
            return text, f"sha256:{digest}"
    raise Failed("there is no such text")


def registries() -> None:
    """Registries with such passwords."""
    start(OWN, [Specification(name, login="htpasswd", password=password) for name, password in PASSWORDS.items()])


try:
    main([registries, every_module, handed_on, computed_digest])
finally:
    stop(OWN, delete=True)
    for file in Path(OUTPUT).glob("short-*"):
        if file.is_file():
            file.unlink()
