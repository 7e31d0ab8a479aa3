# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a promotion did, in lines for people."""

from __future__ import annotations

import typing as t

from .._model._actions import (
    BLOB,
    CREATE,
    EXISTS,
    FAILED,
    MANIFEST,
    MISSING,
    PROMOTE,
    REFUSED,
    REPLACE,
    REVERTED,
    SKIP,
    UNCHANGED,
)
from .._model._shown import first_of
from ._items import COPYING, MOVED_BACK, NOT_MOVED, NOT_PUSHED, NOT_TAGGED, STOPPING, Plain
from ._words import about_judgement, count, short, size

_REASONS_TOLD = 5
_ALIKE_TOLD = 3
_BLOCKED = "blocked by others"
_NAMES = {PROMOTE: "promoted", SKIP: "skipped"}
_DONE = {"uploaded": "uploaded", "mounted": "mounted", "skipped": "there already"}
_PLANNED = {"uploaded": "to upload", "mounted": "to mount", "skipped": "there already"}


def report(summary: Plain, *, check_mode: bool = False) -> list[str]:
    """A line for each image of a summary that was promoted or could not be, and one with the totals.

    Images that are equal, or were blocked by others, are only counted; those that failed for the same reason have one
    line. With ``check_mode``, the lines speak of what would be done.
    """
    told_of: dict[tuple[str, str], list[Plain]] = {}
    counts = {PROMOTE: 0, UNCHANGED: 0, SKIP: 0, MISSING: 0, REFUSED: 0, FAILED: 0, _BLOCKED: 0}
    for image in summary["images"]:
        kind = _BLOCKED if _was_blocked(image) else image["action"]
        counts[kind] += 1
        if kind not in (UNCHANGED, _BLOCKED):
            alike = str(image["reason"]) if kind in STOPPING else str(len(told_of))
            told_of.setdefault((kind, alike), []).append(image)
    lines = []
    for (kind, _alike), images in told_of.items():
        lines.append(f"{_name(kind, check_mode)}: {_about_all(images, check_mode)}")
        if kind == PROMOTE:
            lines += (f"  {line}" for line in about_judgement(images[0]))
    told = [f"{n} {_name(kind, check_mode)}" for kind, n in counts.items() if n or kind in (PROMOTE, UNCHANGED)]
    ways = _PLANNED if check_mode else _DONE
    sizes = [
        f"{size(sum(image[f'bytes_{way}'] for image in summary['images']))} {ways[way]}"
        for way in ("uploaded", "mounted")
    ]
    requests = summary["transfer"].get("requests", 0)
    totals = f"{', '.join(told)}; {count(requests, 'request')}, {', '.join(sizes)}"
    record = [*_about_record(summary.get("record") or {}, check_mode), *_about_attached(summary, check_mode)]
    return [*lines, *_about_kept(summary, check_mode), *_about_left(summary), *record, totals]


def _about_kept(summary: Plain, check_mode: bool) -> list[str]:
    """Under which tags what was replaced is kept; nothing where they were removed again."""
    kept = [tag for tag in summary.get("replaced_tags", ()) if tag["action"] in (CREATE, EXISTS)]
    if not kept:
        return []
    names = first_of([f"{tag['repository']}:{tag['tag']}" for tag in kept], _ALIKE_TOLD)
    return [f"what is replaced {'would be' if check_mode else 'is'} kept as {names}"]


def _about_left(summary: Plain) -> list[str]:
    """The tags that should have gone back, and could not, in a line each."""
    return [
        f"not moved back: {tag['repository']}:{tag['tag']} (was {tag['previous_digest'] or 'nothing'}): {tag['reason']}"
        for tag in summary.get("not_reverted", ())
    ]


def _about_record(record: Plain, check_mode: bool) -> list[str]:
    """Where the promotion is recorded, and whose record it has finished."""
    if not record.get("outcome"):
        return []
    finished = record["finished"]
    others = [path for path in finished if path != record["path"]]
    if check_mode:
        return [f"would finish the record {path}" for path in finished] or ["would be recorded"]
    about = f", and with it {', '.join(others)}" if others else ""
    how = "finished" if record["path"] in finished else f"recorded ({record['outcome']})"
    return [f"{how}: {record['path']}{about}"]


def _about_attached(summary: Plain, check_mode: bool) -> list[str]:
    """How many images have a record attached, where any has."""
    number = sum(1 for image in summary["images"] if image.get("record_attached") is True)
    return [f"{'would be attached' if check_mode else 'attached'}: {count(number, 'record')}"] if number else []


def problem(images: t.Sequence[Plain], not_reverted: t.Sequence[Plain] = ()) -> str:
    """Why images of a summary could not be promoted, each reason once; empty where all could.

    Of many reasons the first are told, and of images that were blocked by others only how many they are. Then how many
    tags went back, and which could not.
    """
    failed = [image for image in images if image["action"] in STOPPING]
    at_fault = [image for image in failed if not _was_blocked(image)] or failed
    reasons = list(dict.fromkeys(str(image["reason"]) for image in at_fault))
    parts = reasons[:_REASONS_TOLD]
    if len(reasons) > len(parts):
        parts.append(f"and {len(reasons) - len(parts)} more")
    if len(failed) > len(at_fault):
        others = len(failed) - len(at_fault)
        parts.append(f"{count(others, 'other')} {'was' if others == 1 else 'were'} blocked by that")
    reverted = sum(1 for image in images for tag in image.get("tags", ()) if tag["action"] == REVERTED)
    if reverted:
        parts.append(f"{count(reverted, 'tag')} that had moved {'is' if reverted == 1 else 'are'} back")
    if not_reverted:
        names = [f"{tag['repository']}:{tag['tag']} ({tag['reason']})" for tag in not_reverted]
        parts.append(f"not moved back: {first_of(names, _REASONS_TOLD)}")
    return " | ".join(parts)


def _was_blocked(image: Plain) -> bool:
    """Whether nothing is wrong with the image itself: it wasn't promoted because of others."""
    reason: str = image["reason"] if image["action"] == FAILED else ""
    return reason.endswith((NOT_TAGGED, NOT_MOVED, NOT_PUSHED, MOVED_BACK))


def _name(kind: str, check_mode: bool) -> str:
    if kind == PROMOTE and check_mode:
        return "would be promoted"
    return _NAMES.get(kind, kind)


def _about_all(images: t.Sequence[Plain], check_mode: bool) -> str:
    """One image, or several that have the same reason."""
    if len(images) == 1:
        return _about(images[0], check_mode)
    references = [str(image["reference"]) for image in images]
    return f"{first_of(references, _ALIKE_TOLD)}: {images[0]['reason']}"


def _about(image: Plain, check_mode: bool) -> str:
    reference, destination = image["reference"], image["destination"]
    tags = ", ".join(f"{tag['tag']} ({_about_tag(tag)})" for tag in image["tags"])
    if image["action"] == PROMOTE:
        place = f"{destination}:{tags}" if tags else f"{destination}@{short(image['digest'])}"
        artifacts = sum(1 for artifact in image["artifacts"] if artifact["action"] in COPYING)
        along = f", with {count(artifacts, 'artifact')}" if artifacts else ""
        return f"{reference} to {place}{along}; {_about_repair(image)}{_about_blobs(image, check_mode)}"
    if image["action"] == SKIP:
        return f"{reference} to {destination}:{tags}"
    reason = str(image["reason"])
    return reason if reference in reason else f"{reference}: {reason}"


def _about_tag(tag: Plain) -> str:
    digest = short(tag["previous_digest"])
    texts = {CREATE: "new", REPLACE: f"was {digest}", EXISTS: "unchanged"}
    return texts.get(tag["action"], f"still points to {digest}")


def _about_repair(image: Plain) -> str:
    counts = [(kind, sum(1 for entry in image["missing"] if entry["kind"] == kind)) for kind in (MANIFEST, BLOB)]
    parts = [count(number, kind) for kind, number in counts if number]
    return f"{' and '.join(parts)} missing or damaged there, " if parts else ""


def _about_blobs(image: Plain, check_mode: bool) -> str:
    ways = _PLANNED if check_mode else _DONE
    parts = [
        f"{count(image[f'blobs_{way}'], 'blob')} {word} ({size(image[f'bytes_{way}'])})"
        for way, word in ways.items()
        if image[f"blobs_{way}"]
    ]
    if image["layers_left_out"]:
        parts.append(f"{count(len(image['layers_left_out']), 'non-distributable layer')} left out")
    return ", ".join(parts) or "no blobs"
