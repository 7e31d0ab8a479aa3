# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program cosign: it verifies records that this collection signs, and this collection what cosign signs.

Optional: ``tests/registries/install-optional.sh signing`` builds it with Go, which takes about ten minutes.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from openssl_signatures import Keys
from program_images import Image, promoted, reasons, seeded
from runs import CONFIG, OUTPUT, REGISTRIES, check, main, say

PROGRAM = Path(CONFIG["registries_optional"], "cosign")
RECORD = "https://github.com/imageops/registry/promotion/v1"
SOURCE = "dev"
KEYS = ("p256", "p384", "rsa", "ed25519")
PASSWORD = "of keys that cosign has taken in"
FORMS = {"sigstore_bundle": "true", "cosign_tag": "false"}
"""What signature_info calls them, and whether cosign is told to write the new one."""


def cosign(*arguments: object) -> subprocess.CompletedProcess[str]:
    """cosign, which is kept from the network of Sigstore: no log, and a root that trusts nobody."""
    env = {**os.environ, "HOME": str(OUTPUT), "TUF_ROOT": str(OUTPUT / "tuf"), "COSIGN_PASSWORD": PASSWORD}
    command = [str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=OUTPUT)


def trusted_root() -> Path:
    path = OUTPUT / "trusted_root.json"
    path.write_text('{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}', encoding="utf-8")
    return path


def verification(what: str, key: object, image: Image, *arguments: object) -> subprocess.CompletedProcess[str]:
    own = ["--key", key, "--insecure-ignore-tlog", "--allow-http-registry"]
    return cosign(what, *own, *arguments, image.name)


def destinations() -> list[str]:
    """One without an API for referrers, and one that has it, where that was built."""
    return [name for name in ("no-delete", "olareg") if name in REGISTRIES]


def signed(image: Image, keys: Keys, key: str, command: str, *arguments: object) -> None:
    """By a key that cosign has taken in."""
    taken = cosign("import-key-pair", "--yes", "--key", keys.path(f"{key}.key"), "--output-key-prefix", key)
    check(not taken.returncode, f"{key}: {taken.stderr}")
    how = ["--key", f"{key}.key", "--yes", "--tlog-upload=false", "--use-signing-config=false", "--allow-http-registry"]
    done = cosign(command, *how, *arguments, image.name)
    check(not done.returncode, f"{command}, {key}: {done.stderr}")


def records() -> None:
    """``cosign verify-attestation`` takes a record for a statement that its key has signed, and no other key."""
    keys = Keys(OUTPUT / "keys")
    arguments = ["--type", RECORD, "--trusted-root", trusted_root()]
    for destination in destinations():
        for key in KEYS:
            record = {"attach": True, "environment": "staging", "sign_with": str(keys.path(f"{key}.key"))}
            there = promoted(seeded(SOURCE, f"record/{destination}/{key}"), destination, record=record)
            good = verification("verify-attestation", keys.path(f"{key}.pub"), there, *arguments)
            check(not good.returncode, f"{destination}, {key}: {good.stderr}")
            other = verification("verify-attestation", keys.path("stranger.pub"), there, *arguments)
            check(other.returncode != 0, f"{destination}, {key}: a stranger's key verifies: {other.stdout}")


def signatures() -> None:
    """What cosign has signed verifies, is copied with the image, and verifies by cosign at the destination."""
    keys = Keys(OUTPUT / "keys")
    for form, bundle in FORMS.items():
        for key in KEYS:
            image, rule = seeded(SOURCE, f"{form}/{key}"), {"keys": [str(keys.path(f"{key}.pub"))]}
            signed(image, keys, key, "sign", f"--new-bundle-format={bundle}")
            check("" not in reasons(image, {"keys": [str(keys.path("stranger.pub"))]}), f"{form}, {key}: a stranger")
            (told,) = reasons(image, rule)
            if key == "ed25519":
                check("Ed25519ph" in told, f"{form}: {told}")
                continue
            check(not told, f"{form}, {key}: {told}")
            if key == "p384":
                continue  # cosign 3.0.2 signs it with SHA-384, and itself verifies it with SHA-256 only.
            root = ["--trusted-root", trusted_root()] if bundle == "true" else []
            for destination in destinations():
                there = promoted(image, destination, signatures=[rule])
                done = verification("verify", rule["keys"][0], there, f"--new-bundle-format={bundle}", *root)
                check(not done.returncode, f"{form}, {key}, {destination}: {done.stderr}")


def annotations() -> None:
    """An annotation is signed in the older form. cosign 3.0 leaves it out of a bundle, which doesn't verify then."""
    keys = Keys(OUTPUT / "keys")
    rule = {"keys": [str(keys.path("p256.pub"))], "annotations": {"approved": "yes"}}
    for form, expected in (("cosign_tag", ""), ("sigstore_bundle", "the annotation approved is not signed")):
        image = seeded(SOURCE, f"annotated/{form}")
        signed(image, keys, "p256", "sign", f"--new-bundle-format={FORMS[form]}", "--annotations", "approved=yes")
        check(reasons(image, rule) == [expected], f"{form}: {reasons(image, rule)}")


def statements() -> None:
    """What ``cosign attest`` signs counts as a signature only where its predicate type is named."""
    keys, image, kind = Keys(OUTPUT / "keys"), seeded(SOURCE, "attested"), "https://example.com/review/v1"
    predicate = OUTPUT / "predicate.json"
    predicate.write_text('{"reviewed": true}', encoding="utf-8")
    signed(image, keys, "p256", "attest", "--type", kind, "--predicate", predicate)
    rule = {"keys": [str(keys.path("p256.pub"))]}
    told = reasons(image, {**rule, "predicate_types": [kind]})
    check(told == [""], f"a statement whose type is named: {told}")
    check("" not in reasons(image, rule), "a statement whose type is not named")


if os.access(PROGRAM, os.X_OK):
    main([records, signatures, annotations, statements])
else:
    say("left out: cosign is not there (tests/registries/install-optional.sh signing)")
