# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import time
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import check_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import InvalidInput
from ansible_collections.imageops.registry.plugins.module_utils._model._reference import (
    Place,
    Reference,
    check_registry,
    check_repository,
    check_tag,
    is_docker_hub,
    parse_reference,
    split_host_port,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._shown import without_login

DIGEST = "sha256:" + "b" * 64


@pytest.mark.parametrize("name", ["a", "a/b", "a.b/c_d/e__f/g---h", "0", "library/nginx", "a" * 255])
def test_repository_names_of_the_specification_are_accepted(name: str) -> None:
    assert check_repository(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "a/./b",
        "-a",
        "a-",
        "a_",
        "a___b",
        "a..b",
        "a._b",
        "a b",
        "a:b",
        "a@b",
        "a%2fb",
        "a\\b",
        "a?b",
        "a#b",
        "a\n",
        "\u00e9",
        "\uff41",
        "a" * 256,
        None,
        1,
        ["a"],
    ],
)
def test_other_repository_names_are_refused(name: object) -> None:
    with pytest.raises(InvalidInput, match="malformed repository name"):
        check_repository(name)


def test_upper_case_in_a_repository_name_is_said_to_be_the_reason() -> None:
    with pytest.raises(InvalidInput, match="upper-case"):
        check_repository("Team/App")


AT = Place("repository", "dev.example:5000", "source.registry", "source")
FRONT = "malformed repository name {shown!r} at the source: it has "
BEHIND = "; the registry at the source is dev.example:5000, and is given by source.registry."


@pytest.mark.parametrize(
    ("name", "inside", "hint"),
    [
        ("dev.example:5000/team/app", "the registry dev.example:5000 in it", f"Give repository: team/app{BEHIND}"),
        ("https://dev.example/app", "the registry dev.example in it", f"Give repository: app{BEHIND}"),
        ("localhost:1/app", "the registry localhost:1 in it", f"Give repository: app{BEHIND}"),
        ("[::1]:1/app", "the registry [::1]:1 in it", f"Give repository: app{BEHIND}"),
        ("dev.example/team/app", "the registry dev.example in it", f"Give repository: team/app{BEHIND}"),
        ("app:1", "the tag 1 in it", "Give repository: app, and put the tag into an option of its own."),
        (
            f"a@{DIGEST}",
            f"the digest {DIGEST} in it",
            "Give repository: a, and put the digest into an option of its own.",
        ),
        (
            f"r:1/App:1@{DIGEST}",
            f"the registry r:1 and the tag 1 and the digest {DIGEST} in it",
            f"Put the tag into an option of its own{BEHIND}",
        ),
        ("a@", "a ':' or an '@' in it", "Give repository: a."),
    ],
)
def test_what_else_is_in_a_repository_name_is_said(name: str, inside: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_repository(name, AT)
    assert str(caught.value) == f"{FRONT.format(shown=name)}{inside}. {hint}"


def test_the_names_of_docker_hub_in_front_of_a_repository_of_it_are_refused() -> None:
    with pytest.raises(InvalidInput, match="it has the registry index.docker.io in it"):
        check_repository("index.docker.io/library/nginx", Place(registry="docker.io"))


@pytest.mark.parametrize("name", ["other.example/app", "dev.example", "localhost/app", "docker.io/library/nginx"])
def test_a_mirror_has_repositories_with_the_names_of_registries(name: str) -> None:
    assert check_repository(name, AT) == check_repository(name, Place(registry="localhost")) == name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("user:secret@r.example/app", "********@r.example/app"),
        ("https://user:secret@r.example:1/app", "https://********@r.example:1/app"),
        (f"u:secr/e@t@r.example/app:1@{DIGEST}", f"********@r.example/app:1@{DIGEST}"),
        ("secret@r.example/app", "********@r.example/app"),
        (f"app@{DIGEST}", f"app@{DIGEST}"),
        ("app@", "app@"),
        ("team/app", "team/app"),
    ],
)
def test_a_login_in_front_of_a_reference_is_not_shown(text: str, shown: str) -> None:
    assert without_login(text) == shown
    for check in (check_repository, parse_reference):
        try:
            check(text)
        except InvalidInput as error:
            assert "secret" not in str(error)


def test_a_digest_in_place_of_a_tag_is_said_to_be_one() -> None:
    with pytest.raises(InvalidInput, match="it is a digest. Give it as digest, in place of tag"):
        check_tag(DIGEST)


@pytest.mark.parametrize("name", ["a-" * 127 + "!", "a_" * 127 + "!", "-" * 255, "a" + "-" * 254, "a" * 1000000])
def test_no_repository_name_makes_the_pattern_slow(name: str) -> None:
    started = time.monotonic()
    with pytest.raises(InvalidInput):
        check_repository(name)
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("tag", ["latest", "1.2.3", "_x", "A-b.c_d", "x" * 128])
def test_tags_of_the_specification_are_accepted(tag: str) -> None:
    assert check_tag(tag) == tag


@pytest.mark.parametrize(
    "tag", ["", ".x", "-x", "x" * 129, "a/b", "a:b", "a b", "a\n", "\u00e9", None, 1.0, "..", "a%2e"]
)
def test_other_tags_are_refused(tag: object) -> None:
    with pytest.raises(InvalidInput, match="malformed tag"):
        check_tag(tag)


@pytest.mark.parametrize(
    "registry",
    [
        "r",
        "localhost:5000",
        "R.Example",
        "10.0.0.1:1",
        "[::1]",
        "[2001:db8::1]:5000",
        "[::ffff:1.2.3.4]:65535",
        "a-b.c",
    ],
)
def test_registries_are_host_and_port(registry: str) -> None:
    assert check_registry(registry) == registry


@pytest.mark.parametrize(
    ("registry", "why"),
    [
        ("", "empty"),
        (None, "empty"),
        ("https://r.example", "without a scheme"),
        ("r.example/v2", "without a path"),
        ("r.example:", "missing"),
        ("r.example:0", "1 to 65535"),
        ("r.example:65536", "1 to 65535"),
        ("r.example:x", "1 to 65535"),
        ("r.example:\u0661", "1 to 65535"),
        ("r.example:1:2", "1 to 65535"),
        ("user@r.example", "it has a login"),
        ("r..example", "is not a host name"),
        ("-r.example", "is not a host name"),
        ("r_x.example", "is not a host name"),
        ("r.example\n", "is not a host name"),
        ("r.ex ample", "is not a host name"),
        ("[::1", "is not a host name"),
        ("[::1]x", "1 to 65535"),
        ("[fe80::1%eth0]", "is not a host name"),
        ("a" * 256, "longer"),
    ],
)
def test_other_registries_are_refused_saying_why(registry: object, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        check_registry(registry)


SECRET = "hard-to-guess"


@pytest.mark.parametrize(
    "registry",
    [
        f"user:{SECRET}@r.example:5000",
        f"https://user:{SECRET}@r.example",
        f"https://user:{SECRET}@r.example/v2/",
        f"user:x@{SECRET}@r.example",
        f"user:x/{SECRET}@r.example",
        f"{SECRET}@r.example",
        f"user:x{' ' * 300}{SECRET}@r.example",
    ],
)
def test_a_login_in_a_registry_is_not_shown_and_its_options_are_named(registry: str) -> None:
    with pytest.raises(InvalidInput, match="has a login.*in username and password") as caught:
        check_registry(registry)
    assert SECRET not in str(caught.value) and "user:" not in str(caught.value)


@pytest.mark.parametrize(
    "registry", [f"user:{SECRET}", f"https://user:{SECRET}", f"https://r.example/?token={SECRET}", f"r:1:{SECRET}"]
)
def test_half_a_login_in_a_registry_is_not_shown(registry: str) -> None:
    with pytest.raises(InvalidInput, match="malformed registry '.*[*?]") as caught:
        check_registry(registry)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"user:{SECRET}@r.example:5000/team/app:1",
        f"https://user:{SECRET}@r.example/team/app",
        f"user:{SECRET}@r.example/team/app@{DIGEST}",
        f"{SECRET}@r.example",
        f"user:A$ {SECRET}@r.example/app",
        f"https://r.example/app?token={SECRET}",
    ],
)
def test_a_login_in_another_name_is_not_shown(text: str) -> None:
    for check in (check_repository, check_tag, check_digest, parse_reference):
        with pytest.raises(InvalidInput, match="^malformed") as caught:
            check(text)
        assert SECRET not in str(caught.value)
        assert check in (check_tag, check_digest) or "?" in text or "username and password" in str(caught.value)


def test_what_is_no_login_is_shown() -> None:
    for text in ("team/app@latest", "r.example/Team/app:1", f"team/APP@{DIGEST}", "team/app@sha256:abc"):
        with pytest.raises(InvalidInput, match=re.escape(repr(text))):
            parse_reference(text)


def test_host_and_port_are_split_and_ipv6_keeps_its_brackets() -> None:
    assert split_host_port("r:5") == ("r", "5")
    assert split_host_port("r") == ("r", "")
    assert split_host_port("[::1]:5") == ("[::1]", "5")
    assert split_host_port("[::1]") == ("[::1]", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app", Reference("", "app", "", "")),
        ("app:1", Reference("", "app", "1", "")),
        ("team/app:1", Reference("", "team/app", "1", "")),
        ("localhost/app", Reference("localhost", "app", "", "")),
        ("r.example/app", Reference("r.example", "app", "", "")),
        ("r:5000/app", Reference("r:5000", "app", "", "")),
        ("r:5000/app:2", Reference("r:5000", "app", "2", "")),
        ("R/app", Reference("R", "app", "", "")),
        ("[::1]:5000/a/b:2", Reference("[::1]:5000", "a/b", "2", "")),
        (f"r.example/app@{DIGEST}", Reference("r.example", "app", "", DIGEST)),
        (f"r.example/app:1@{DIGEST}", Reference("r.example", "app", "1", DIGEST)),
        ("docker.io/nginx:1", Reference("docker.io", "library/nginx", "1", "")),
        ("index.docker.io/grafana/grafana", Reference("docker.io", "grafana/grafana", "", "")),
        ("quay.io/nginx", Reference("quay.io", "nginx", "", "")),
        ("localhost:5000", Reference("", "localhost", "5000", "")),
    ],
)
def test_references_are_split(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        "r.example/",
        "r.example/App",
        "app:",
        "app@",
        f"app:@{DIGEST}",
        "app@sha256:../../x",
        "app:-x",
        "a b",
        "https://r.example/app",
        f"app@{DIGEST}@{DIGEST}",
        "@" + DIGEST,
        ":1",
        "r.example:0/app",
        "user@r.example/app",
        "r.example/" + "a" * 250,
    ],
)
def test_malformed_references_are_refused(text: object) -> None:
    with pytest.raises(InvalidInput, match="malformed reference"):
        parse_reference(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://r.example/app:1", "give it without the scheme in front of '://'"),
        ("docker://r.example/app", "give it without the scheme"),
        (
            "Team/App",
            "upper-case letters are not allowed; 'Team' was taken for the registry, since repositories have no",
        ),
        ("R.example/App", "upper-case letters are not allowed\\."),
    ],
)
def test_what_is_wrong_with_a_reference_is_said(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=f"malformed reference '{text}': .*{why}"):
        parse_reference(text)


@pytest.mark.parametrize(
    ("check", "text", "sentence"),
    [
        (check_tag, "", "malformed tag '': it is empty. Give a tag such as 1.4.2."),
        (check_tag, "team/app:1", "Give team/app as the repository, and 1 as the tag."),
        (check_tag, "r.example:5000/team/app:1", "Give team/app as the repository, and 1 as the tag."),
        (check_tag, "a/b", "digit or '_'. Give a tag such as 1.4.2."),
        (check_tag, "u:my-secret-word@r.example/a:1", "digit or '_'. Give a tag such as 1.4.2."),
        (check_repository, "Team/Single", "upper-case letters are not allowed. Perhaps team/single is meant."),
        (check_repository, "Team//Single", "upper-case letters are not allowed. Give a name such as team/app."),
        (check_repository, "", "it is empty. Give a name such as team/app."),
        (check_repository, 5, "it is not a string. Give a name such as team/app."),
        (check_registry, "", "it is empty. Give host or host:port."),
        (parse_reference, "", "it is empty. Give it as dev.example:5000/team/app:1.4.2, or with @sha256:... in place"),
        (parse_reference, [1], "it is not a string. Give it as "),
        (parse_reference, "team/app:.x", "the first a letter, digit or '_'. Give it as "),
    ],
)
def test_what_is_malformed_is_said_with_what_to_do(
    check: t.Callable[[object], object], text: object, sentence: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(text)
    assert sentence in str(caught.value)
    assert "my-secret-word" not in str(caught.value)


@pytest.mark.parametrize("text", ["app", "app:1", f"r.example/a/b:1@{DIGEST}", "[::1]:5000/a"])
def test_a_reference_is_written_as_it_was_read(text: str) -> None:
    assert str(parse_reference(text)) == text


def test_the_names_of_docker_hub_are_one_registry() -> None:
    assert all(map(is_docker_hub, ["docker.io", "Index.Docker.io", "registry-1.docker.io"]))
    assert not is_docker_hub("docker.io.example")


@pytest.mark.parametrize("value", [1.1, 1.10, True, False])
def test_what_yaml_made_of_a_tag_without_quotes_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="YAML does not read it as a string") as caught:
        check_tag(value)
    assert "quotes" in str(caught.value)


def test_a_whole_number_is_a_tag() -> None:
    assert check_tag(2024) == "2024"
