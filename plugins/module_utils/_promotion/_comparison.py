# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Comparing images by digest: what stands at both ends, and what is to be done about it."""

from __future__ import annotations

import re
import typing as t

from .._errors import NotFound, RegistryError
from .._inspection import read_tree
from .._manifest import Descriptor, Manifest
from .._parallel import run_all
from .._registry import Registry
from .._tagging import CREATE, REPLACE
from .._transfer import EXISTS
from ._items import FAILED, MISSING, PROMOTE, REFUSED, SKIP, UNCHANGED, ImageItem, check_images

_NUMBER_TO_YAML = re.compile(r"[0-9]+\.[0-9]*[1-9]", re.ASCII)
"""Tags that may have lost a zero at their end."""


class TagComparison(t.NamedTuple):
    """A tag at the destination: where it stands (empty: nowhere), and what is to be done about it."""

    tag: str
    previous_digest: str
    action: str


class Comparison(t.NamedTuple):
    """One image compared: the digest at the source, and what stands at the destination."""

    item: ImageItem
    action: str
    source: Descriptor | None = None
    tags: tuple[TagComparison, ...] = ()
    tree: tuple[Manifest, ...] = ()
    """What has to be pushed, children first; empty where the destination has the digest already."""
    reason: str = ""


def compare_images(source: Registry, destination: Registry, items: t.Sequence[ImageItem]) -> list[Comparison]:
    """Compare images by digest and read what the plan needs; results in the items' order.

    An image that isn't there, or can't be read, is a result and no error. Where nothing is to be done, that costs one
    HEAD at the source (none for an image given by digest) and one per tag at the destination.
    """
    check_images(items, destination.name)
    outcomes = run_all(lambda item: _compare(source, destination, item), items, max(source.jobs, destination.jobs))
    return [
        Comparison(item, FAILED, reason=str(outcome)) if isinstance(outcome, RegistryError) else outcome
        for item, outcome in zip(items, outcomes)
    ]


def _compare(source: Registry, destination: Registry, item: ImageItem) -> Comparison:
    found = Descriptor("", item.digest, 0) if item.digest else source.head_manifest(item.repository, item.tag)
    if found is None:
        return _missing(source, item)
    if item.expected_digest and found.digest != item.expected_digest:
        return Comparison(
            item,
            REFUSED,
            found,
            reason=f"{item.at_source(source)} is {found.digest}, and {item.expected_digest} was expected "
            "(expected_digest). If what is there is right, expect that.",
        )
    tags = tuple(_compare_tag(destination, item, tag, found.digest) for tag in item.tags)
    refused = [tag for tag in tags if tag.action == REFUSED]
    if refused:
        return Comparison(item, REFUSED, found, tags, reason=_why_refused(destination, item, refused[0]))
    moving = [tag for tag in tags if tag.action in (CREATE, REPLACE)]
    if tags and not moving:
        action = SKIP if any(tag.action == SKIP for tag in tags) else UNCHANGED
        return Comparison(item, action, found, tags)
    has_it = any(tag.action == EXISTS for tag in tags)
    if has_it or destination.head_manifest(item.target, found.digest) is not None:
        return Comparison(item, PROMOTE if moving else UNCHANGED, found, tags)
    try:
        tree = tuple(read_tree(source, item.repository, found.digest))
    except NotFound as error:
        return _missing(source, item) if item.digest else Comparison(item, FAILED, found, tags, reason=str(error))
    return Comparison(item, PROMOTE, tree[-1].descriptor, tags, tree)


def _missing(source: Registry, item: ImageItem) -> Comparison:
    hint = f"Check repository and {'digest' if item.digest else 'tag'}"
    if _NUMBER_TO_YAML.fullmatch(item.reference):
        hint += "; without quotes, YAML reads 1.10 as the number 1.1"
    return Comparison(item, MISSING, reason=f"{item.at_source(source)} isn't there (the source). {hint}.")


def _compare_tag(destination: Registry, item: ImageItem, tag: str, digest: str) -> TagComparison:
    standing = destination.head_manifest(item.target, tag)
    previous = "" if standing is None else standing.digest
    if previous == digest:
        return TagComparison(tag, previous, EXISTS)
    expected = item.expected_destination_digest
    if expected is not None and previous != expected:
        return TagComparison(tag, previous, REFUSED)
    if not previous:
        return TagComparison(tag, previous, CREATE)
    if any(re.fullmatch(pattern, tag) for pattern in item.immutable_tags) or item.on_conflict == "fail":
        return TagComparison(tag, previous, REFUSED)
    return TagComparison(tag, previous, SKIP if item.on_conflict == "skip" else REPLACE)


def _why_refused(destination: Registry, item: ImageItem, tag: TagComparison) -> str:
    stands = f"{destination.name}/{item.target}:{tag.tag} stands on {tag.previous_digest or 'nothing'}"
    expected = item.expected_destination_digest
    if expected is not None and tag.previous_digest != expected:
        return (
            f"{stands}, and {expected or 'nothing'} was expected (expected_destination_digest). "
            "If what is there is right, expect that."
        )
    if any(re.fullmatch(pattern, tag.tag) for pattern in item.immutable_tags):
        return f"{stands} and is immutable (immutable_tags). Promote to another tag, or take the pattern out."
    return f"{stands} (on_conflict: fail). With on_conflict: replace it is moved, with skip it is left there."
