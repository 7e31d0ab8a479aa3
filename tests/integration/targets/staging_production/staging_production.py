# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the guide 'Build to staging to production', from an unsigned image to the rollback of its successor."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from typing import Any

from made_images import RECORD, Made
from openssl_signatures import COSIGN_SIGN, Keys, openssl
from runs import (
    COLLECTION,
    CONFIG,
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
    playbook,
    private_file,
    requests_since,
    say,
    state_at,
    task,
)
from terminal import Answer

sys.path.append(str(COLLECTION / "tools"))

import guide_pages

PAGE = "staging_production"
BUILD, STAGING, PRODUCTION = "dev-token", "prod-token", "prod-htpasswd"
"""All of them have TLS and a login."""
NAMES = {"dev.example:5000": BUILD, "staging.example": STAGING, "prod.example": PRODUCTION}
RUN = f"staging_production-{time.time_ns()}"
"""New at every run: what an earlier one has promoted would be equal."""
APP = f"{RUN}/team/app"
GUIDE, RECORDS = OUTPUT / "guide", OUTPUT / "promotions"
PASSPHRASE = "from the build to staging"
SHORT: Plain = {"soak_seconds": 1}
"""A test can't wait for a day."""
KEYS = Keys(OUTPUT / "keys")
RELEASE, OF_STAGING = "p256", "p384"
"""The keys of the build and of staging, as they are called among those."""
SIGNED = (RELEASE, COSIGN_SIGN, {})
"""What ``cosign sign --key release.key`` attaches."""
FIRST, SECOND = (Made(APP, labels={"team": "app", "version": tag}, tag=tag) for tag in ("1.4.1", "1.4.2"))


def files() -> None:
    """The files of the page, with registries that run, and keys and directories that are there."""
    public = KEYS.path(f"{RELEASE}.pub").read_text(encoding="utf-8")
    KEYS.path("release.pub").write_text(public)
    KEYS.path("staging.pub").write_text(KEYS.path(f"{OF_STAGING}.pub").read_text(encoding="utf-8"))
    key = ["-in", KEYS.path(f"{OF_STAGING}.key"), "-passout", f"pass:{PASSPHRASE}", "-out", KEYS.path("staging.key")]
    openssl("pkcs8", "-topk8", *key)
    der = openssl("pkey", "-pubin", "-in", KEYS.path("release.pub"), "-outform", "DER")
    signer = base64.b64encode(hashlib.sha256(der).digest()).decode()
    RECORDS.mkdir()
    GUIDE.mkdir()
    instead = {
        "/etc/keys": str(KEYS.directory),
        "/var/lib/promotions": str(RECORDS),
        "team/app": APP,
        "key:Jq5gkTBcRR9FKnPpVZ0jVwDnJwV4sNgyD7cJ1hKJ0kA=": f"key:{signer}",
        **{name: REGISTRIES[registry]["address"] for name, registry in NAMES.items()},
    }
    for name, text in guide_pages.files(PAGE).items():
        for shown, there in instead.items():
            text = text.replace(shown, there)
        (GUIDE / name).write_text(text)
    private_file("home/.docker/config.json", (state_at().directory / "auth.json").read_text(encoding="utf-8"))


def of_version(made: Made) -> None:
    """Have ``images.yml`` name this version."""
    text = guide_pages.files(PAGE)["images.yml"].replace("team/app", APP).replace("1.4.2", made.tag)
    check(text.count(made.tag) == 2, text)
    (GUIDE / "images.yml").write_text(text)


def push(made: Made, *statements: tuple[str, str, Plain], to: str = BUILD) -> None:
    """Push an image with these statements, as a build does, or somebody who shouldn't."""
    call(made._replace(statements=statements).tasks(to, KEYS))


def run(name: str, variables: Plain | None = None, *arguments: str, **keywords: Any) -> Run:
    """Run a playbook of the page, as somebody who has logged in to the registries."""
    environment = {"HOME": str(OUTPUT / "home"), "REQUESTS_CA_BUNDLE": CONFIG["registries_ca"]}
    return playbook(GUIDE / name, variables or {}, *arguments, environment=environment, **keywords)


def stage(made: Made) -> Run:
    of_version(made)
    return run("staging.yml", {"vault_staging_passphrase": PASSPHRASE, "change_request": "CHG-1"})


def served(registry: str, tag: str) -> str:
    found = call([task("manifest_info", {**connection(registry), "repository": APP, "tag": tag})]).of("manifest_info")
    return str(found.get("digest") or "")


def records() -> int:
    return len(list(RECORDS.glob("*.promotion.json")))


def wrote(moment: str, registry: str) -> list[str]:
    return lines(one for one in requests_since(moment, registry) if one["method"] in WRITING)


def rolled_out(done: Run) -> list[str]:
    """What the handler has rolled out, one line for each image."""
    found = [entry["result"] for entry in done.results if entry["task"] == "Roll out"]
    return [one["msg"] for result in found for one in result["results"]]


def told(done: Run) -> str:
    """Why it has failed."""
    (failed,) = (entry["result"]["msg"] for entry in done.results if entry["status"] == "failed")
    return str(failed)


def check_nothing_is_left_to_do(done: Run) -> None:
    check(" changed=0 " in done.output and not rolled_out(done), done.output)


def what_is_not_signed_stays_where_it_is() -> None:
    """And what has no label. Both are told at once."""
    push(FIRST)
    unlabelled = Made(f"{RUN}/team/other")
    push(unlabelled, SIGNED)
    moment = mark()
    given = {"vault_staging_passphrase": PASSPHRASE, "images": [FIRST.named, unlabelled.named]}
    done = run("staging.yml", given, expected=2)
    for words in ("Nothing was written.", f"{FIRST.digest} has no signature", "Images need the label team=app"):
        check(words in told(done), told(done))
    check(not wrote(moment, STAGING) and not records(), f"{wrote(moment, STAGING)}")


def signed_images_reach_staging() -> None:
    """Once, with a record in the directory and one that is attached."""
    push(FIRST, SIGNED)
    done = stage(FIRST)
    place = f"{REGISTRIES[STAGING]['address']}/{APP}@{FIRST.digest}"
    check(rolled_out(done) == [f"To roll out in staging: {place}"], done.output)
    check(served(STAGING, "stable") == FIRST.digest and records() == 1, f"{records()} records")
    check_nothing_is_left_to_do(stage(FIRST))
    check(records() == 1, f"{records()} records")


def a_day_must_pass() -> None:
    """Nobody is asked before. An image that only the key of staging has signed is refused, however old."""
    forged = Made(f"{RUN}/team/forged", labels={"team": "app"})
    old = {"environment": "staging", "outcome": "done", "finished_at": "2026-01-01T00:00:00Z", "images": []}
    push(forged, (OF_STAGING, COSIGN_SIGN, {}), (OF_STAGING, RECORD, old), to=STAGING)
    moment = mark()
    done = run("production.yml", {"images": [FIRST.named, forged.named]}, expected=2)
    of_first, of_forged = told(done).split(" | ")
    check("gate 'soak time'" in of_first and "Images must have been in staging for a day" in of_first, of_first)
    check("gate 'signed by the build'" in of_forged and "soak time" not in of_forged, of_forged)
    check("Ask" not in [entry["task"] for entry in done.results], done.output)
    check(not wrote(moment, PRODUCTION), f"{wrote(moment, PRODUCTION)}")


def without_a_terminal_nobody_approves() -> None:
    moment = mark()
    done = run("production.yml", SHORT, expected=2, noise=True)
    check("Not waiting for response to prompt" in done.output, done.output)
    check(told(done) == "Nothing was promoted, because nobody has typed yes.", told(done))
    check(not wrote(moment, PRODUCTION), f"{wrote(moment, PRODUCTION)}")


def somebody_approves() -> None:
    """In a terminal. The record of staging comes along. Check mode and a second run ask nobody."""
    moment = mark()
    run("production.yml", SHORT, "--check")
    check(not wrote(moment, PRODUCTION) and records() == 1, f"{wrote(moment, PRODUCTION)}")
    done = run("production.yml", SHORT, answer=Answer("Promote this to production?", "yes"))
    place = f"{REGISTRIES[PRODUCTION]['address']}/{APP}@{FIRST.digest}"
    check(rolled_out(done) == [f"To roll out in production: {place}"], done.output)
    check(served(PRODUCTION, "stable") == served(PRODUCTION, FIRST.tag) == FIRST.digest, "it is not promoted")
    check(records() == 2, f"{records()} records")
    options = {**connection(PRODUCTION), "repository": APP, "tag": FIRST.tag}
    (attached,) = call([task("promotion_info", options)]).of("promotion_info")["promotions"]
    check((attached["environment"], attached["reason"]) == ("staging", "CHG-1"), f"{attached}")
    rule = {"keys": [str(KEYS.path("staging.pub"))], "predicate_types": [RECORD]}
    verified = call([task("signature_info", {**options, "signatures": [rule]})]).of("signature_info")
    check(verified["verified"] is True, f"{verified}")
    check_nothing_is_left_to_do(run("production.yml", SHORT))
    check(records() == 2, f"{records()} records")


def awx_approves() -> None:
    """The next version, over the nodes of a workflow, with the logins of their credentials."""
    push(SECOND, SIGNED)
    stage(SECOND)
    variables = dict(SHORT)
    for side, name in (("source", STAGING), ("destination", PRODUCTION)):
        entry = REGISTRIES[name]
        login = {"registry": entry["address"], "username": entry["username"], "password": entry["password"]}
        variables.update({f"{side}_{key}": value for key, value in login.items()})
    awx = ("-e", f"@{GUIDE / 'awx-variables.yml'}")
    handed = run("plan.yml", variables, *awx).of("Pass the plan to the next node of a workflow")
    check(served(PRODUCTION, "stable") == FIRST.digest, "the plan has promoted something")
    done = run("carry_out.yml", {**variables, **handed["ansible_stats"]["data"]}, *awx)
    (promoted,) = done.of("Hand on what was done")["ansible_stats"]["data"]["promoted"]["images"]
    check(
        promoted["digest"] == SECOND.digest and promoted["previous_digests"] == {"stable": FIRST.digest}, f"{promoted}"
    )
    check(len(rolled_out(done)) == 1 and served(PRODUCTION, "stable") == SECOND.digest, done.output)


def production_goes_back() -> None:
    """To the first version, by the record; the tag of the second one stays. Once, and only if there is a record."""
    none = run("rollback.yml", {"records": str(OUTPUT)}, expected=2)
    check("says that a promotion to production moved stable" in told(none), told(none))
    done = run("rollback.yml", {"change_request": "INC-7"})
    place = f"{REGISTRIES[PRODUCTION]['address']}/{APP}@{FIRST.digest}"
    check(rolled_out(done) == [f"To roll out in production: {place}"], done.output)
    check(served(PRODUCTION, "stable") == FIRST.digest, "it is not back")
    check(served(PRODUCTION, SECOND.tag) == SECOND.digest, "the tag that was created is gone")
    path = done.of("Keep what was done")["ansible_facts"]["rollback_result"]["record"]["path"]
    with open(path, encoding="utf-8") as stream:
        record = json.load(stream)["predicate"]
    check(record["reverts"] and record["reason"] == "INC-7" and record["environment"] == "production", f"{record}")
    check_nothing_is_left_to_do(run("rollback.yml"))
    say(f"{records()} records")


main(
    [
        files,
        what_is_not_signed_stays_where_it_is,
        signed_images_reach_staging,
        a_day_must_pass,
        without_a_terminal_nobody_approves,
        somebody_approves,
        awx_approves,
        production_goes_back,
    ]
)
