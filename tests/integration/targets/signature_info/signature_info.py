# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures that ``openssl`` has made, in every form and with every kind of key, at real registries."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import NamedTuple

import signed_images
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from openssl_signatures import BUNDLE, NOTARY, Keys, Signatures
from runs import (
    OUTPUT,
    REGISTRIES,
    WRITING,
    Plain,
    check,
    connection,
    main,
    mark,
    play,
    playbook,
    requests_since,
    say,
    seed,
    task,
)

KEYS = ("p256", "p384", "rsa", "ed25519")
OTHER = "sha256:" + "0" * 64
PREFIX = f"signatures-{time.time_ns()}"
"""New at every run: what an earlier one has promoted would be equal."""


class Place(NamedTuple):
    """A registry with an image whose signatures are right, and one whose signatures were tampered with."""

    registry: str
    keys: Keys
    images: list[Plain]

    def verify(self, *rules: Plain, check_mode: bool = False) -> list[Plain]:
        """What signature_info says of both images."""
        options = {**connection(self.registry), "images": self.images, "signatures": list(rules)}
        done = playbook(play([task("signature_info", options, check_mode=check_mode)]), {})
        found: list[Plain] = done.of("signature_info")["images"]
        return found

    def path(self, name: str) -> str:
        return str(self.keys.path(name))


def signed(registry: str) -> Place:
    """Push the images, and the signatures of each."""
    keys = Keys(OUTPUT / "keys")
    images = [seed(registry, "single", f"signature_info/{name}")[0] for name in ("good", "bad")]
    names = [{"repository": image["repository"], "tag": image["tag"]} for image in images]
    options = {**connection(registry), "images": names, "include": ["content"]}
    contents = playbook(play([task("manifest_info", options)]), {}).of("manifest_info")["images"]
    tasks: list[Plain] = []
    for found, attach in zip(contents, (right, wrong)):
        work = Signatures(keys, base64.b64decode(found["content_base64"]))
        tagged, referrers = attach(work)
        tasks += pushing(registry, found["repository"], work, tagged, referrers)
    playbook(play(tasks), {})
    return Place(registry, keys, names)


def right(work: Signatures) -> tuple[Plain, list[Plain]]:
    """What is under cosign's tag, and the referrers: all by keys and certificates of ours."""
    referrers = [work.holding([made(key)], BUNDLE) for made in (work.statement, work.message) for key in KEYS]
    return work.holding([work.simple(key) for key in KEYS]), [
        *referrers,
        work.holding([work.notary("release")], NOTARY),
    ]


def wrong(work: Signatures) -> tuple[Plain, list[Plain]]:
    """The same, each tampered with in another way."""
    bundles = [
        work.statement("stranger"),
        work.statement("p256", OTHER),
        work.statement("p256", tampered=True),
        work.message("p256", b"{}"),
    ]
    envelopes = [
        work.notary("release", digest=OTHER),
        work.notary("release", chain=("other-root",)),
        work.notary("server"),
    ]
    tagged = work.holding([work.simple("stranger"), work.simple("p256", OTHER), work.simple("p256", broken=True)])
    return tagged, [
        *(work.holding([one], BUNDLE) for one in bundles),
        *(work.holding([one], NOTARY) for one in envelopes),
    ]


def pushing(registry: str, repository: str, work: Signatures, tagged: Plain, referrers: list[Plain]) -> list[Plain]:
    """The tasks that push all this."""
    there = {**connection(registry), "repository": repository}
    tasks = [
        task("blob", {**there, "content_base64": base64.b64encode(content).decode()}) for content in work.blobs.values()
    ]
    tasks += [task("manifest", {**there, **manifest}) for manifest in (tagged, *referrers)]
    tag = work.digest.replace(":", "-") + ".sig"
    return [*tasks, task("tag", {**there, "tag": tag, "digest": tagged["digest"]})]


def verified(images: list[Plain]) -> list[bool | None]:
    return [image["verified"] for image in images]


def each_key(place: Place) -> None:
    """It verifies what it has signed, in each form, and nothing that was tampered with."""
    for key in KEYS:
        rule = {"keys": [place.path(f"{key}.pub")]}
        good, bad = found = place.verify(rule)
        check(verified(found) == [True, False], f"{key}: {found}")
        forms = sorted(one["form"] for one in good["signatures"] if one["verified"])
        check(forms == ["cosign_tag", "sigstore_bundle", "sigstore_bundle"], f"{key}: {good}")
        check(len({one["by"] for one in good["signatures"] if one["verified"]}) == 1, f"{key}: {good}")
        check(len(bad["signatures"]) == 10 and all(one["reason"] for one in bad["signatures"]), f"{key}: {bad}")
    check(place.verify(rule, check_mode=True) == found, "check mode says something else")


def certificates(place: Place) -> None:
    """They lead to the signer; other chains, uses and images don't."""
    rule = {"certificates": [place.path("root.crt")], "subjects": ["C=DE, O=Example, CN=release"]}
    good, bad = found = place.verify(rule)
    check(verified(found) == [True, False], f"{found}")
    by = [one["by"] for one in good["signatures"] if one["verified"]]
    check(by == ["certificate:CN=release,O=Example,C=DE"], f"{good}")
    reasons = "\n".join(one["reason"] for one in bad["signatures"] if one["form"] == "notation")
    for words in ("serverAuth", "none of the trusted certificates leads to", f"it is about '{OTHER}'"):
        check(words in reasons, f"{words} isn't in {reasons}")


def rules(place: Place) -> None:
    """They ask for more, or for nothing."""
    key, stranger = {"keys": [place.path("p256.pub")]}, {"keys": [place.path("stranger.pub")]}
    exempt = {"repositories": ["signature_info/bad/*"], "mode": "none"}
    check(verified(place.verify({**key, "annotations": {"approved": "yes"}})) == [True, False], "signed annotation")
    check(verified(place.verify({**key, "annotations": {"approved": "no"}})) == [False, False], "other annotation")
    check(verified(place.verify(exempt, {**stranger, "mode": "if_present"})) == [False, None], "exempt")
    nothing = place.verify({"repositories": ["elsewhere"], "mode": "none"})
    check([image["reason"] for image in nothing] == ["no rule of signatures matches"] * 2, f"{nothing}")

    text = Path(place.path("p256.pub")).read_text(encoding="utf-8")
    check(verified(place.verify({"keys": [text]})) == [True, False], "a key as text")
    good = place.verify({**key, "predicate_types": ["https://spdx.dev/Document"]})[0]
    counted = sorted(one["form"] for one in good["signatures"] if one["verified"])
    check(counted == ["cosign_tag", "sigstore_bundle"], f"a statement counts that isn't asked for: {good}")


def unreadable(place: Place) -> None:
    """A key that can't be read fails the task before the first request."""
    beginning = mark()
    rule = {"keys": [place.path("root.crt")]}
    options = {**connection(place.registry), "images": place.images, "signatures": [rule]}
    done = playbook(play([task("signature_info", options)]), {}, expected=2)
    check("it is no public key in PEM" in done.of("signature_info")["msg"], done.output)
    check(not requests_since(beginning, place.registry), "the registry was asked")


def indexes(place: Place) -> None:
    """With each_image, every image of an index needs a signature, and keeps it when it is promoted."""
    made = signed_images.signed(f"each-{place.registry}")
    signed_images.push_signed(place.registry, made)
    public = signed_images.KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    there = Place(place.registry, place.keys, [{"repository": made.repository, "tag": "1.0"}])
    rule = {"keys": [public]}
    check(verified(there.verify(rule)) == [True], "the index is signed")
    (found,) = there.verify({**rule, "each_image": True})
    check(not found["verified"] and made.images[0].digest in found["reason"], f"{found}")
    check(made.images[1].digest not in found["reason"], f"{found}")


def promotions(place: Place) -> None:
    """What isn't signed, or leaves its signature behind, isn't promoted; the signature is there before the tag."""
    names = place.images
    good, bad = (
        {**image, "destination_repository": f"{place.registry}-{PREFIX}/{image['repository']}"} for image in names
    )
    ends = {**connection("prod"), "source": connection(place.registry)}
    rule = {"keys": [place.path("p256.pub")]}
    beginning = mark()
    for what, options in (
        ("it isn't signed", {"images": [good, bad]}),
        ("its signature stays", {"images": [good], "artifacts": ["none"]}),
        ("other artifacts come", {"images": [good], "artifacts": ["application/spdx+json"]}),
    ):
        given = task("image_copy", {**ends, **options, "signatures": [rule]}, name=what)
        done = playbook(play([given]), {}, expected=2).of(what)
        check("refused" in [image["action"] for image in done["images"]], f"{what}: {done}")
    writes = [one for one in requests_since(beginning, "prod") if one["method"] in WRITING]
    check(not writes, f"{writes}")
    options = {**ends, "images": [good], "signatures": [rule]}
    done = playbook(play([task("image_copy", options)]), {}).of("image_copy")
    check(done["images"][0]["verified"] is True, f"{done}")
    pushed = [one["path"] for one in requests_since(beginning, "prod") if one["method"] == "PUT"]
    check(pushed[-1].endswith(f"/manifests/{good['tag']}"), f"the tag isn't last: {pushed}")
    there = {**connection("prod"), "repository": good["destination_repository"], "tag": good["tag"]}
    again = playbook(play([task("signature_info", {**there, "signatures": [rule]})]), {}).of("signature_info")
    check(again["verified"] is True, f"{again}")


def documents(place: Place) -> None:
    """Gates see the same signatures."""
    options = {**connection(place.registry), "images": place.images, "signatures": [{"keys": [place.path("p256.pub")]}]}
    modes = {"looked": False, "foreseen": True}
    done = playbook(play([task("image_info", options, name=name, check_mode=modes[name]) for name in modes]), {})
    looked, foreseen = (done.of(name)["images"] for name in modes)
    for image in (*looked, *foreseen):
        for changing in ("now", "age_seconds", "images"):
            image["document"].pop(changing)
    check(looked == foreseen, "check mode says something else")
    found = [image["document"] for image in looked]
    check([any(one["verified"] for one in each["signatures"]) for each in found] == [True, False], f"{found}")
    check(len(found[0]["referrers"]) == 10, f"{found[0]['referrers']}")
    check({one["subject"] for one in found[0]["referrers"]} == {found[0]["digest"]}, f"{found[0]['referrers']}")


def signatures() -> None:
    """At a registry without an API for referrers, and at one that has it, where that was built."""
    for registry in ("dev", *(name for name in ("olareg",) if name in REGISTRIES)):
        place = signed(registry)
        beginning = mark()
        for look in (each_key, certificates, rules, unreadable, documents):
            look(place)
        writes = [one for one in requests_since(beginning, registry) if one["method"] in WRITING]
        check(not writes, f"{registry}: {writes}")
        indexes(place)
        promotions(place)
        say(f"{registry}: {len(KEYS)} keys, 3 forms")


main([signatures])
