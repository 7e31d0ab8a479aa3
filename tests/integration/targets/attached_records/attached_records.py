# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records attached to images: signed, found, verified, and copied with the image from staging to production."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from openssl_signatures import BUNDLE, IN_TOTO, Keys, openssl
from runs import (
    CONFIG,
    OUTPUT,
    PROMOTE,
    REGISTRIES,
    WRITING,
    Plain,
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

RECORD = "https://github.com/imageops/registry/promotion/v1"
SOURCE, PRODUCTION = "dev", "prod"
PASSPHRASE = "between staging and production"
KEYS = ("p256", "p384", "rsa", "ed25519")
RUN = time.time_ns()
"""New at every run: what an earlier one has promoted would be equal."""


class Way(NamedTuple):
    """One image on its way to production, over one registry for staging."""

    staging: str
    found_by: str
    image: Plain
    keys: Keys

    @property
    def repository(self) -> str:
        return f"attached_records/{RUN}/{self.staging}"

    @property
    def place(self) -> Plain:
        return {"repository": self.repository, "tag": self.image["tag"]}

    def rules(self, *keys: str) -> list[Plain]:
        """Rules of signatures that accept what these keys have signed."""
        return [{"keys": [str(self.keys.path(f"{key}.pub")) for key in keys], "predicate_types": [RECORD]}]


def run(step: Plain, *, fails: bool = False) -> Plain:
    """The result of a module that is called as a task says."""
    done = call([{**step, "ignore_errors": fails}]).of(step["name"])
    check(done["failed"] is fails, f"{step['name']}: {done}")
    return done


def encrypted(keys: Keys) -> str:
    """The key of staging, encrypted with a passphrase."""
    path = keys.path("staging.key")
    plain = keys.path("p256.key")
    openssl("pkcs8", "-topk8", "-in", plain, "-passout", f"pass:{PASSPHRASE}", "-out", path)
    return str(path)


def to_staging(way: Way) -> Plain:
    repository = {"repository": way.image["repository"], "destination_repository": way.repository}
    record = {"attach": True, "environment": "staging", "actor": "ci", "job": "7", "reason": "CHG-1"}
    record.update(sign_with=encrypted(way.keys), sign_passphrase=PASSPHRASE)
    ends = {**connection(way.staging), "source": connection(SOURCE)}
    return {**ends, "images": [{**repository, "tag": way.image["tag"]}], "record": record}


def to_production(way: Way, key: str, age: int) -> Plain:
    gate = f"max(promotions[?environment=='staging' && verified].age_seconds) >= `{age}`"
    ends = {**connection(PRODUCTION), "source": connection(way.staging)}
    rules = {"mode": "if_present", "keys": [str(way.keys.path(f"{key}.pub"))]}
    return {
        **ends,
        "images": [way.place],
        "gates": [{"name": "soak time", "that": gate}],
        "signatures": [rules],
        "record": {"attach": True, "environment": "production", "actor": "ops"},
    }


def staged(way: Way) -> None:
    """A signed record is attached once; check mode says so before."""
    options = to_staging(way)
    beginning = mark()
    (foreseen,) = run(task("image_copy", options, check_mode=True))["images"]
    check(not written(beginning, way.staging), f"check mode wrote: {written(beginning, way.staging)}")
    (done,) = run(task("image_copy", options))["images"]
    check(foreseen["record_attached"] is done["record_attached"] is True, f"{foreseen}\n{done}")
    beginning = mark()
    again = run(task("image_copy", options))
    check(not again["changed"] and not written(beginning, way.staging), f"{again}")
    # What another task does with the same digest attaches nothing either.
    options["images"][0]["tags"] = [way.image["tag"], "stable"]
    (tagged,) = run(task("image_copy", options))["images"]
    check(tagged["record_attached"] is True, f"{tagged}")
    found = run(task("referrer_info", {**connection(way.staging), **way.place}))
    check([one["artifact_type"] for one in found["referrers"]] == [BUNDLE], f"{found}")
    check(found["found_by"] == way.found_by, f"{found}")


def written(beginning: str, registry: str) -> list[str]:
    return lines(one for one in requests_since(beginning, registry) if one["method"] in WRITING)


def verified(way: Way) -> None:
    """The public key verifies it, by this collection and by openssl; no other does. It is no signature of the image."""
    options = {**connection(way.staging), **way.place}
    good = run(task("signature_info", {**options, "signatures": way.rules("p256")}))
    check(good["verified"] is True, f"{good}")
    for rules in (way.rules("p384", "stranger"), [{"keys": [str(way.keys.path("p256.pub"))]}]):
        other = run(task("signature_info", {**options, "signatures": rules}))
        check(other["verified"] is False, f"{other}")
    (signature,) = good["signatures"]
    manifest = content_of(way, signature["digest"])
    (layer,) = manifest["layers"]
    path = OUTPUT / "bundle.json"
    blob = {"repository": way.repository, "digest": layer["digest"], "dest": str(path)}
    run(task("blob_download", {**connection(way.staging), **blob}))
    envelope = json.loads(path.read_text())["dsseEnvelope"]
    check(envelope["payloadType"] == IN_TOTO, f"{envelope}")
    check_with_openssl(way.keys, envelope)


def content_of(way: Way, digest: str) -> Plain:
    """A manifest at staging."""
    place = {"repository": way.repository, "digest": digest, "include": ["content"]}
    found = run(task("manifest_info", {**connection(way.staging), **place}))
    read: Plain = json.loads(base64.b64decode(found["content_base64"]))
    return read


def check_with_openssl(keys: Keys, envelope: Plain) -> None:
    """What DSSE says is signed (PAE) verifies, and nothing else does."""
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    signature = keys.path("signature")
    signature.write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    for signed, expected in ((payload, 0), (payload + b" ", 1)):
        keys.path("signed").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), signed))
        how = ["openssl", "dgst", "-sha256", "-verify", keys.path("p256.pub"), "-signature", signature]
        done = subprocess.run([*map(str, how), str(keys.path("signed"))], capture_output=True, text=True, check=False)
        check(done.returncode == expected, f"openssl: {done.stdout}{done.stderr}")


def promoted(way: Way) -> None:
    """The soak time counts from the record, and it travels with the image; production adds its own."""
    young = run(task("image_copy", to_production(way, "p256", 86400)), fails=True)
    check("soak time" in young["msg"], f"{young}")
    stranger = run(task("image_copy", to_production(way, "stranger", 0)), fails=True)
    check("soak time" in stranger["msg"], f"{stranger}")
    options = to_production(way, "p256", 0)
    foreseen = run(task("image_copy", options, check_mode=True))["images"]
    done = run(task("image_copy", options))["images"]
    for image in (*foreseen, *done):
        check(image["record_attached"] is True, f"{image}")
    again = run(task("image_copy", options))
    check(not again["changed"], f"{again}")
    found = run(task("referrer_info", {**connection(PRODUCTION), **way.place}))
    check(sorted(one["artifact_type"] for one in found["referrers"]) == [BUNDLE, IN_TOTO], f"{found}")
    good = run(task("signature_info", {**connection(PRODUCTION), **way.place, "signatures": way.rules("p256")}))
    check(good["verified"] is True, f"{good}")


def told(way: Way) -> None:
    """promotion_info tells both, newest first, in check mode too."""
    options = {**connection(PRODUCTION), **way.place}
    found = run(task("promotion_info", options))
    check(found == {**run(task("promotion_info", options, check_mode=True)), "transfer": found["transfer"]}, f"{found}")
    promotions = found["promotions"]
    check([one["environment"] for one in promotions] == ["production", "staging"], f"{promotions}")
    check([one["actor"] for one in promotions] == ["ops", "ci"], f"{promotions}")
    name = f"{REGISTRIES[PRODUCTION]['address']}/{way.repository}@sha256:"
    for one in promotions:
        check(one["outcome"] == "done" and one["subjects"] == [way.image["digest"]], f"{one}")
        check(one["source_of_record"].startswith(name), f"{one}")
    (newest,) = run(task("promotion_info", {**options, "newest": 1}))["promotions"]
    check(newest == promotions[0], f"{newest}")
    (staging,) = run(task("promotion_info", {**options, "environment": "staging"}))["promotions"]
    check(staging == promotions[1], f"{staging}")


def discovered(way: Way) -> None:
    """``oras discover`` finds both records, at a registry without the API and at one that has it."""
    program = Path(CONFIG["registries_optional"], "oras")
    if not os.access(program, os.X_OK):
        say("left out: oras is not there (tests/registries/install-optional.sh)")
        return
    for registry, wanted in ((way.staging, [BUNDLE]), (PRODUCTION, [BUNDLE, IN_TOTO])):
        name = f"{REGISTRIES[registry]['address']}/{way.repository}@{way.image['digest']}"
        command = [program, "discover", "--plain-http", "--format", "json", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        check(not done.returncode, f"oras: {done.stderr}")
        kinds = sorted(one["artifactType"] for one in json.loads(done.stdout)["referrers"])
        check(kinds == wanted, f"{registry}: {done.stdout}")


def by_role() -> None:
    """The role attaches a signed record, in check mode says so, and shows nothing of its key and passphrase."""
    keys = Keys(OUTPUT / "keys")
    image = seed(SOURCE, "single", "attached_records/role")[0]
    text = Path(encrypted(keys)).read_text(encoding="utf-8")
    place = {"repository": image["repository"], "tag": image["tag"]}
    variables = {
        "promote_source": connection(SOURCE),
        "promote_destination": connection(PRODUCTION),
        "promote_images": [{**place, "destination_repository": f"attached_records/{RUN}/role"}],
        "promote_record": {
            "attach": True,
            "environment": "production",
            "sign_with": text,
            "sign_passphrase": PASSPHRASE,
        },
    }
    read = OUTPUT / "promoted.json"
    steps = [{"name": "Promote", "ansible.builtin.include_role": {"name": PROMOTE}}]
    secrets = [PASSPHRASE, *(line for line in text.splitlines() if not line.startswith("-"))]
    for arguments, wanted in ((("--check", "--diff"), True), (("--diff",), True)):
        steps[1:] = [{**write_task("promote_result", read), "check_mode": False}]
        done = playbook(play(steps), variables, "-vvv", *arguments)
        result = json.loads(read.read_text(encoding="utf-8"))
        (found,) = result["images"]
        check(found["record_attached"] is wanted, f"{arguments}: {found}")
        shown = f"{done.output} {result} {done.results}"
        check(not [secret for secret in secrets if secret in shown], f"{arguments}: a secret is shown")
        check("record of the promotion to production: attached, signed" in done.output, done.output)
    done = playbook(play(steps), variables)
    check("1 unchanged" in json.dumps([entry["result"] for entry in done.results]), done.output)


def every_key() -> None:
    """Each kind of key signs a record that its public key verifies."""
    keys = Keys(OUTPUT / "keys")
    for key in KEYS:
        way = Way("no-delete", "tag_schema", seed(SOURCE, "single", f"attached_records/{key}")[0], keys)
        options = to_staging(way)
        options["images"][0]["destination_repository"] = f"{way.repository}/{key}"
        options["record"].update(sign_with=keys.path(f"{key}.key").read_text(), environment=key)
        del options["record"]["sign_passphrase"]
        run(task("image_copy", options))
        place = {"repository": f"{way.repository}/{key}", "tag": way.image["tag"]}
        found = run(task("signature_info", {**connection("no-delete"), **place, "signatures": way.rules(key)}))
        check(found["verified"] is True, f"{key}: {found}")


def unusable_key() -> None:
    """With a key that can't be used, nothing is written."""
    keys = Keys(OUTPUT / "keys")
    way = Way("no-delete", "tag_schema", seed(SOURCE, "single", "attached_records/unusable")[0], keys)
    options = to_staging(way)
    beginning = mark()
    for wrong in ({"sign_passphrase": "another one"}, {"sign_with": "/nowhere/key"}, {"sign_passphrase": None}):
        options["record"] = {**to_staging(way)["record"], **wrong}
        failed = run(task("image_copy", options), fails=True)
        check("record.sign_with" in failed["msg"] and PASSPHRASE not in json.dumps(failed), f"{failed}")
    check(not written(beginning, "no-delete"), f"{written(beginning, 'no-delete')}")


def attached() -> None:
    """By way of a registry without an API for referrers, and of one that has it, where that was built."""
    keys = Keys(OUTPUT / "keys")
    ways = {"no-delete": "tag_schema", "olareg": "api"}
    for staging in (name for name in ways if name in REGISTRIES):
        image = seed(SOURCE, "multi", f"attached_records/{staging}")[0]
        way = Way(staging, ways[staging], image, keys)
        for step in (staged, verified, promoted, told, discovered):
            step(way)
        say(f"{staging}: attached, verified, promoted, told")


main([attached, by_role, every_key, unusable_key])
