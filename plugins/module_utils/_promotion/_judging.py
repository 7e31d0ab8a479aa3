# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Judging what would be promoted: its signatures and its gates, before anything is written.

What is equal already isn't judged, and neither is what can't be promoted for another reason.
"""

from __future__ import annotations

import datetime
import typing as t

from .._end._end import End
from .._end._remembering import remembering
from .._images._listing import ImageName
from .._images._platform_choice import choose_platforms
from .._model._actions import COPY, EXISTS, FAILED, PROMOTE, REFUSED, REPLACE
from .._model._errors import RegistryError
from .._model._manifest import Manifest
from .._model._times import utc_now
from .._run._parallel import run_all
from ._document import CONFIG_PARTS, ImageDocument, Surroundings
from ._first_sights import FirstSights, Sight
from ._gates import Gate, GateResult, keys_named
from ._plan import Plan, PlannedImage
from ._signature_rules import REQUIRED, SignatureRule, rule_for
from ._signatures import Judgement, judge_one
from ._trust import NOBODY, Trust

Plain = dict[str, t.Any]


class Conditions(t.NamedTuple):
    """What an image has to meet to be promoted."""

    gates: tuple[Gate, ...] = ()
    signatures: tuple[SignatureRule, ...] = ()
    """Without any, signatures aren't looked at."""
    sights: FirstSights | None = None
    """Since when digests are known; None where nobody keeps that."""


def judge_plan(plan: Plan, source: End, destination: End, conditions: Conditions, *, check: bool = False) -> Plan:
    """The plan, with what doesn't meet the conditions refused, and without the content that only that needs.

    What a plan says of gates and signatures itself isn't believed. All failures of an image are in its reason. What
    can't be read is a failure of the image, and never a pass. Unless ``check``, it is kept that the digests were met.
    Raises :class:`LocalFileError` where that can't be.
    """
    source = remembering(source)
    judge = _Judge(plan, source, destination, conditions)
    if conditions.sights is not None and not check:
        conditions.sights.note(filter(None, map(judge.sight_of, plan.images)), judge.now)
    outcomes = run_all(judge.judge, plan.images, source.jobs)
    images = [
        image._replace(action=FAILED, reason=str(outcome), gates=(), judgement=None)
        if isinstance(outcome, RegistryError)
        else outcome
        for image, outcome in zip(plan.images, outcomes)
    ]
    return plan if images == list(plan.images) else plan.with_images(images)


class _Judge:
    """Judges the images of a plan, all at the same time of day."""

    def __init__(self, plan: Plan, source: End, destination: End, conditions: Conditions) -> None:
        self._plan = plan
        self._source = source
        self._destination = destination
        self._conditions = conditions
        self.now = utc_now()

    def sight_of(self, image: PlannedImage) -> Sight | None:
        """What was met at the source; None where that isn't known."""
        if not image.source_digest:
            return None
        return self._source.name, image.item.repository, image.source_digest

    def _first_seen(self, image: PlannedImage) -> datetime.datetime | None:
        sights, sight = self._conditions.sights, self.sight_of(image)
        return None if sights is None or sight is None else sights.first(sight) or self.now

    def judge(self, image: PlannedImage) -> PlannedImage:
        """One image, judged. Raises what keeps it from being known."""
        if image.action != PROMOTE:
            return image
        gates = [gate for gate in self._conditions.gates if gate.applies_to(image.item.repository)]
        judgement = self._signatures(image)
        results = self._gates(image, gates, judgement)
        told = image.told
        if self._conditions.gates:
            told = told._replace(gates=())
        if self._conditions.signatures:
            told = told._replace(signatures=())
        judged = image._replace(gates=tuple(results), judgement=judgement, told=told)
        problems = [] if judgement is None or not judgement.reason else [judgement.reason]
        problems += [result.sentence for result in results if result.refuses]
        if not problems:
            return judged
        return judged._replace(action=REFUSED, reason=f"{self._plan.reference_of(image)}: {'; '.join(problems)}")

    def _signatures(self, image: PlannedImage) -> Judgement | None:
        rules, repository = self._conditions.signatures, image.item.repository
        if not rules:
            return None
        rule = rule_for(rules, repository)
        # What is signed is the source's digest, also where only some platforms of it are promoted.
        manifest = self._manifest(image, image.source_digest)
        judgement = judge_one(self._source, repository, manifest, rule, self.now)
        if judgement.verified and not self._is_of(image, manifest):
            reason = f"{image.digest} is not what platforms takes of {image.source_digest}, which is signed"
            return judgement._replace(verified=False, reason=reason)
        if rule is not None and rule.mode == REQUIRED and judgement.verified:
            return _copied_along(judgement, image)
        return judgement

    def _is_of(self, image: PlannedImage, signed: Manifest) -> bool:
        """Whether what is promoted is what was signed, or follows from it.

        A plan that was given may name any digest, and what platforms takes of an index has no signature of its own.
        """
        item = image.item
        if image.digest == signed.digest:
            return True
        if not item.platforms or not signed.is_index:
            return False
        choice = choose_platforms(self._source, item.repository, signed, item.platforms, flatten=item.flatten)
        return choice.chosen.digest == image.digest

    def _gates(self, image: PlannedImage, gates: t.Sequence[Gate], judgement: Judgement | None) -> list[GateResult]:
        if not gates:
            return []
        document = self._document(image, judgement)
        parts = document.as_plain(keys_named(gates))
        return [
            gate.not_evaluated(document.problem) if gate.names(CONFIG_PARTS) and document.problem else gate.judge(parts)
            for gate in gates
        ]

    def _document(self, image: PlannedImage, judgement: Judgement | None) -> ImageDocument:
        item = image.item
        tags = [{"tag": tag.tag, "digest": tag.previous_digest or None} for tag in image.tags]
        where = {"registry": self._destination.name, "repository": item.destination_repository, "tags": tags}
        signatures = [] if judgement is None else judgement.as_plain()["signatures"]
        return ImageDocument(
            self._source,
            ImageName(item.repository, item.tag, item.digest),
            self._manifest(image, image.digest),
            self._plan.reference_of(image),
            Surroundings(self.now, self._trust(image), signatures, where, self._first_seen(image)),
            self._known(image),
        )

    def _trust(self, image: PlannedImage) -> Trust:
        """Who may have signed records of promotions: whom the rule of the repository trusts."""
        rule = rule_for(self._conditions.signatures, image.item.repository)
        return NOBODY if rule is None else rule.trust

    def _known(self, image: PlannedImage) -> list[Manifest]:
        """The manifests that the plan brings along, and needn't be read."""
        present = [image.present] if image.present else []
        return [*self._plan.tree_of(image, ()), *present]

    def _manifest(self, image: PlannedImage, digest: str) -> Manifest:
        known = {manifest.digest: manifest for manifest in self._known(image)}
        return known.get(digest) or self._source.get_manifest(image.item.repository, digest)


def _copied_along(judgement: Judgement, image: PlannedImage) -> Judgement:
    """The judgement; none that verifies where what verified would be left behind.

    Each digest that had to be signed keeps a signature. Of an index of which only some platforms are promoted, and
    which isn't at the destination then, one signature of an image in it is enough.
    """
    verified = [signature for signature in judgement.signatures if signature.verified]
    there = {artifact.digest for artifact in image.artifacts if artifact.action in (COPY, REPLACE, EXISTS)}
    kept = {signature.subject for signature in verified if signature.digest in there}
    wanted = {signature.subject for signature in verified}
    if kept == wanted or (kept and image.digest != image.source_digest):
        return judgement
    reason = "what verifies is not copied with the image: have artifacts include the signatures"
    if image.digest != image.source_digest and wanted == {image.source_digest}:
        # No choice of artifacts takes the signature of an index along that isn't promoted itself.
        reason = (
            f"what verifies is about {image.source_digest}, of which platforms takes a part, and is not copied with "
            "that: sign the images too, set each_image, and have artifacts include their signatures"
        )
    return judgement._replace(verified=False, reason=reason)
