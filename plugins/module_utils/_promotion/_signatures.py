# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Who has signed an image: every signature that is found, tried with the keys and certificates of a rule.

What isn't known is a reason, and never a pass: an unknown form, a payload that is too large, a list that can't be read.
"""

from __future__ import annotations

import datetime
import typing as t

from .._end._end import End
from .._end._purpose import Purpose
from .._images._inspection import read_tree
from .._images._listing import ImageName
from .._images._referrers import SIGNATURE_SUFFIX, UNTYPED, Found, cosign_tags, referrers_of
from .._model._actions import COSIGN_TAG, NOTATION, SIGSTORE_BUNDLE
from .._model._errors import BAD_CONTENT, NoSignature, NotFound, RegistryError, Unverified
from .._model._manifest import Descriptor, Manifest
from .._run._parallel import run_all
from . import _cosign_tag, _notation, _sigstore_bundle
from ._signature_rules import EXEMPT, IF_PRESENT, SignatureRule, rule_for
from ._signed_content import read_signed
from ._trust import Subject
from ._words import count

Plain = dict[str, t.Any]

_MOST = 200
"""Signatures of one digest that are tried. Whoever may push may add any number of them."""
NO_RULE = "no rule of signatures matches"


class Signature(t.NamedTuple):
    """One signature that was found, and what came of it."""

    form: str
    digest: str
    """Of the manifest that holds it."""
    subject: str
    """The digest that it was found for."""
    verified: bool = False
    by: str = ""
    reason: str = ""
    """Why it doesn't verify."""


class Judgement(t.NamedTuple):
    """Whether the signatures of an image are enough. ``verified`` is None where a rule exempts it."""

    verified: bool | None
    signatures: tuple[Signature, ...] = ()
    reason: str = ""
    """Why not."""

    def as_plain(self) -> Plain:
        """As a result."""
        signatures = [signature._asdict() for signature in self.signatures]
        return {"verified": self.verified, "signatures": signatures, "reason": self.reason}


def look_at_signatures(
    registry: End, names: t.Sequence[ImageName], rules: t.Sequence[SignatureRule], now: datetime.datetime
) -> list[Plain | RegistryError]:
    """What the signatures of images are worth, as plain values, in their order. That one isn't there is no error."""

    def look(name: ImageName) -> Plain:
        try:
            manifest = registry.get_manifest(name.repository, name.reference)
        except NotFound:
            absent = Judgement(verified=False, reason="the image is not there")
            return {"exists": False, "digest": name.digest, **absent.as_plain()}
        judgement = judge_one(registry, name.repository, manifest, rule_for(rules, name.repository), now)
        return {"exists": True, "digest": manifest.digest, **judgement.as_plain()}

    return run_all(look, names, registry.jobs)


def judge_one(
    registry: End, repository: str, manifest: Manifest, rule: SignatureRule | None, now: datetime.datetime
) -> Judgement:
    """Whether the signatures of an image are enough by a rule. Raises what keeps them from being read."""
    if rule is None:
        return Judgement(verified=False, reason=NO_RULE)
    if rule.mode == EXEMPT:
        return Judgement(verified=None)
    manifests = [manifest]
    if rule.each_image and manifest.is_index:
        tree = read_tree(registry, repository, manifest.digest, {manifest.digest: manifest})
        manifests += [one for one in tree if not one.is_index]
    places = [(repository, one.digest) for one in manifests]
    signatures: list[Signature] = []
    problems: list[str] = []
    for one, found in zip(manifests, referrers_of(registry, places)):
        if isinstance(found, RegistryError):
            raise found
        subject = Subject(one.descriptor, one.content)
        if rule.mode == IF_PRESENT:
            found = _with_hidden(registry, repository, found)
        tried = _Trial(registry, repository, subject, rule, now).all_of(found)
        signatures += [trial.signature for trial in tried]
        problems += _problem(tried, rule, one.digest, found.unread)
    return Judgement(not problems, tuple(signatures), "; ".join(problems))


class _Tried(t.NamedTuple):
    """A signature, and whether it claims to be one: a statement of another type, such as an SBOM, doesn't."""

    signature: Signature
    claims: bool = True


def _with_hidden(registry: End, repository: str, found: Found) -> Found:
    """What refers to a digest, and cosign's tag as well where only GET finds it: HEAD may be answered by a cache."""
    known = [tag for tag, _descriptor in found.cosign_tags]
    for tag in cosign_tags(found.digest):
        if tag.endswith(SIGNATURE_SUFFIX) and tag not in known:
            hidden = registry.head_manifest(repository, tag, Purpose.GUARD)
            if hidden is not None:
                return found._replace(cosign_tags=(*found.cosign_tags, (tag, hidden)))
            return found._replace(unread=found.unread or registry.denial_of(repository, tag))
    return found


def _problem(tried: t.Sequence[_Tried], rule: SignatureRule, digest: str, unread: RegistryError | None) -> list[str]:
    """Why the signatures of one digest aren't enough, if they aren't. Others may be in what couldn't be read."""
    if any(one.signature.verified for one in tried):
        return []
    if unread is not None:
        return [f"whether {digest} is signed cannot be told: {unread}".rstrip(".")]
    if not any(one.claims for one in tried) and rule.mode == IF_PRESENT:
        return []
    if not tried:
        return [f"{digest} has no signature"]
    reasons = list(dict.fromkeys(one.signature.reason for one in tried))
    more = f" (and {count(len(reasons) - 1, 'other reason')})" if len(reasons) > 1 else ""
    if len(tried) == 1:
        return [f"the signature of {digest} does not verify: {reasons[0]}"]
    return [f"none of the {len(tried)} signatures of {digest} verifies: {reasons[0]}{more}"]


class _Trial:
    """Tries the signatures of one digest."""

    def __init__(
        self, registry: End, repository: str, subject: Subject, rule: SignatureRule, now: datetime.datetime
    ) -> None:
        self._registry = registry
        self._repository = repository
        self._subject = subject
        self._rule = rule
        self._now = now

    def all_of(self, found: Found) -> list[_Tried]:
        """Every signature among what refers to the digest, tried."""
        tried: list[_Tried] = []
        tagged = [descriptor for tag, descriptor in found.cosign_tags if tag.endswith(SIGNATURE_SUFFIX)]
        for place, descriptor in enumerate([*tagged, *filter(_may_be_signature, found.referrers.descriptors)]):
            if len(tried) >= _MOST:
                # One of those may claim to be a signature, so that none is no answer.
                error = Unverified(f"more than {_MOST} signatures are there, and the others are not tried")
                return [*tried[: _MOST - 1], self._failed(_form_of(descriptor.artifact_type), descriptor.digest, error)]
            tried += self._in(descriptor, is_tagged=place < len(tagged))
        return tried[:_MOST]

    def _in(self, descriptor: Descriptor, *, is_tagged: bool) -> list[_Tried]:
        """The signatures in one manifest.

        One that can't be read counts, and so does what is called a signature and is none in a form that is known.
        """
        try:
            manifest = self._registry.get_manifest(self._repository, descriptor.digest, descriptor.media_type)
            found = [(form, layer) for form, layers_of in _FORMS.items() for layer in layers_of(manifest)]
        except BAD_CONTENT as problem:
            return [self._failed(_form_of(descriptor.artifact_type), descriptor.digest, problem)]
        # What the manifest says of itself counts for more than what a list says of it.
        kind = descriptor.artifact_type if manifest.artifact_type in UNTYPED else manifest.artifact_type
        if not found and (is_tagged or _is_signature(kind)):
            error = Unverified("it has no signature in a form that is known")
            return [self._failed(_form_of(kind), descriptor.digest, error)]
        return [self._try(form, layer, descriptor.digest) for form, layer in found[:_MOST]]

    def _try(self, form: str, layer: Descriptor, digest: str) -> _Tried:
        try:
            by = self._verify(form, layer)
        except BAD_CONTENT as error:
            return self._failed(form, digest, error)
        return _Tried(Signature(form, digest, self._subject.descriptor.digest, True, by))

    def _failed(self, form: str, digest: str, error: RegistryError) -> _Tried:
        signature = Signature(form, digest, self._subject.descriptor.digest, reason=str(error).rstrip("."))
        return _Tried(signature, claims=not isinstance(error, NoSignature))

    def _verify(self, form: str, layer: Descriptor) -> str:
        content = read_signed(self._registry, self._repository, layer)
        subject, trust = self._subject, self._rule.trust
        if form == COSIGN_TAG:
            return _cosign_tag.verify(layer, content, subject, trust)
        if form == SIGSTORE_BUNDLE:
            return _sigstore_bundle.verify(content, subject, trust)
        return _notation.verify(layer, content, subject, trust, self._now)


_FORMS: t.Mapping[str, t.Callable[[Manifest], list[Descriptor]]] = {
    COSIGN_TAG: _cosign_tag.payloads,
    SIGSTORE_BUNDLE: _sigstore_bundle.bundles,
    NOTATION: _notation.envelopes,
}
"""What of a manifest is a signature in each form."""


def _form_of(kind: str) -> str:
    """The form that an artifact type names; that of cosign's tags where it names none."""
    if _sigstore_bundle.is_bundle_of_any_version(kind):
        return SIGSTORE_BUNDLE
    return NOTATION if kind == _notation.ARTIFACT_TYPE else COSIGN_TAG


def _is_signature(kind: str) -> bool:
    """Whether an artifact type is that of signatures, also in a form that isn't known."""
    return kind == _cosign_tag.ARTIFACT_TYPE or _form_of(kind) != COSIGN_TAG


def _may_be_signature(descriptor: Descriptor) -> bool:
    """Whether a list calls a referrer a signature, or doesn't say what it is, so that its manifest has to."""
    return descriptor.artifact_type in UNTYPED or _is_signature(descriptor.artifact_type)
