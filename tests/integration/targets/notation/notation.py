# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program notation of the Notary Project: this collection verifies what it signs, and copies it with the image.

Optional: ``tests/registries/install-optional.sh signing`` builds it with Go.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from openssl_signatures import Keys
from program_images import Image, promoted, reasons, seeded
from runs import CONFIG, OUTPUT, REGISTRIES, check, main, say

PROGRAM = Path(CONFIG["registries_optional"], "notation")
SOURCE = "dev"
SIGNER = "C=DE, O=Example, CN=release"


def configured() -> Keys:
    """Keys, and a configuration of notation that signs with one of them and trusts its root."""
    keys, directory = Keys(OUTPUT / "keys"), OUTPUT / "config" / "notation"
    store = directory / "truststore" / "x509" / "ca" / "example"
    store.mkdir(parents=True, exist_ok=True)
    shutil.copy(keys.path("root.crt"), store)
    chain = keys.path("release-chain.crt")
    chain.write_text(keys.path("release.crt").read_text() + keys.path("root.crt").read_text(), encoding="utf-8")
    key = {"name": "release", "keyPath": str(keys.path("release.pem")), "certPath": str(chain)}
    policy = {
        "name": "all",
        "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:example"],
        "trustedIdentities": ["*"],
    }
    for file, content in (
        ("signingkeys.json", {"default": "release", "keys": [key]}),
        ("trustpolicy.json", {"version": "1.0", "trustPolicies": [policy]}),
    ):
        (directory / file).write_text(json.dumps(content), encoding="utf-8")
        (directory / file).chmod(0o600)
    return keys


def notation(what: str, image: Image, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "XDG_CONFIG_HOME": str(OUTPUT / "config"), "HOME": str(OUTPUT)}
    command = [str(PROGRAM), what, "--insecure-registry", *arguments, image.name]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def signed(registry: str, name: str, *arguments: str) -> Image:
    image = seeded(registry, name)
    done = notation("sign", image, *arguments)
    check(not done.returncode, f"{registry}, {name}: {done.stderr}")
    return image


def registries() -> dict[str, list[str]]:
    """One without an API for referrers, and one that has it, where that was built; and how notation signs there."""
    found = {SOURCE: [], "olareg": ["--force-referrers-tag=false"]}
    return {name: arguments for name, arguments in found.items() if name in REGISTRIES}


def verified() -> None:
    """The certificate and the subject decide, and an annotation is read."""
    keys = configured()
    root, other = str(keys.path("root.crt")), str(keys.path("other-root.crt"))
    for registry, arguments in registries().items():
        image = signed(registry, f"verified/{registry}", *arguments, "--user-metadata", "approved=yes")
        good = {"certificates": [root], "subjects": [SIGNER], "annotations": {"approved": "yes"}}
        check(reasons(image, good) == [""], f"{registry}: {reasons(image, good)}")
        for wrong, words in (
            ({"certificates": [other]}, "none of the trusted certificates leads to"),
            ({"subjects": ["C=DE, O=Other"]}, "release"),
            ({"annotations": {"approved": "no"}}, "approved"),
        ):
            (told,) = reasons(image, {**good, **wrong})
            check(words in told, f"{registry}: {told}")


def other_envelope() -> None:
    """COSE isn't read: such a signature has a reason, and doesn't verify."""
    image = signed(SOURCE, "cose", "--signature-format", "cose")
    (told,) = reasons(image, {"certificates": [str(configured().path("root.crt"))], "subjects": [SIGNER]})
    check("cose" in told.lower(), told)


def copied() -> None:
    """A signature that is required is copied with the image, and notation verifies it at the destination."""
    rule = {"certificates": [str(configured().path("root.crt"))], "subjects": [SIGNER]}
    for source, arguments in registries().items():
        image = signed(source, f"promoted/{source}", *arguments)
        for destination in ("no-delete", *(name for name in registries() if name != source)):
            done = notation("verify", promoted(image, destination, signatures=[rule]))
            check(not done.returncode, f"{source} to {destination}: {done.stderr}")


if os.access(PROGRAM, os.X_OK):
    main([verified, other_envelope, copied])
else:
    say("left out: notation is not there (tests/registries/install-optional.sh signing)")
