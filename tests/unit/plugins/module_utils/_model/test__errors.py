# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    ErrorDetail,
    NotFound,
    ReferencesMissing,
    RegistryError,
    RepositoryMissing,
    doing,
)


def test_message_names_operation_reason_request_and_hint() -> None:
    error = RegistryError("it is closed", hint="Knock", method="GET", url="https://r.example/v2/", status=503).within(
        "enter"
    )
    assert str(error) == "Cannot enter: it is closed (GET https://r.example/v2/, answer 503). Knock."


def test_message_without_facts_is_one_sentence() -> None:
    assert str(RegistryError("it is closed")) == "it is closed."
    assert str(RegistryError("it is closed.")) == "it is closed."


def test_message_of_a_request_without_answer_has_no_status() -> None:
    assert str(RegistryError("cut", method="GET", url="http://r/v2/")) == "cut (GET http://r/v2/)."


def test_the_innermost_operation_stays() -> None:
    error = RegistryError("x")
    assert error.within("read blob") is error
    assert error.within("promote").operation == "read blob"


def test_an_operation_is_named_where_something_nearer_has_not() -> None:
    for nearer, named in (("", "tag a"), ("push a", "push a")):
        with pytest.raises(RegistryError) as caught, doing("tag a"):
            raise RegistryError("it failed").within(nearer)
        assert caught.value.operation == named


def test_codes_are_in_upper_case() -> None:
    assert RegistryError("x", errors=[ErrorDetail("toomanyrequests", "", "")]).codes == ("TOOMANYREQUESTS",)


@pytest.mark.parametrize(("status", "counts"), [(429, False), (503, False), (504, False), (500, True), (400, True)])
def test_codes_of_a_status_that_says_that_it_is_temporary_do_not_count(status: int, counts: bool) -> None:
    error = RegistryError("x", status=status, errors=[ErrorDetail("UNSUPPORTED", "Request was throttled.", "")])
    assert error.deciding_codes == (("UNSUPPORTED",) if counts else ())
    assert error.codes == ("UNSUPPORTED",)


def test_facts_are_plain_values() -> None:
    error = RegistryError("x", method="PUT", url="u", status=400, errors=[ErrorDetail("A", "b", "c")]).within("do")
    assert error.facts() == {
        "operation": "do",
        "reason": "x",
        "hint": "",
        "method": "PUT",
        "url": "u",
        "status": 400,
        "errors": [{"code": "A", "message": "b", "detail": "c"}],
    }


def test_missing_repository_is_a_kind_of_not_found() -> None:
    assert isinstance(RepositoryMissing("x"), NotFound)


def test_missing_references_carry_their_digests_through_a_copy() -> None:
    first = ReferencesMissing("x", digests=["sha256:1"], status=400)
    first.within("push")
    error = copy.copy(first)
    assert (error.digests, error.status, error.operation) == (("sha256:1",), 400, "push")


def test_a_reason_is_fit_for_a_screen() -> None:
    error = RegistryError("\x1b[31m" + "y" * 3000000)
    assert error.reason.startswith(" [31my") and len(error.reason) == 2000
