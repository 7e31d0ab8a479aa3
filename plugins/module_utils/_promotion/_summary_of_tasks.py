# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a role did, made of the results of its tasks."""

from __future__ import annotations

import typing as t

from .._model._actions import FAILED, PROMOTE, REFUSED, REPLACE, UNCHANGED
from ._image_result import BlobSums, image_result
from ._items import COPYING, MOVING, NOT_MOVED, NOT_PUSHED, NOT_TAGGED, Plain
from ._recorded import NOT_RECORDED

_JUDGED = ("gates", "verified", "signatures")
_NOTHING: Plain = {"replaced_tags": [], "not_reverted": [], "record": NOT_RECORDED}
"""What only a copy tells, where there was none."""


def summary_of_tasks(plan: Plain, copied: Plain) -> Plain:
    """What a role did: ``changed``, an entry for each image, tags that keep what was replaced, tags that could not go
    back, the record, and the sum of ``transfer``.

    ``plan`` is the result of ``image_diff_info``; ``copied`` that of ``image_copy`` with this plan. Where the latter
    didn't come to images, since it was skipped or failed as a whole, the plan says what they are. Where the comparison
    failed as a whole, or there was none, nothing was done. Where it was skipped, ``copied`` did all by itself.
    """
    of_copy = {name: copied.get(name, nothing) for name, nothing in _NOTHING.items()}
    if plan.get("skipped") is True and "images" in copied:
        changed = copied["changed"] is True
        return {"changed": changed, "images": copied["images"], "transfer": copied["transfer"], **of_copy}
    if "images" not in plan and (plan.get("skipped") is True or "failed" in plan or not plan):
        return {"changed": False, "images": [], "transfer": {}, **_NOTHING}
    why = "" if copied.get("skipped") is True else str(copied.get("msg", ""))
    return {
        "changed": copied.get("changed") is True,
        "images": [_judged(*both) for both in zip(copied["images"], plan["images"])]
        if "images" in copied
        else [_not_copied(image, plan, why) for image in plan["images"]],
        **of_copy,
        "transfer": sum_of_transfers([plan, copied]),
    }


def stats_of(summary: Plain) -> Plain:
    """What the next job has to know of a promotion, as little of it as will do: ``changed``, ``record``, ``images``.

    ``images`` are those that the destination serves: ``destination``, ``digest``, ``action``, ``tags`` (names) and
    ``previous_digests``, by tag, of the tags that pointed to another digest before.
    """
    return {
        "changed": summary["changed"],
        "record": summary["record"]["path"],
        "images": [_served(image) for image in summary["images"] if image["action"] in (PROMOTE, UNCHANGED)],
    }


def _served(image: Plain) -> Plain:
    tags = image["tags"]
    return {
        **{name: image[name] for name in ("destination", "digest", "action")},
        "tags": [tag["tag"] for tag in tags],
        "previous_digests": {tag["tag"]: tag["previous_digest"] for tag in tags if tag["action"] == REPLACE},
    }


def _judged(image: Plain, planned: Plain) -> Plain:
    """An image that was copied, with what gates and signatures said of it: in a role, the comparison judges."""
    return {**image, **{name: planned[name] for name in _JUDGED}}


def _not_copied(image: Plain, plan: Plain, why: str) -> Plain:
    """An image of a plan that nobody carried out."""
    is_promoted = image["action"] == PROMOTE
    reason = image["reason"] or ((why or _not_done(image, plan)) if is_promoted else "")
    stopped = REFUSED if image["action"] == REFUSED else FAILED
    tags = [{**tag, "action": stopped} if tag["action"] in MOVING and reason else tag for tag in image["tags"]]
    action = FAILED if is_promoted and reason else image["action"]
    return {**image_result({**image, "tags": tags}, action, reason, BlobSums()), "record_attached": None}


def _not_done(image: Plain, plan: Plain) -> str:
    """The first thing that was to be done for an image."""
    copied = [artifact for artifact in image["artifacts"] if artifact["action"] in COPYING]
    tags = {tag["tag"] for tag in image["tags"] if tag["action"] in MOVING}
    artifact_tags = {artifact["tag"] for artifact in copied if artifact["tag"]} - tags
    for names, what in ((artifact_tags, NOT_TAGGED), (tags, NOT_MOVED)):
        if names:
            return f"{image['destination']}:{min(names)} {what}"
    digests = [*(artifact["digest"] for artifact in reversed(copied)), image["digest"]]
    pushed = {entry["digest"] for entry in plan["manifests"] if entry["repository"] == image["destination_repository"]}
    return next((f"{image['destination']}@{digest} {NOT_PUSHED}" for digest in digests if digest in pushed), "")


def sum_of_transfers(results: t.Iterable[Plain]) -> dict[str, int]:
    """What several tasks have cost together."""
    total: dict[str, int] = {}
    for result in results:
        for name, amount in result.get("transfer", {}).items():
            # Ansible-core before 2.22 may have replaced a number in which a short secret occurs.
            total[name] = total.get(name, 0) + (amount if isinstance(amount, int) else 0)
    return total
