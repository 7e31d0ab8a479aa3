# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A row for each fault about the types of manifests, and about what registries say of them."""

from __future__ import annotations

import json
from collections.abc import Callable

from probe import BY_DIGEST, DIGEST, IMAGE, MANIFEST, REPOSITORY, TAGS, Client
from runs import check

from faults.base import MANIFEST_TYPES
from faults.media_types import ForeignReferrer
from images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

REFERRERS = f"/v2/{REPOSITORY}/referrers/"
MANIFESTS = f"/v2/{REPOSITORY}/manifests/"


def foreign_referrer(client: Client) -> None:
    for kind in ("oci", "oras", "other"):
        client.proxy.switch(f"foreign-referrer={kind}")
        (entry,) = client.ask("GET", REFERRERS + IMAGE["digest"], 200).json()["manifests"]
        check(entry["mediaType"] == ForeignReferrer.types[kind], f"the list has {entry}")
        check(client.ask("GET", REFERRERS + entry["digest"], 200).json()["manifests"] == [], "it has referrers itself")
        serves(client, entry["digest"], entry["mediaType"])
    client.proxy.switch("foreign-referrer=cosign")
    serves(client, IMAGE["digest"].replace(":", "-") + ".sig", ForeignReferrer.types["cosign"])
    client.ask("GET", MANIFEST, 200)


def serves(client: Client, reference: str, media_type: str) -> None:
    """A manifest is there for who accepts its type, and for nobody else."""
    check(client.codes("GET", MANIFESTS + reference, 404) == ["MANIFEST_UNKNOWN"], "the code")
    accept = {"Accept": f"{MANIFEST_TYPES}, {media_type}"}
    answer = client.ask("GET", MANIFESTS + reference, 200, headers=accept)
    check(answer.headers["Content-Type"] == answer.json()["mediaType"] == media_type, f"{answer.headers}")
    digest = client.ask("HEAD", MANIFESTS + reference, 200, headers=accept).headers[DIGEST]
    check(digest == answer.headers[DIGEST], "the digest")


def wrong_type(client: Client) -> None:
    for faults, wrong in (("wrong-type", False), ("wrong-type=all", True)):
        client.proxy.switch(faults)
        check(client.ask("GET", BY_DIGEST, 200).headers["Content-Type"] == DOCKER_MANIFEST, "the type by digest")
        for method in ("GET", "HEAD"):
            found = client.ask(method, MANIFEST, 200).headers["Content-Type"]
            check(found == (DOCKER_MANIFEST if wrong else OCI_MANIFEST), f"{faults}: {method} by tag says {found}")


def type_refused(client: Client) -> None:
    child = {"mediaType": OCI_INDEX, "digest": IMAGE["digest"], "size": 2}
    for faults, media_type, entries, status in (
        ("type-refused", DOCKER_LIST, [], 415),
        ("type-refused=nested", OCI_INDEX, [child], 400),
    ):
        client.proxy.switch(faults)
        content = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": entries}).encode()
        headers = {"Content-Type": media_type}
        codes = client.codes("PUT", f"{MANIFESTS}refused", status, data=content, headers=headers)
        check(codes == ["MANIFEST_INVALID"], f"{faults}: the codes are {codes}")
    client.tag("taken", 201)


def policy(client: Client) -> None:
    check(client.codes("GET", MANIFEST, 412) == ["PROJECTPOLICYVIOLATION"], "the code")
    client.ask("HEAD", MANIFEST, 412)
    client.proxy.switch("policy=push")
    client.tag("forbidden", 412)


def throttled(client: Client) -> None:
    for faults, code in (("throttled", "UNSUPPORTED"), ("throttled=harbor", "TOO_MANY_REQUEST")):
        client.proxy.switch(faults)
        check(client.tag("throttled", 429).json()["errors"][0]["code"] == code, "the code")
        client.tag("throttled", 201)


def notice(client: Client) -> None:
    for target in (MANIFEST, TAGS):
        told = client.ask("GET", target, 200).headers["Warning"]
        check(told == '299 - "This repository is going to be removed"', f"the header is {told}")


ROWS: dict[str, Callable[[Client], None]] = {
    "foreign-referrer": foreign_referrer,
    "wrong-type": wrong_type,
    "type-refused": type_refused,
    "policy": policy,
    "throttled": throttled,
    "notice": notice,
}
