# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import (
    Record,
    encode_record,
    predicate_of,
    statement_of,
    subjects_of,
)
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, OTHER_DIGEST
from ansible_collections.imageops.registry.tests.unit.support.records import APP, DONE, EQUAL, FAILED


def test_a_record_is_a_statement_about_the_promoted_digests() -> None:
    assert statement_of(DONE) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "prod.example/prod/app", "digest": {"sha256": DIGEST[7:]}}],
        "predicateType": "https://github.com/imageops/registry/promotion/v1",
        "predicate": {
            "source": {"registry": "dev.example:5000"},
            "destination": {"registry": "prod.example"},
            "environment": "production",
            "images": [
                {
                    "reference": "dev.example:5000/team/app:1.4.2",
                    "repository": "prod/app",
                    "digest": DIGEST,
                    "source_digest": DIGEST,
                    "tags": [
                        {"tag": "1.4.2", "previous_digest": "", "digest": DIGEST, "action": "create"},
                        {"tag": "stable", "previous_digest": OTHER_DIGEST, "digest": DIGEST, "action": "replace"},
                    ],
                    "action": "promote",
                    "bytes": {"uploaded": 264216, "mounted": 1024, "skipped": 7},
                    "gates": [
                        {
                            "name": "team label",
                            "passed": True,
                            "severity": "error",
                            "value": True,
                            "message": "Images need the label team",
                        },
                        {
                            "name": "small",
                            "passed": False,
                            "severity": "warning",
                            "value": {"total_size": 9},
                            "message": "It is large",
                        },
                    ],
                    "signatures": [
                        {
                            "form": "sigstore_bundle",
                            "digest": OTHER_DIGEST,
                            "subject": DIGEST,
                            "verified": True,
                            "by": "key:Jq5g",
                            "reason": "",
                        },
                        {
                            "form": "notation",
                            "digest": OTHER_DIGEST,
                            "subject": DIGEST,
                            "verified": False,
                            "by": "",
                            "reason": "it has expired",
                        },
                    ],
                },
                {
                    "reference": "dev.example:5000/team/web:2",
                    "repository": "team/web",
                    "digest": OTHER_DIGEST,
                    "source_digest": OTHER_DIGEST,
                    "tags": [{"tag": "2", "previous_digest": OTHER_DIGEST, "digest": OTHER_DIGEST, "action": "exists"}],
                    "action": "unchanged",
                    "bytes": {"uploaded": 0, "mounted": 0, "skipped": 0},
                    "gates": [],
                    "signatures": [],
                },
            ],
            "actor": "ci",
            "job": "https://ci.example/jobs/7",
            "reason": "CHG-1234",
            "begun_at": "2026-05-31T12:00:00Z",
            "finished_at": "2026-05-31T12:00:09Z",
            "outcome": "done",
            "collection_version": "0.9.0",
            "reverts": None,
            "not_reverted": [],
        },
    }


def test_what_nobody_has_given_is_null() -> None:
    plain = predicate_of(Record("dev.example", "prod.example", (), "2026-05-31T12:00:00Z"))
    assert [name for name, value in plain.items() if value is None] == [
        *("environment", "actor", "job", "reason", "finished_at", "reverts"),
    ]
    assert plain["outcome"] == "begun"


def test_what_could_not_go_back_is_told() -> None:
    assert predicate_of(FAILED)["not_reverted"] == [
        {
            "repository": "prod/app",
            "tag": "1.4.2",
            "digest": DIGEST,
            "previous_digest": "",
            "reason": "the registry cannot remove a tag alone",
        }
    ]


def test_subjects_are_the_digests_that_were_to_be_promoted_each_once_in_a_repository() -> None:
    refused = [APP._replace(action=action, digest=OTHER_DIGEST) for action in ("refused", "skip", "missing")]
    unknown = APP._replace(action="failed", digest="")
    sha512 = APP._replace(action="failed", digest=f"sha512:{'a' * 128}")
    elsewhere = APP._replace(repository="other/app")
    record = DONE._replace(images=(APP, APP, EQUAL, *refused, unknown, sha512, elsewhere))
    assert subjects_of(record) == [
        {"name": "prod.example/prod/app", "digest": {"sha256": DIGEST[7:]}},
        {"name": "prod.example/prod/app", "digest": {"sha512": "a" * 128}},
        {"name": "prod.example/other/app", "digest": {"sha256": DIGEST[7:]}},
    ]


def test_the_bytes_are_the_same_for_the_same_record() -> None:
    record = DONE._replace(actor="Zoë")
    assert encode_record(record) == encode_record(record._replace())
    assert "Zoë".encode() in encode_record(record)
    assert json.loads(encode_record(record, indent=1)) == json.loads(encode_record(record)) == statement_of(record)
