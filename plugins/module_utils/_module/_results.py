# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a module returns: what was done, and what failed."""

from __future__ import annotations

import typing as t

from .._model._errors import NoTagAlone, RegistryError, RepositoryMissing

Plain = dict[str, t.Any]
Outcome = t.TypeVar("Outcome")
_LOWER = ("a", "an", "another", "it", "no", "the", "there")


def failure(error: RegistryError, **place: t.Any) -> Plain:
    """One entry of ``failures``: what failed, in one sentence and in facts."""
    return {
        **place,
        "msg": _as_sentence(str(error)),
        "error": error.facts(),
        "repository_missing": isinstance(error, RepositoryMissing),
        **({"needs_delete_manifest": True} if isinstance(error, NoTagAlone) else {}),
    }


def _as_sentence(text: str) -> str:
    """A sentence begins with a capital letter, unless it begins with the name of an option or of a registry."""
    return text[0].upper() + text[1:] if text.partition(" ")[0] in _LOWER else text


def message_of(failures: t.Sequence[Plain]) -> Plain:
    """What a task that has ``failures`` fails with: the first of them in words, and what holds for all together."""
    others = ""
    if len(failures) > 1:
        # What concerns a registry as a whole is the same for all that was asked of it.
        alike = all(entry["msg"] == failures[0]["msg"] for entry in failures)
        others = f"the same for all {len(failures)}" if alike else f"and {len(failures) - 1} more"
        others = f" ({others}, see failures)"
    missing = any(entry.get("repository_missing") is True for entry in failures)
    return {"msg": failures[0]["msg"] + others, "repository_missing": missing}


def divided(
    places: t.Sequence[Plain], outcomes: t.Sequence[Outcome | RegistryError]
) -> tuple[list[tuple[Plain, Outcome]], list[Plain]]:
    """What was done, each with its place, and the ``failures``; ``places`` say what was asked for."""
    done: list[tuple[Plain, Outcome]] = []
    failures: list[Plain] = []
    for place, outcome in zip(places, outcomes):
        if isinstance(outcome, RegistryError):
            failures.append(failure(outcome, **place))
        else:
            done.append((place, outcome))
    return done, failures


def unless_failed(failures: t.Sequence[Plain], **facts: t.Any) -> Plain:
    """What rests on all that was asked for. Where some of that has failed it can't be known, and isn't returned."""
    return {} if failures else facts
