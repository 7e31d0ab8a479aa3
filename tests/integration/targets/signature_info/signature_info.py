# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures that ``openssl`` has made, in every form and with every kind of key, at real registries."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import signed_images
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from openssl_signatures import BUNDLE, NOTARY, Keys, Signatures
from runs import (
    OUTPUT,
    REGISTRIES,
    WRITING,
    Plain,
    call,
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

    def looking(self, *rules: Plain, **keywords: Any) -> Plain:
        """The task that verifies both images by these rules."""
        options = {**connection(self.registry), "images": self.images, "signatures": list(rules)}
        return task("signature_info", options, **keywords)

    def verify(self, *rules: Plain) -> list[Plain]:
        """What signature_info says of both images."""
        (found,) = self.verify_each([rules])
        return found

    def verify_each(self, rules: Sequence[Sequence[Plain]]) -> list[list[Plain]]:
        """The same for each of several lists of rules, in one play."""
        names = [f"rules {number}" for number in range(len(rules))]
        done = playbook(play([self.looking(*some, name=name) for name, some in zip(names, rules)]), {})
        return [done.of(name)["images"] for name in names]

    def path(self, name: str) -> str:
        return str(self.keys.path(name))


def signed(registry: str) -> Place:
    """Push the images, and the signatures of each."""
    keys = Keys(OUTPUT / "keys")
    images = [seed(registry, "single", f"signature_info/{name}")[0] for name in ("good", "bad")]
    names = [{"repository": image["repository"], "tag": image["tag"]} for image in images]
    options = {**connection(registry), "images": names, "include": ["content"]}
    contents = call([task("manifest_info", options)]).of("manifest_info")["images"]
    tasks: list[Plain] = []
    for found, attach in zip(contents, (right, wrong)):
        work = Signatures(keys, base64.b64decode(found["content_base64"]))
        tagged, referrers = attach(work)
        tasks += pushing(registry, found["repository"], work, tagged, referrers)
    call([{**one, "series": "all"} for one in tasks])
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
    said = place.verify_each([[{"keys": [place.path(f"{key}.pub")]}] for key in KEYS])
    for key, found in zip(KEYS, said):
        good, bad = found
        check(verified(found) == [True, False], f"{key}: {found}")
        forms = sorted(one["form"] for one in good["signatures"] if one["verified"])
        check(forms == ["cosign_tag", "sigstore_bundle", "sigstore_bundle"], f"{key}: {good}")
        check(len({one["by"] for one in good["signatures"] if one["verified"]}) == 1, f"{key}: {good}")
        check(len(bad["signatures"]) == 10 and all(one["reason"] for one in bad["signatures"]), f"{key}: {bad}")
    foreseen = place.looking({"keys": [place.path(f"{KEYS[-1]}.pub")]}, check_mode=True)
    check(call([foreseen]).of("signature_info")["images"] == said[-1], "check mode says something else")


def certificates(place: Place) -> None:
    """They lead to the signer; other chains, uses and images don't."""
    rule = {"certificates": [place.path("root.crt")], "subjects": ["C=DE, O=Example, CN=release"]}
    good, bad = found = place.verify(rule)
    check(verified(found) == [True, False], f"{found}")
    by = [one["by"] for one in good["signatures"] if one["verified"]]
    check(by == ["certificate:CN=release,O=Example,C=DE"], f"{good}")
    reasons = "\n".join(one["reason"] for one in bad["signatures"] if one["form"] == "notation")
    for words in ("serverAuth", "none of the trusted certificates leads to", f"it is about '{OTHER}'"):
        check(words in reasons, f"{words} is not in {reasons}")


def rules(place: Place) -> None:
    """They ask for more, or for nothing."""
    key, stranger = {"keys": [place.path("p256.pub")]}, {"keys": [place.path("stranger.pub")]}
    exempt = {"repositories": ["signature_info/bad/*"], "mode": "none"}
    text = Path(place.path("p256.pub")).read_text(encoding="utf-8")
    cases: list[tuple[str, list[Plain], list[bool | None]]] = [
        ("signed annotation", [{**key, "annotations": {"approved": "yes"}}], [True, False]),
        ("other annotation", [{**key, "annotations": {"approved": "no"}}], [False, False]),
        ("exempt", [exempt, {**stranger, "mode": "if_present"}], [False, None]),
        ("a key as text", [{"keys": [text]}], [True, False]),
        ("no rule", [{"repositories": ["elsewhere"], "mode": "none"}], [False, False]),
        ("predicate type", [{**key, "predicate_types": ["https://spdx.dev/Document"]}], [True, False]),
    ]
    said = place.verify_each([some for _what, some, _wanted in cases])
    for (what, _some, wanted), found in zip(cases, said):
        check(verified(found) == wanted, f"{what}: {found}")
    check([image["reason"] for image in said[4]] == ["no rule of signatures matches"] * 2, f"{said[4]}")
    counted = sorted(one["form"] for one in said[5][0]["signatures"] if one["verified"])
    check(counted == ["cosign_tag", "sigstore_bundle"], f"a statement counts that is not asked for: {said[5][0]}")


def unreadable(place: Place) -> None:
    """A key that can't be read fails the task before the first request."""
    beginning = mark()
    done = playbook(play([place.looking({"keys": [place.path("root.crt")]})]), {}, expected=2)
    check("it is not a public key in PEM" in done.of("signature_info")["msg"], done.output)
    check(not requests_since(beginning, place.registry), "the registry was asked")


def indexes(place: Place) -> None:
    """With each_image, every image of an index needs a signature, and keeps it when it is promoted."""
    made = signed_images.signed(f"each-{place.registry}")
    signed_images.push_signed(place.registry, made)
    public = signed_images.KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    there = Place(place.registry, place.keys, [{"repository": made.repository, "tag": "1.0"}])
    rule = {"keys": [public]}
    whole, (each,) = there.verify_each([[rule], [{**rule, "each_image": True}]])
    check(verified(whole) == [True], "the index is signed")
    check(not each["verified"] and made.images[0].digest in each["reason"], f"{each}")
    check(made.images[1].digest not in each["reason"], f"{each}")


def promotions(place: Place) -> None:
    """What isn't signed, or leaves its signature behind, isn't promoted; the signature is there before the tag."""
    names = place.images
    good, bad = (
        {**image, "destination_repository": f"{place.registry}-{PREFIX}/{image['repository']}"} for image in names
    )
    ends = {**connection("prod"), "source": connection(place.registry)}
    rule = {"keys": [place.path("p256.pub")]}
    beginning = mark()
    refused = {
        "it is not signed": {"images": [good, bad]},
        "its signature stays": {"images": [good], "artifacts": ["none"]},
        "other artifacts come": {"images": [good], "artifacts": ["application/spdx+json"]},
    }
    tasks = [
        task("image_copy", {**ends, **options, "signatures": [rule]}, name=what, ignore_errors=True)
        for what, options in refused.items()
    ]
    done = playbook(play(tasks), {})
    for what in refused:
        said = done.of(what)
        check(said["failed"] and "refused" in [image["action"] for image in said["images"]], f"{what}: {said}")
    writes = [one for one in requests_since(beginning, "prod") if one["method"] in WRITING]
    check(not writes, f"{writes}")
    options = {**ends, "images": [good], "signatures": [rule]}
    there = {**connection("prod"), "repository": good["destination_repository"], "tag": good["tag"]}
    look = task("signature_info", {**there, "signatures": [rule]})
    both = playbook(play([task("image_copy", options), look]), {})
    done, again = both.of("image_copy"), both.of("signature_info")
    check(done["images"][0]["verified"] is True, f"{done}")
    pushed = [one["path"] for one in requests_since(beginning, "prod") if one["method"] == "PUT"]
    check(pushed[-1].endswith(f"/manifests/{good['tag']}"), f"the tag is not last: {pushed}")
    check(again["verified"] is True, f"{again}")


def documents(place: Place) -> None:
    """Gates see the same signatures."""
    options = {**connection(place.registry), "images": place.images, "signatures": [{"keys": [place.path("p256.pub")]}]}
    modes = {"looked": False, "foreseen": True}
    done = call([task("image_info", options, name=name, check_mode=modes[name]) for name in modes])
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
