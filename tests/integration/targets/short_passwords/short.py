# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passwords that occur in names, digests and contents. Before 2.22, ansible-core cuts them out of results."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

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


def tasks_of(name: str, *, with_file: bool) -> list[Plain]:
    """Modules with the short password at either end, all or some, and a task that writes their results down."""
    short, image = open_end(name, with_file=with_file), image_in(name)
    tasks: list[Plain] = []

    def add(module: str, option: str, options: Plain) -> None:
        result = f"result_{len(tasks)}"
        tasks.append(task(module, options, name=f"{module}: {option}", register=result, ignore_errors=True))

    for module, options in module_options(image).items():
        if module not in SOME and (name != WITH_ALL or with_file or not MASKED):
            continue
        source = {"source": connection("dev")} if module in TWO_ENDS else {}
        add(module, "password", {**short, **source, **options})
        if source:
            add(module, "source.password", {**connection("prod"), **options, "source": short})
    results = ", ".join(f"'{entry['name']}': {entry['register']}" for entry in tasks)
    return [*tasks, write_task("{" + results + "}", WRITTEN)]


def writes(moment: str, name: str) -> list[str]:
    seen = read_requests(OWN, name, moment)
    return lines(request for request in seen if request["method"] in WRITING)


def check_refusal(name: str, done: Run) -> None:
    """Every task names the option and a way out, and shows the password nowhere."""
    asked = [entry for entry in done.results if "password" in entry["task"]]
    for entry in asked:
        option = entry["task"].partition(": ")[2]
        check(entry["status"] == "failed", f"{name}, {entry['task']}: {entry['status']}")
        message = entry["result"]["msg"]
        for part in (f"the value of {option} also occurs", "auth_file", "ansible-core before 2.22"):
            check(part in message, f"{name}, {entry['task']}: {message}")
        check("********" not in message, f"{name}, {entry['task']}: {message}")
        shown = json.dumps({key: value for key, value in entry["result"].items() if key != "invocation"})
        check(f'"{PASSWORDS[name]}"' not in shown, f"{name}, {entry['task']}: the password is in the result")
    say(f"{PASSWORDS[name]!r}: {len(asked)} tasks refuse: {asked[0]['result']['msg']}")


def check_results(name: str, done: Run) -> None:
    """The results hold the image's names and digests as they are."""
    image = image_in(name)
    for entry in done.results:
        check(entry["status"] == "ok", f"{name}, {entry['task']}: {entry['result'].get('msg')}")
    whole = WRITTEN.read_text(encoding="utf-8")
    for cut in CUT:
        check(cut not in whole, f"{name}: {cut} in the results: {whole}")
    results = json.loads(whole)
    info = results["manifest_info: password"]
    check(info["digest"] == image["digest"], f"{name}: the digest is {info['digest']}")
    check(info["images"][0]["repository"] == image["repository"], f"{name}: {info['images'][0]}")
    compared = results["image_diff_info: source.password"]["images"][0]
    check(compared["digest"] == image["digest"], f"{name}: the digest is {compared['digest']}")


def every_module() -> None:
    """Before 2.22 every module refuses such a password before it writes; from an auth_file it is always taken."""
    for name in PASSWORDS:
        image_in(name)
        seed("dev", "single", REPOSITORY)
        seed("prod", "single", REPOSITORY)
        # From an auth_file, the one that occurs most often says it for all.
        for with_file in (False, True) if name == WITH_ALL else (False,):
            (OUTPUT / "downloaded").unlink(missing_ok=True)
            moment = mark_logs(OWN)
            done = playbook(play(list(tasks_of(name, with_file=with_file))), {})
            wrote = writes(moment, name)
            check(not wrote, f"{name} saw {wrote}")
            if MASKED and not with_file:
                check_refusal(name, done)
            else:
                check_results(name, done)
                say(f"{PASSWORDS[name]!r}{' in an auth_file' if with_file else ''}: {len(done.results)} tasks work")


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
            check("auth_file" in message and "the value of password" in message, f"{name}: {message}")
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
            check(result["failed"] and "the value of password also occurs" in result["msg"], f"{module}: {result}")
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
