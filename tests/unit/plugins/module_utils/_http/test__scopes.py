# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import CATALOG, NOTHING, Scopes
from ansible_collections.imageops.registry.tests.unit.support.exchanges import PULL, PUSH


def test_scopes_are_equal_whatever_the_order() -> None:
    one = Scopes({"repository:a:": ("push", "pull"), "repository:b": ("pull",)})
    other = Scopes({"repository:b": ["pull"], "repository:a:": ["pull", "push", "pull"]})
    assert one == other and hash(one) == hash(other)
    assert one != PULL and one != "x"


def test_actions_are_merged_and_what_is_pushed_to_comes_first() -> None:
    scopes = Scopes.repository("a", "pull").union(Scopes.repository("z", "push")).union(Scopes.repository("z", "pull"))
    assert list(scopes) == ["repository:z:pull,push", "repository:a:pull"]
    assert str(scopes) == "repository:z:pull,push repository:a:pull"


def test_actions_are_in_a_fixed_order_unknown_ones_last() -> None:
    assert str(Scopes({"x:y": ("zap", "delete", "push", "pull", "*")})) == "x:y:pull,push,delete,*,zap"


def test_scopes_of_a_challenge_are_read_and_anything_else_passed_over() -> None:
    text = "repository:host:5000/a:pull repository(plugin):b:pull,,push registry:catalog:* nonsense a:b"
    assert sorted(Scopes.parse(text)) == [
        "registry:catalog:*",
        "repository(plugin):b:pull,push",
        "repository:host:5000/a:pull",
    ]
    assert Scopes.parse("") == NOTHING
    assert Scopes.parse("registry:catalog:*") == CATALOG


def test_a_wider_scope_covers_a_narrower_one_only() -> None:
    assert PUSH.covers(PULL) and PULL.covers(NOTHING) and PULL.covers(PULL)
    assert not PULL.covers(PUSH) and not PULL.covers(Scopes.repository("a", "pull"))


def test_scopes_belong_to_the_repository_that_is_pushed_to() -> None:
    mount = Scopes.repository("a/b", "pull").union(Scopes.repository("z:5/c", "pull", "push"))
    assert mount.main_repository == "z:5/c"
    assert CATALOG.main_repository == NOTHING.main_repository == ""
