# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tags of a set: all of them move, or none; guards hold while a push waits; what is replaced is kept."""

from __future__ import annotations

import hashlib
from typing import Any

from content import Side
from rows import KIB, RUN
from runs import REGISTRIES, Plain, call, check, connection, seed, task

from fault_proxy import FaultProxy

PREFIX = f"faults-tags-{RUN}"
OPTIONAL = ("distribution3", "olareg")
REPOSITORIES = [f"{PREFIX}/{name}" for name in ("app", "api", "web")]
TAGS = ("1.0", "stable")
REMOVES_TAGS = OPTIONAL
"""Those that can delete a tag alone; distribution 2.8 can't."""
CREATED = (REPOSITORIES[2], "new")
PLACES = [(repository, tag) for repository in REPOSITORIES for tag in TAGS]


def _copy(at: Plain, images: list[Plain], *, creates: bool = True, **options: Any) -> Plain:
    """Copy an image to each repository, under all tags; the last gets one tag more before them, if it ``creates``."""
    items = [
        {
            "repository": image["repository"],
            "tag": image["tag"],
            "destination_repository": repository,
            "tags": [*([CREATED[1]] if creates and repository == CREATED[0] else []), *TAGS],
        }
        for image, repository in zip(images, REPOSITORIES)
    ]
    options = {**at, "source": connection("dev"), "images": items, **options}
    return call([task("image_copy", options, name="copy", ignore_errors=True)]).of("copy")


def _served(name: str) -> dict[tuple[str, str], str]:
    """What tags serve now; without those that aren't there."""
    found = {}
    for repository, tag in [*PLACES, CREATED]:
        content = Side(name, repository).manifest(tag)
        if content is not None:
            found[repository, tag] = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return found


def _through(proxy: FaultProxy) -> Plain:
    return {"registry": proxy.address, "plain_http": True}


def _registries() -> list[str]:
    for name in OPTIONAL:
        if name not in REGISTRIES:
            print(f"left out: {name} is not there (tests/registries/install-optional.sh)")
    return ["prod", *(name for name in OPTIONAL if name in REGISTRIES)]


def _image(prefix: str, contents: str) -> Plain:
    """A small image at the source, with contents of its own."""
    return seed("dev", "single", prefix, images=1, layer_size=KIB, seed=f"{prefix} {contents}")[0]


def _with_old(name: str) -> tuple[list[Plain], dict[tuple[str, str], str]]:
    """Images to promote, and what the tags serve that they replace."""
    old, new = (
        [_image(f"{PREFIX}-{age}-{number}", f"{age}-{name}") for number in range(len(REPOSITORIES))]
        for age in ("old", "new")
    )
    result = _copy(connection(name), old, creates=False)
    check(not result["failed"], f"{name}: {result.get('msg')}")
    return new, _served(name)


def tags_go_back() -> None:
    """Whichever tag is refused, all old digests are back; a created tag is gone, or told where none can be removed."""
    for name in _registries():
        images, before = _with_old(name)
        check(set(before) == set(PLACES), f"{name}: {sorted(before)}")
        every = range(1, len(PLACES) + 1)
        for number in every if name == "prod" else (every[0], every[-1]):
            # distribution 2.8 can't remove it: an earlier round has left it there then.
            stands = CREATED in _served(name)
            with FaultProxy(f"http://{REGISTRIES[name]['address']}", f"tag-refused={number}") as proxy:
                result = _copy(_through(proxy), images, retries=0)
            where = f"{name}, refused push {number}"
            check(result["failed"] and "is refused" in result["msg"], f"{where}: {result.get('msg')}")
            after = _served(name)
            left = {(tag["repository"], tag["tag"]) for tag in result["not_reverted"]}
            check({place: after.get(place) for place in PLACES} == before, f"{where}: {after}")
            if name in REMOVES_TAGS:
                check(CREATED not in after and left == set(), f"{where}: {after}, {left}")
            else:
                check((CREATED in after) == (stands or left == {CREATED}) and left <= {CREATED}, f"{where}: {after}")
                # It is the first tag of its image: it has moved before the last but one of all is pushed.
                check(number < every[-1] or CREATED in after, f"{where}: {after}")
            actions = {tag["action"] for image in result["images"] for tag in image["tags"]}
            check(
                actions <= {"failed", "reverted", *(["create"] if left else []), *(["exists"] if stands else [])},
                f"{where}: {actions}",
            )
        _move_for_good(name, images, before)


def _move_for_good(name: str, images: list[Plain], before: dict[tuple[str, str], str]) -> None:
    """Without a fault, all tags move, and what they replace is kept; again, nothing happens."""
    result = _copy(connection(name), images, keep_replaced=True)
    check(not result["failed"], f"{name}: {result.get('msg')}")
    digests = {image["digest"] for image in images}
    check(set(_served(name).values()) == digests, f"{name}: tags serve something else")
    kept = {(tag["repository"], tag["tag"], tag["digest"]) for tag in result["replaced_tags"]}
    expected = {(repository, f"replaced-{digest[7:19]}", digest) for (repository, _tag), digest in before.items()}
    check(kept == expected, f"{name}: kept are {kept}")
    for repository, tag, digest in kept:
        content = Side(name, repository).manifest(tag) or b""
        check(f"sha256:{hashlib.sha256(content).hexdigest()}" == digest, f"{name}: {repository}:{tag} serves another")
    again = _copy(connection(name), images, keep_replaced=True)
    check(not again["failed"] and not again["changed"] and not again["replaced_tags"], f"{name}: {again}")


def guards_hold_while_a_push_waits() -> None:
    """A tag that another client moves while the registry has the push wait is left where it is."""
    for name in _registries():
        images, before = _with_old(name)
        taken = _image(f"{PREFIX}-taken", name)
        repository, tag = PLACES[0]
        item = {"repository": taken["repository"], "tag": taken["tag"]}
        there = {**item, "destination_repository": repository, "tags": ["taken"]}
        copy = {**connection(name), "source": connection("dev"), "images": [there]}
        check(not call([task("image_copy", copy, name="copy")]).of("copy")["failed"], f"{name}: it cannot be put there")
        item = {"repository": images[0]["repository"], "tag": images[0]["tag"]}
        image = {**item, "destination_repository": repository, "tags": [tag]}
        for guard in ({"expected_destination_digest": before[repository, tag]}, {}):
            with FaultProxy(f"http://{REGISTRIES[name]['address']}", "tag-taken") as proxy:
                options = {**_through(proxy), "source": connection("dev"), "images": [{**image, **guard}]}
                result = call([task("image_copy", options, name="copy", ignore_errors=True)]).of("copy")
            check(result["failed"] and taken["digest"] in result["msg"], f"{name}: {result.get('msg')}")
            check(_served(name)[repository, tag] == taken["digest"], f"{name}: what another client has moved is lost")
            if guard:
                put_back = {**connection(name), "repository": repository, "tag": tag, "digest": before[repository, tag]}
                check(not call([task("tag", put_back, name="tag")]).of("tag")["failed"], f"{name}: it cannot go back")
