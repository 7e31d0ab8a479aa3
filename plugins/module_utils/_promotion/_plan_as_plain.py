# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A plan as plain data and back: the shapes in which it is handed from task to task, and kept in files.

What comes back has been in the user's hands meanwhile, so its shapes are looked at like those of any other input.
"""

from __future__ import annotations

import base64
import contextlib
import typing as t

from .._blobs._blob_group import BlobGroup, group_as_plain
from .._images._artifacts import ACTIONS as ACTIONS_OF_ARTIFACTS
from .._images._artifacts import Artifact
from .._images._contents import Missing
from .._images._tagging import TagItem
from .._model._actions import FAILED
from .._model._base64 import decode_base64
from .._model._digest import check_digest
from .._model._errors import InvalidInput, printable
from .._model._manifest import MAXIMUM_BLOB_SIZE, Descriptor, Manifest
from .._model._reference import check_repository, check_tag
from .._model._shown import quoted
from ._comparison import TagComparison
from ._gates import GateResult
from ._items import ACTIONS, STOPPING, ImageItem, Plain
from ._plain_shapes import HINT, Entry, Shape, each, fields, meant
from ._plan import Place, Plan, PlannedImage, PlannedManifest, Told
from ._signatures import Signature
from ._words import about_judgement

_PARTS = ("images", "blobs", "manifests", "artifact_tags", "tags")
_IMAGE: Shape = {
    **dict.fromkeys(("reference", "destination", "repository", "destination_repository"), str),
    **dict.fromkeys(("digest", "source_digest", "media_type", "action", "reason"), str),
    **dict.fromkeys(("tags", "layers_left_out", "artifacts", "missing"), list),
    "artifacts_compared": bool,
}
_JUDGED: Shape = {"gates": list, "verified": object, "signatures": list}
"""What a plan says of gates and signatures. It isn't believed: a diff quotes it, and a record if it is trusted."""
_GATE: Shape = {"name": str, "passed": bool, "severity": str, "value": object, "message": str}
_SIGNATURE: Shape = {
    **dict.fromkeys(("form", "digest", "subject", "by", "reason"), str),
    "verified": bool,
}
_TAG_OF_IMAGE: Shape = dict.fromkeys(("tag", "previous_digest", "action"), str)
_LAYER: Shape = {**dict.fromkeys(("digest", "media_type"), str), "size": int}
_ARTIFACT: Shape = dict.fromkeys(("subject", "digest", "artifact_type", "tag", "action", "reason"), str)
_MISSING: Shape = {
    **dict.fromkeys(("repository", "digest", "kind", "needed_by", "problem", "reason"), str),
    "size": int,
}
_GROUP: Shape = {"repository": str, "source_repository": str, "mount_from": list, "blobs": list}
_BLOB: Shape = {"digest": str, "size": int}
_MANIFEST: Shape = dict.fromkeys(("repository", "source_repository", "digest", "media_type", "content_base64"), str)
_REPLACE: Shape = {"replace": bool}
_TAG: Shape = dict.fromkeys(("repository", "tag", "digest", "previous_digest"), str)


# To plain data ------------------------------------------------------------------------------------------------------


def as_plain(plan: Plan, *, contents: bool = True) -> Plain:
    """The plan as ``image_diff_info`` returns it; without ``contents``, without the bytes of manifests."""
    return {
        "images": [image_as_plain(plan, image) for image in plan.images],
        "blobs": [group_as_plain(group) for group in plan.blobs],
        "manifests": [_plain_manifest(planned, contents) for planned in plan.manifests],
        "artifact_tags": [_plain_tag(tag, contents) for tag in plan.artifact_tags],
        "tags": [
            {**_plain_tag(tag, contents), **_if_any("summary", plan.summaries.get((tag.repository, tag.tag)))}
            for tag in plan.tags
        ],
    }


def image_as_plain(plan: Plan, image: PlannedImage) -> Plain:
    """One image of a plan: what was found, and what was decided."""
    # What failed claims nothing: not that the image isn't there, either.
    existence = {} if image.action == FAILED and not image.source_digest else {"exists": image.source_digest != ""}
    return {
        "reference": plan.reference_of(image),
        "destination": plan.destination_of(image),
        "repository": image.item.repository,
        "destination_repository": image.item.destination_repository,
        **existence,
        "digest": image.digest,
        "source_digest": image.source_digest,
        "media_type": image.media_type,
        "action": image.action,
        "reason": image.reason,
        "tags": [tag._asdict() for tag in image.tags],
        "layers_left_out": [{name: getattr(layer, name) for name in _LAYER} for layer in image.layers_left_out],
        "artifacts": [{name: getattr(artifact, name) for name in _ARTIFACT} for artifact in image.artifacts],
        "artifacts_compared": image.artifacts_compared,
        **judged_as_plain(image),
        "missing": [entry._asdict() for entry in image.missing],
    }


def judged_as_plain(image: PlannedImage) -> Plain:
    """What gates said of an image, and what its signatures are worth. Why they aren't enough is its reason."""
    gates, judgement = [result._asdict() for result in image.gates], image.judgement
    if judgement is None:
        return {"gates": gates, "verified": None, "signatures": []}
    return {"gates": gates, "verified": judgement.verified, "signatures": judgement.as_plain()["signatures"]}


def _plain_manifest(planned: PlannedManifest, contents: bool) -> Plain:
    return {
        "repository": planned.repository,
        "source_repository": planned.source_repository,
        "digest": planned.manifest.digest,
        "media_type": planned.manifest.media_type,
        **_plain_content(planned.manifest, contents),
        **_if_any("replace", planned.replace),
    }


def _plain_tag(tag: TagItem, contents: bool) -> Plain:
    return {
        "repository": tag.repository,
        "tag": tag.tag,
        "digest": tag.digest,
        "previous_digest": tag.previous_digest,
        **_plain_content(t.cast("Manifest | None", tag.content), contents),
    }


def _plain_content(manifest: Manifest | None, wanted: bool) -> Plain:
    if manifest is None or not wanted:
        return {}
    return {"content_base64": base64.b64encode(manifest.content).decode("ascii")}


def _if_any(name: str, value: t.Any) -> Plain:
    """A key that is there where its value says something."""
    return {name: value} if value else {}


# From plain data ----------------------------------------------------------------------------------------------------


def from_plain(
    given: t.Mapping[str, t.Any], items: t.Sequence[ImageItem], source: str, destination: str, *, trusted: bool = False
) -> Plan:
    """The plan that ``image_diff_info`` has returned for ``items`` between registries of these names.

    What such a result holds besides, as a task registers it, is left out; what it says of gates and signatures, too,
    unless it is ``trusted``. Texts are made fit for a screen. Raises
    :class:`InvalidInput` for what is no plan, or one of other images or registries. Whether it does what the items
    allow is for :func:`.check_conditions`.
    """
    _check_parts(given)
    images = each(given["images"], "plan.images", _image)
    groups = each(given["blobs"], "plan.blobs", _group)
    manifests = each(given["manifests"], "plan.manifests", _manifest)
    artifact_tags = each(given["artifact_tags"], "plan.artifact_tags", _tag)
    tags = each(given["tags"], "plan.tags", _tag)
    if len(images) != len(items):
        raise InvalidInput(f"plan is about {len(images)} images, and images has {len(items)}", hint=HINT)
    for number, (image, item) in enumerate(zip(images, items)):
        _check_names(number, image, item, source, destination)
    beside = _beside_images(manifests, artifact_tags, tags)._replace(trusted=trusted)
    planned = tuple(_planned(image, item, beside) for image, item in zip(images, items))
    plan = Plan(source, destination, planned, tuple(groups), tuple(manifests))
    _check_same("tags", tags, plan.tags)
    _check_same("artifact_tags", artifact_tags, plan.artifact_tags)
    return plan


class _GivenTag(t.NamedTuple):
    """A tag to move, and what it will serve in the words of people."""

    item: TagItem
    summary: Plain

    @property
    def digest_place(self) -> Place:
        """Repository and digest."""
        return self.item.repository, self.item.digest


class _BesideImages(t.NamedTuple):
    """What of images is told in other parts of plain data, each by repository at the destination."""

    previous_digests: dict[Place, str]
    """What tags of artifacts point to, by tag."""
    present: dict[Place, Manifest]
    """The manifests that aren't to be pushed by digest, by digest."""
    summaries: dict[Place, Plain]
    """By digest."""
    trusted: bool = False


def _beside_images(
    manifests: t.Sequence[PlannedManifest], artifact_tags: t.Sequence[_GivenTag], tags: t.Sequence[_GivenTag]
) -> _BesideImages:
    pushed = {manifest.place for manifest in manifests}
    return _BesideImages(
        {(tag.item.repository, tag.item.tag): tag.item.previous_digest or "" for tag in artifact_tags},
        {
            tag.digest_place: tag.item.content
            for tag in tags
            if isinstance(tag.item.content, Manifest) and tag.digest_place not in pushed
        },
        {tag.digest_place: tag.summary for tag in tags if tag.summary},
    )


def _check_parts(given: t.Mapping[str, t.Any]) -> None:
    """All parts are needed: so a part with a misspelt name is found by the one that isn't there."""
    for name in _PARTS:
        if not isinstance(given.get(name), list):
            others = [str(other) for other in given if other not in _PARTS]
            raise InvalidInput(f"plan.{name} is not a list", hint=meant(others, [name]) or HINT)


def _check_names(number: int, image: Plain, item: ImageItem, source: str, destination: str) -> None:
    """What names an image in a plan is that of the task's image."""
    wanted = (item.at_source(source), f"{destination}/{item.destination_repository}")
    found = (image["reference"], image["destination"])
    repositories = (image["repository"], image["destination_repository"])
    if found != wanted or repositories != (item.repository, item.destination_repository):
        raise InvalidInput(
            f"plan.images[{number}]: it is about {' to '.join(found)}, and the task about {' to '.join(wanted)}",
            hint=HINT,
        )


def _check_same(name: str, given: t.Sequence[_GivenTag], planned: t.Sequence[TagItem]) -> None:
    """The tags of a part are exactly those that the images say."""
    if sorted(tag.item[:4] for tag in given) != sorted(tag[:4] for tag in planned):
        raise InvalidInput(f"plan.{name} are others than those that plan.images says", hint=HINT)


def _planned(image: Plain, item: ImageItem, beside: _BesideImages) -> PlannedImage:
    place = (item.destination_repository, image["digest"])
    artifacts = (
        artifact._replace(previous_digest=beside.previous_digests.get((place[0], artifact.tag), ""))
        for artifact in image["artifacts"]
    )
    return PlannedImage(
        item=item,
        action=image["action"],
        reason=image["reason"],
        digest=image["digest"],
        source_digest=image["source_digest"],
        media_type=image["media_type"],
        tags=tuple(image["tags"]),
        layers_left_out=tuple(image["layers_left_out"]),
        artifacts=tuple(artifacts),
        artifacts_compared=image["artifacts_compared"],
        missing=tuple(image["missing"]),
        present=beside.present.get(place),
        told=_told(image) if beside.trusted else Told(),
        summary=beside.summaries.get(place, {}),
        claims=_claims(image),
    )


def _claims(image: Plain) -> tuple[str, ...]:
    """What a plan says of gates and signatures of an image, in lines; none where it has other shapes."""
    gates, signatures = image.get("gates") or [], image.get("signatures") or []
    try:
        for gate in gates:
            fields(gate, _GATE)
        for signature in signatures:
            fields(signature, _SIGNATURE)
    except InvalidInput:
        return ()
    judged = {"gates": gates, "signatures": signatures, "verified": image.get("verified") is True}
    return tuple(about_judgement(judged))


def _image(entry: t.Any) -> Plain:
    """An image with the names that it has, and what is in it read."""
    image = fields(entry, _IMAGE, {"exists": bool, **_JUDGED})
    if image["action"] not in ACTIONS:
        raise InvalidInput(f"{quoted(image['action'])} is not an action for an image")
    image["tags"] = each(image["tags"], "tags", lambda one: TagComparison(**fields(one, _TAG_OF_IMAGE)))
    image["layers_left_out"] = each(image["layers_left_out"], "layers_left_out", _layer)
    image["artifacts"] = each(image["artifacts"], "artifacts", _artifact)
    image["missing"] = each(image["missing"], "missing", _missing)
    if image["action"] not in STOPPING:
        digests = [image["digest"], image["source_digest"]]
        digests += [digest for artifact in image["artifacts"] for digest in (artifact.digest, artifact.subject)]
        for digest in digests:
            check_digest(digest)
    return {**image, "reason": printable(image["reason"])}


def _told(image: Plain) -> Told:
    """What a plan says of gates and signatures. What doesn't have the shape of that is left out."""
    return Told(
        tuple(_of_shape(image.get("gates"), _GATE, lambda one: GateResult(**one))),
        tuple(_of_shape(image.get("signatures"), _SIGNATURE, lambda one: Signature(**one))),
    )


def _of_shape(entries: t.Any, shape: Shape, make: t.Callable[[Plain], Entry]) -> t.Iterator[Entry]:
    for entry in entries or ():
        with contextlib.suppress(InvalidInput):
            found = fields(entry, shape)
            texts = {name: printable(value) for name, value in found.items() if isinstance(value, str)}
            yield make({**found, **texts})


def _layer(entry: t.Any) -> Descriptor:
    layer = fields(entry, _LAYER)
    return Descriptor(layer["media_type"], layer["digest"], layer["size"])


def _artifact(entry: t.Any) -> Artifact:
    artifact = Artifact(**fields(entry, _ARTIFACT))
    if artifact.action not in ACTIONS_OF_ARTIFACTS:
        # It would be left behind without a word.
        raise InvalidInput(f"{quoted(artifact.action)} is not an action for an artifact")
    return artifact._replace(reason=printable(artifact.reason))


def _missing(entry: t.Any) -> Missing:
    missing = Missing(**fields(entry, _MISSING))
    return missing._replace(reason=printable(missing.reason))


def _group(entry: t.Any) -> BlobGroup:
    group = fields(entry, _GROUP)
    for repository in (group["repository"], group["source_repository"], *group["mount_from"]):
        check_repository(repository)
    blobs = each(group["blobs"], "blobs", _blob)
    return BlobGroup(
        group["repository"],
        group["source_repository"],
        tuple(group["mount_from"]),
        tuple((blob["digest"], blob["size"]) for blob in blobs),
        frozenset(blob["digest"] for blob in blobs if blob.get("replace")),
    )


def _blob(entry: t.Any) -> Plain:
    blob = fields(entry, _BLOB, _REPLACE)
    if not 0 <= blob["size"] <= MAXIMUM_BLOB_SIZE:
        raise InvalidInput(f"the size of {check_digest(blob['digest'])}, {blob['size']}, is negative or too large")
    check_digest(blob["digest"])
    return blob


def _manifest(entry: t.Any) -> PlannedManifest:
    manifest = fields(entry, _MANIFEST, _REPLACE)
    for repository in (manifest["repository"], manifest["source_repository"]):
        check_repository(repository)
    content = _decoded(manifest["content_base64"])
    parsed = Manifest.parse(content, manifest["media_type"], check_digest(manifest["digest"]))
    return PlannedManifest(
        manifest["repository"], manifest["source_repository"], parsed, replace=manifest.get("replace") is True
    )


def _tag(entry: t.Any) -> _GivenTag:
    tag = fields(entry, _TAG, {"content_base64": object, "summary": dict})
    check_repository(tag["repository"])
    check_tag(tag["tag"])
    for digest in filter(None, (tag["digest"], tag["previous_digest"])):
        check_digest(digest)
    given = tag.get("content_base64")
    content = None if given is None else Manifest.parse(_decoded(given), "", check_digest(tag["digest"]))
    item = TagItem(tag["repository"], tag["tag"], tag["digest"], tag["previous_digest"], content)
    summary = tag.get("summary") or {}
    # For a diff. What it is about isn't left to it.
    shown = {name: summary[name] for name, is_right in _SUMMARY.items() if is_right(summary.get(name))}
    return _GivenTag(item, {"digest": tag["digest"], **shown} if summary else {})


def _is_text(value: t.Any) -> bool:
    return isinstance(value, str)


_SUMMARY: dict[str, t.Callable[[t.Any], bool]] = {
    "media_type": _is_text,
    "platforms": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "total_size": lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63,
    "labels": lambda value: isinstance(value, dict) and all(map(_is_text, [*value, *value.values()])),
    "created": _is_text,
}
"""What a diff shows of an image beside its digest."""


def _decoded(text: t.Any) -> bytes:
    try:
        return decode_base64(str(text))
    except ValueError as error:
        raise InvalidInput("content_base64 is not valid base64") from error
