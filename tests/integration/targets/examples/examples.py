# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the guides run as they stand: only the names of the registries are replaced by those of real ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NamedTuple

from runs import (
    COLLECTION,
    CONFIG,
    OUTPUT,
    PROMOTE,
    REGISTRIES,
    TRANSFER,
    Failed,
    check,
    main,
    playbook,
    private_file,
    say,
    state_at,
)

sys.path.append(str(COLLECTION / "tools"))

import guide_pages
from images import AMD64, ARM64, artifact, image, index, layer
from seeding import Pusher

NAMES = {"dev.example:5000": "prod-token", "prod.example": "prod-htpasswd"}
"""The registries of the examples, and those that stand in for them; both have TLS and a login."""
USER = "username: promoter"
"""The account of the examples; the one that stands in for it is another."""
PAGES = (
    "first_promotion",
    "whole_images",
    "artifacts_and_signatures",
    "log_in",
    "air_gap",
    "registry_differences",
    "verify",
)
LAYER = 3_000_000
"""The size of the layers in the images of the examples, in bytes."""
CARRY = "/srv/carry"
"""The directory in which the examples have their layouts."""
VARIABLES = {"vault_prod_password": REGISTRIES["prod-htpasswd"]["password"]}
"""What the examples take from a vault."""
NOT_RUN = ".. not run: "
"""In the last line before an example that needs what no test has; the reason follows."""
ENDS = """
promote_source: {registry: dev.example:5000, auth_file: ~/.docker/config.json}
promote_destination: {registry: prod.example, auth_file: ~/.docker/config.json}
"""


class Example(NamedTuple):
    page: str
    line: int
    text: str

    @property
    def name(self) -> str:
        return f"{self.page}.rst, line {self.line}"


def examples(page: str) -> Iterator[Example]:
    """The examples of a page that can be run."""
    for found in guide_pages.examples(guide_pages.page(page)):
        if found.language == "yaml+jinja" and not found.before.startswith(NOT_RUN):
            yield Example(page, found.line, found.text)


def seeded() -> None:
    """The images that the examples name, with an artifact each, at the source."""
    state = state_at()
    with Pusher(state.registry(NAMES["dev.example:5000"]), str(state.ca_path)) as pusher:
        for repository, tag in (("team/app", "1.4.2"), ("team/api", "2.1.0")):
            images = [
                (image([layer(f"{repository}/{at.architecture}", LAYER)], repository, at), at) for at in (AMD64, ARM64)
            ]
            top = index(list(images))
            pusher.push_manifest(repository, top, tag)
            pusher.push_manifest(repository, artifact(b"{}"), top.digest.replace(":", "-") + ".sig")


def on_real_registries(text: str) -> str:
    """The text with the names of registries that run, an account of theirs, and a directory that is there."""
    text = text.replace(CARRY, str(OUTPUT / "carry"))
    text = text.replace(USER, f"username: {REGISTRIES['prod-htpasswd']['username']}")
    for name, registry in NAMES.items():
        text = text.replace(name, REGISTRIES[registry]["address"])
    return text


def logged_in() -> dict[str, str]:
    """The environment of a user who has logged in to the registries."""
    private_file("home/.docker/config.json", (state_at().directory / "auth.json").read_text(encoding="utf-8"))
    return {"HOME": str(OUTPUT / "home"), "REQUESTS_CA_BUNDLE": CONFIG["registries_ca"]}


def run(example: Example) -> None:
    """Run an example: a playbook, tasks, or variables of a role."""
    (OUTPUT / "carry").mkdir(exist_ok=True)
    environment = logged_in()
    text = on_real_registries(example.text)
    if not text.startswith("- "):
        ends = private_file("ends.yml", on_real_registries(ENDS))
        variables = private_file("example-variables.yml", text)
        role = TRANSFER if text.startswith("transfer_") else PROMOTE
        playbook(role, {}, "-e", f"@{ends}", "-e", f"@{variables}", environment=environment)
        return
    if "\n  hosts:" not in text:
        tasks = "".join(f"    {line}\n" for line in text.splitlines())
        text = f"- name: Example\n  hosts: localhost\n  gather_facts: false\n  tasks:\n{tasks}"
    playbook(private_file("example.yml", text), VARIABLES, environment=environment)


def pages() -> None:
    """Every example of every page."""
    for page in PAGES:
        found = list(examples(page))
        check(bool(found), f"no examples in {page}")
        for example in found:
            try:
                run(example)
            except Failed as failure:
                raise Failed(f"{example.name}: {failure}") from failure
        say(f"{page}: {len(found)} examples run")


if __name__ == "__main__":
    main([seeded, pages])
