# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the registries' own logs say about the cost of a promotion, and about what check mode promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from runs import (
    OUTPUT,
    PROMOTE,
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
    requests_since,
    say,
    seed,
    state_at,
    task,
)
from signing import key_of, signature_image

from seeding import Pusher

KINDS = "single,multi,family"
TAGS = ["1.0", "stable", "latest"]
KEY = key_of("release")


class Pair:
    """A source and a destination, and the images that go from one to the other."""

    def __init__(self, source: str, destination: str) -> None:
        self.source, self.destination = source, destination
        self.seeded = seed(source, KINDS, f"counts/{source}")

    def variables(self, images: Iterable[Plain], account: str = "") -> Plain:
        return {
            "promote_source": connection(self.source, account),
            "promote_destination": connection(self.destination, account),
            "promote_images": list(images),
        }

    def by_tag(self, number: int) -> list[Plain]:
        return [
            {"repository": image["repository"], "tag": image["tag"], "tags": TAGS} for image in self.seeded[:number]
        ]

    def by_digest(self, number: int) -> list[Plain]:
        return [
            {"repository": image["repository"], "digest": image["digest"], "tags": TAGS}
            for image in self.seeded[:number]
        ]


PAIRS = (("dev", "prod"), ("dev-token", "prod-htpasswd"), ("prod-htpasswd", "dev-token"))


def expected_heads(images: Iterable[Plain], *, source: bool) -> list[str]:
    """The requests that unchanged images cost at one end, apart from the login."""
    heads = []
    for image in images:
        path = f"/v2/{image['repository']}/manifests/"
        references = [image["tag"]] if source and "tag" in image else [] if source else image["tags"]
        heads += [f"HEAD {path}{reference} 200" for reference in references]
    return sorted(heads)


def check_end(name: str, moment: str, images: list[Plain], *, source: bool) -> str:
    seen = requests_since(moment, name)
    refused = [request for request in seen if request["status"] == 401]
    answered = lines(request for request in seen if request["status"] != 401)
    wanted = expected_heads(images, source=source)
    check(answered == wanted, f"{name} saw {answered}, and should have seen {wanted}")
    login = REGISTRIES[name]["login"]
    logins = 0 if login == "none" or not wanted else 1
    check(len(refused) == logins, f"{name} answered {len(refused)} requests with 401: {lines(refused)}")
    told = f"{name}: {len(answered)} HEAD, {len(refused)} x 401"
    if login == "token":
        asked = scopes_asked(name, moment)
        repositories = {image["repository"] for image in images} if wanted else set()
        expected = sorted(f"repository:{repository}:pull" for repository in repositories)
        check(asked == expected, f"the token server of {name} was asked for {asked}, not {expected}")
        told += f", {len(asked)} x token"
    return told


def scopes_asked(name: str, moment: str) -> list[str]:
    """The scopes of every request that the token server of a registry saw, one text for each request."""
    seen = requests_since(moment, name, "token")
    return sorted(" ".join(parse_qs(request["query"]).get("scope", [])) for request in seen)


def unchanged() -> None:
    """One HEAD at the source, one for each tag at the destination, one login; nothing else."""
    for pair in (Pair(*names) for names in PAIRS):
        number = len(pair.seeded)
        ends = ends_of(pair.source, pair.destination)
        copied(f"{pair.source} to {pair.destination}", {**ends, "images": pair.by_tag(number)})
        for by_role, what, images in (
            (False, "1 image by tag", pair.by_tag(1)),
            (True, f"{number} images by tag", pair.by_tag(number)),
            (True, f"{number} images by digest", pair.by_digest(number)),
        ):
            moment = mark()
            if by_role:
                result = playbook(PROMOTE, pair.variables(images)).of("Compare digests")
            else:
                result = call([task("image_diff_info", {**ends, "images": images})]).of("image_diff_info")
            check(result["differs"] is False, f"{what}: it finds differences: {result}")
            told = [
                check_end(pair.source, moment, images, source=True),
                check_end(pair.destination, moment, images, source=False),
            ]
            requests = result["transfer"]["requests"]
            say(f"{what} with {len(TAGS)} tags each: {'; '.join(told)}; transfer.requests {requests}")


def writes(moment: str, name: str) -> list[Plain]:
    return [request for request in requests_since(moment, name) if request["method"] in WRITING]


def predicted(run: Run) -> dict[str, list[tuple[str, str]]]:
    """What a run says that it writes: manifests by repository and digest, tags by repository and name."""
    manifests = run.of("Compare digests")["manifests"]
    tags = run.of("Copy what differs, and move the tags last")["tags"]
    return {
        "manifests": sorted((entry["repository"], entry["digest"]) for entry in manifests),
        "tags": sorted((entry["repository"], entry["tag"]) for entry in tags if entry["action"] != "exists"),
    }


def blobs_of(result: Plain) -> Counter[str]:
    """How many blobs come to each repository by ``promote_result``. To a counter, none and zero are the same."""
    numbers: Counter[str] = Counter()
    for image in result["images"]:
        numbers[image["destination"].partition("/")[2]] += image["blobs_uploaded"] + image["blobs_mounted"]
    return numbers


def written(requests: Iterable[Plain]) -> dict[str, list[tuple[str, str]]]:
    """What a registry's log says that was written."""
    found: dict[str, list[tuple[str, str]]] = {"blobs": [], "manifests": [], "tags": []}
    for request in requests:
        if request["status"] != 201:
            continue
        path = request["path"].partition("/v2/")[2]
        repository, _verb, rest = path.rpartition("/manifests/")
        if repository:
            found["manifests" if ":" in rest else "tags"].append((repository, rest))
            continue
        query = parse_qs(request["query"])
        digest = (query.get("digest") or query.get("mount") or [""])[0]
        found["blobs"].append((path.partition("/blobs/")[0], digest))
    return {name: sorted(places) for name, places in found.items()}


def shape(result: Plain) -> list[tuple[Any, ...]]:
    """What ``promote_result`` says of every image, without the ways in which blobs came."""
    return [
        (
            image["reference"],
            image["digest"],
            image["action"],
            [tuple(sorted(tag.items())) for tag in image["tags"]],
            image["blobs_uploaded"] + image["blobs_mounted"],
            image["bytes_uploaded"] + image["bytes_mounted"],
            image["blobs_skipped"],
        )
        for image in result["images"]
    ]


def check_mode() -> None:
    """Accounts that may only pull can plan, and the plan is what is then written."""
    source, destination, prefix = "dev-token", "prod-token", "planned"
    seeded = seed(source, KINDS, prefix)
    # One tag is to be moved, and a layer of one image is there already.
    seed(destination, "single", prefix, seed="another")
    seed(destination, "family", prefix, images=1)
    images = [{"repository": image["repository"], "tag": image["tag"], "tags": TAGS} for image in seeded]
    variables: Plain = {
        "promote_source": connection(source, "pull_"),
        "promote_destination": connection(destination, "pull_"),
        "promote_images": images,
    }
    moment = mark()
    planned = playbook(PROMOTE, variables, "--check")
    for name in (source, destination):
        wrote = lines(writes(moment, name))
        check(not wrote, f"in check mode, {name} saw {wrote}")
        asked = scopes_asked(name, moment)
        wide = [scope for scope in asked if any(part.rpartition(":")[2] != "pull" for part in scope.split())]
        check(bool(asked) and not wide, f"in check mode, the token server of {name} was asked for {wide or 'nothing'}")
        say(
            f"check mode: {name} saw {len(requests_since(moment, name))} requests and none that writes; "
            f"{len(asked)} tokens for {', '.join(sorted(set(asked)))}"
        )
    variables["promote_destination"] = connection(destination)
    moment = mark()
    done = playbook(PROMOTE, variables)
    check(not writes(moment, source), f"{source} saw {lines(writes(moment, source))}")
    wrote = written(writes(moment, destination))
    plan = predicted(planned)
    for name, places in plan.items():
        check(
            bool(places) and places == wrote[name], f"check mode predicts the {name} {places}, written: {wrote[name]}"
        )
    results = [run.of("Keep what was done")["ansible_facts"]["promote_result"] for run in (planned, done)]
    blobs = blobs_of(results[0])
    arrived = Counter(repository for repository, _digest in wrote["blobs"])
    check(bool(arrived) and blobs == arrived, f"check mode predicts so many blobs {blobs}, written: {arrived}")
    numbers = ", ".join(f"{len(places)} {name}" for name, places in plan.items())
    say(f"check mode predicted what was written: {arrived.total()} blobs, {numbers}")
    before, after = (shape(result) for result in results)
    check(before == after, f"promote_result in check mode: {before}, and then: {after}")
    again = playbook(PROMOTE, variables)
    check(again.of("Compare digests")["differs"] is False, "a second run finds differences")


def ends_of(source: str, destination: str) -> Plain:
    return {**connection(destination), "source": connection(source)}


def items_of(seeded: Iterable[Plain], **options: Any) -> list[Plain]:
    return [{"repository": image["repository"], "tag": image["tag"], **options} for image in seeded]


def kind_of(request: Plain) -> str:
    """A request without names and digests."""
    path = request["path"].partition("/v2/")[2]
    for part, what in (("/manifests/", "manifest"), ("/blobs/uploads/", "upload"), ("/blobs/", "blob")):
        if part in path:
            reference = path.rpartition(part)[2]
            if part == "/manifests/":
                what = "by digest" if ":" in reference else "cosign" if reference.startswith("sha256-") else "tag"
            elif part == "/blobs/uploads/" and "mount=" in request["query"]:
                what = "mount"
            return f"{request['method']} {what} {request['status']}"
    return f"{request['method']} {'tags/list' if path.endswith('/tags/list') else 'referrers'} {request['status']}"


def kinds_since(moment: str, name: str) -> Counter[str]:
    return Counter(kind_of(request) for request in requests_since(moment, name) if request["status"] != 401)


def check_kinds(what: str, moment: str, name: str, wanted: dict[str, int], number: int = 1) -> None:
    """The requests that a registry saw are these, which is said in requests per image."""
    seen = kinds_since(moment, name)
    check(seen == Counter(wanted), f"{what}: {name} saw {dict(sorted(seen.items()))}, and should have seen {wanted}")
    say(f"{what}: {seen.total() / number:g} requests per image at {name}")


def copied(what: str, options: Plain) -> str:
    """Copy images in a module without a playbook. Returns the moment before."""
    moment = mark()
    result = call([task("image_copy", options)]).of("image_copy")
    check(result["changed"] is True, f"{what}: nothing was copied: {result}")
    return moment


NEW = 50
SHARED = 3
"""Of four layers: with its config, an image has five blobs, as in the benchmark's (e)."""


def at_new_destination(*, guarded: bool = False, by_plan: bool = False) -> dict[str, int]:
    """The requests for images whose config and top layer are their own, in repositories that aren't there."""
    mounted = SHARED * (NEW - 1)
    distinct = SHARED + NEW + NEW  # shared layers, own layers, configs
    # One answer of each kind that says that something isn't there is confirmed. With a guard, each of a tag is, when
    # it is compared and when it is moved.
    first = {"HEAD blob 404": 1, "GET blob 404": 1} if by_plan else {"GET by digest 404": 1}
    return {
        "HEAD tag 404": NEW if by_plan else 2 * NEW,
        "GET tag 404": 2 * NEW if guarded else 1,
        **first,
        "GET tags/list 404": 1,
        "POST mount 202": distinct,
        "POST mount 201": mounted,
        "PUT upload 201": distinct,
        "PUT by digest 201": NEW,
        "PUT tag 201": NEW,
        "HEAD tag 200": NEW,
    }


def from_nothing() -> None:
    """Of images that come to a new place, nothing is asked that the answer to another request has told."""
    source, destination = "dev", "prod"
    seeded = seed(source, "family", "new", images=NEW, layers=SHARED + 1, layer_size=2048)
    at_source = {
        "HEAD tag 200": NEW,
        "GET by digest 200": NEW,
        # There is no referrers API, and each repository is asked for it. One absence of a signature is confirmed.
        "GET referrers 404": NEW,
        "GET cosign 404": NEW + 1,
        "HEAD cosign 404": 3 * NEW,
        "GET blob 200": SHARED + 2 * NEW,
    }
    conditions: Plain
    for what, prefix, conditions in (
        ("from nothing", "plain", {}),
        ("from nothing, on_conflict: fail", "guarded", {"on_conflict": "fail"}),
    ):
        images = [
            {**item, "destination_repository": f"{prefix}/{item['repository']}", **conditions}
            for item in items_of(seeded)
        ]
        moment = copied(what, {**ends_of(source, destination), "images": images})
        check_kinds(what, moment, source, at_source, NEW)
        check_kinds(what, moment, destination, at_new_destination(guarded=bool(conditions)), NEW)
    options = {**ends_of(source, destination), "images": items_of(seeded)}
    moment = mark()
    plan = call([task("image_diff_info", options)]).of("image_diff_info")
    found = {"HEAD tag 404": NEW, "GET tag 404": 1, "GET by digest 404": 1, "GET tags/list 404": 1}
    check_kinds("from nothing, compared", moment, destination, found, NEW)
    looked = mark()
    call([task("image_copy", {**options, "plan": plan}, check_mode=True)])
    what = "what a plan claims"
    seen = kinds_since(looked, source)
    check(seen == Counter({"HEAD tag 200": NEW}), f"{what}: {source} saw {dict(seen)}")
    moment = copied("from nothing, by that plan", {**options, "plan": plan, "trust_plan": True})
    check_kinds("from nothing, by that plan", moment, source, {"GET blob 200": SHARED + 2 * NEW}, NEW)
    check_kinds("from nothing, by that plan", moment, destination, at_new_destination(by_plan=True), NEW)
    looked = mark()
    call([task("image_copy", {**options, "plan": plan})])
    check_kinds(f"{what}, which was carried out", looked, source, {"HEAD tag 200": NEW}, NEW)
    # Tags are looked at for what the plan claims, and before they would move; content is found, and not sent again.
    found = {"HEAD tag 200": 2 * NEW, "HEAD by digest 200": NEW, "HEAD blob 200": (SHARED + 2) * NEW}
    check_kinds(f"{what}, which was carried out", looked, destination, found, NEW)


WITHOUT_ARTIFACTS = {"GET referrers 404": 1, "GET cosign 404": 2, "HEAD cosign 404": 3}
"""What an image without artifacts costs at a source without a referrers API; one absence is confirmed."""
NEW_TAG = {"HEAD tag 404": 2, "GET tag 404": 1, "PUT tag 201": 1, "HEAD tag 200": 1}
"""What a new tag costs at the destination: two looks that find none, one confirmed, the push, and a look at it."""


def something_new() -> None:
    """In a repository that is there, only what is new is asked for, and what is there is found."""
    source, destination = "dev", "prod"
    ends = ends_of(source, destination)
    image, relative = seed(source, "family", "more", images=2, layers=SHARED + 1, layer_size=2048)
    seed(destination, "family", "more", images=1, layers=SHARED + 1, layer_size=2048)
    moment = copied("a tag added", {**ends, "images": items_of([image], tags=["also"])})
    check_kinds("a tag added", moment, source, {"HEAD tag 200": 1, **WITHOUT_ARTIFACTS})
    check_kinds("a tag added", moment, destination, {**NEW_TAG, "GET by digest 200": 1})
    changed = items_of([relative], destination_repository=image["repository"], tags=["2.0"])
    moment = copied("one changed layer", {**ends, "images": changed})
    read = {"HEAD tag 200": 1, "GET by digest 200": 1, "GET blob 200": 2}
    check_kinds("one changed layer", moment, source, {**read, **WITHOUT_ARTIFACTS})
    wrote = {
        "GET by digest 404": 1,
        "HEAD blob 200": SHARED,
        "HEAD blob 404": 1,
        "GET blob 404": 1,
        "POST upload 202": 1,
        "POST mount 202": 1,
        "PUT upload 201": 2,
        "PUT by digest 201": 1,
    }
    check_kinds("one changed layer", moment, destination, {**NEW_TAG, **wrote})


JUDGED = 10
GATES = [
    {"name": "titled", "that": 'labels."org.opencontainers.image.title" != null'},
    {"name": "known age", "that": "age_seconds > `0`"},
    {"name": "small", "that": "total_size < `100000000`"},
]
OVER_ARTIFACTS = [*GATES, {"name": "signed", "that": "length(referrers) == `1` && signatures[0].verified"}]


def compared(source: str, moment_of: str, options: Plain) -> Counter[str]:
    """The requests of a comparison at the source; at the destination, nothing is written."""
    moment = mark()
    result = call([task("image_diff_info", options)]).of("image_diff_info")
    actions = {image["action"] for image in result["images"]}
    check(actions == {"promote"}, f"{moment_of}: {[image['reason'] for image in result['images']]}")
    return kinds_since(moment, source)


def judged() -> None:
    """A gate over labels costs a config for each image that can be run, a signature its payload, and no manifest."""
    key = OUTPUT / "release.pem"
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key.write_bytes(public)
    rules = [{"keys": [str(key)]}]
    for kind, runnable in (("family", 1), ("multi", 2)):
        seeded = seed("dev", kind, f"judged/{kind}", images=JUDGED if kind == "family" else 1)
        state = state_at()
        with Pusher(state.registry("dev"), str(state.ca_path)) as pusher:
            for image in seeded:
                tag = image["digest"].replace(":", "-") + ".sig"
                pusher.push_manifest(image["repository"], signature_image(KEY, image["digest"]), tag)
        number = len(seeded)
        options = {**ends_of("dev", "prod"), "images": items_of(seeded)}
        plain = compared("dev", "without gates", options)
        configs = Counter({"GET blob 200": number * runnable})
        over_labels = compared("dev", "with gates", {**options, "gates": GATES})
        check(over_labels - plain == configs, f"gates over labels cost {over_labels - plain} more, not {configs}")
        check(not plain - over_labels, f"with gates, these are not asked: {plain - over_labels}")
        payloads = Counter({"GET blob 200": number})
        signed = compared("dev", "with signatures", {**options, "signatures": rules})
        check(signed - plain == payloads, f"signatures cost {signed - plain} more, not {payloads}")
        both = compared("dev", "with both", {**options, "gates": OVER_ARTIFACTS, "signatures": rules})
        check(both - plain == configs + payloads, f"both cost {both - plain} more, not {configs + payloads}")
        told = f"{plain.total() / number:g} requests per image, {both.total() / number:g} with gates and a key"
        say(f"{number} of {kind}: {told}")
    # What is equal isn't judged.
    equal = items_of(seeded, destination_repository="counts/judged")
    copied("to be equal", {**ends_of("dev", "prod"), "images": equal})
    moment = mark()
    refusing = [{"name": "never", "that": "`false`"}, *OVER_ARTIFACTS]
    options = {**ends_of("dev", "prod"), "images": equal, "gates": refusing, "signatures": rules}
    result = call([task("image_diff_info", options)]).of("image_diff_info")
    check(result["differs"] is False, f"what is equal is judged: {result}")
    seen = kinds_since(moment, "dev")
    check(seen == Counter({"HEAD tag 200": len(equal)}), f"what is equal costs {seen}")


main([unchanged, check_mode, from_nothing, something_new, judged])
