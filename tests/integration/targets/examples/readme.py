# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the README run as they stand, and the first one prints what the README shows."""

from __future__ import annotations

import re

from examples import LAYER, NAMES, VARIABLES, logged_in, on_real_registries, seeded
from runs import COLLECTION, PROMOTE, REGISTRIES, Run, check, main, playbook, private_file, say, state_at

from images import AMD64, image, index, layer
from seeding import Pusher

TEXT = (COLLECTION / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SHOWN = re.findall(r'^ {12}"(.*?)",?$', TEXT, re.MULTILINE)
"""The lines of the report that the README shows."""
CHANGES = re.findall(r"^```diff\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
"""The diff that the README shows."""
REQUESTS = re.compile(r"\d+ requests")
DIFF = re.compile(r"^--- before: .*?(?=^\n(?!--- )|^changed: )", re.MULTILINE | re.DOTALL)
"""What Ansible prints of a diff: blocks, each with an empty line behind it."""


def older() -> None:
    """An older image under the tag that the first example moves, with a layer of the new one."""
    state = state_at()
    with Pusher(state.registry(NAMES["prod.example"]), str(state.ca_path)) as pusher:
        standing = image([layer("team/api/amd64", LAYER)], "older", AMD64)
        pusher.push_manifest("prod/api", index([(standing, AMD64)]), "stable")


def run(text: str, *arguments: str) -> Run:
    """Run a playbook, or the collection's with these variables."""
    text = on_real_registries(text)
    if text.startswith("- "):
        return playbook(private_file("readme.yml", text), VARIABLES, *arguments, environment=logged_in())
    variables = private_file("readme-variables.yml", text)
    return playbook(PROMOTE, {}, "-e", f"@{variables}", environment=logged_in())


def reported(done: Run) -> list[str]:
    """The report of the role, with the names of the README."""
    return with_names("\n".join(done.of("Say what was done")["msg"])).splitlines()


def with_names(text: str) -> str:
    """A text with the names of the README."""
    for name, registry in NAMES.items():
        text = text.replace(REGISTRIES[registry]["address"], name)
    return text


def diff_of(done: Run) -> str:
    """What Ansible has printed as a diff, with the names of the README."""
    found = DIFF.search(done.output)
    return with_names(found[0].rstrip() + "\n") if found else ""


def first_promotion() -> None:
    """The first example prints what the README shows, and the next run finds nothing to do."""
    foreseen = run(EXAMPLES[0], "--check", "--diff")
    check([diff_of(foreseen)] == CHANGES, f"the README has to show:\n{diff_of(foreseen)}\nof\n{foreseen.output}")
    done = run(EXAMPLES[0], "--diff")
    check(diff_of(done) == diff_of(foreseen), f"check mode has shown another diff than\n{done.output}")
    printed = reported(done)
    shown, found = (REQUESTS.sub("N requests", "\n".join(lines)) for lines in (SHOWN, printed))
    check(shown == found, "the README has to show:\n" + "\n".join(printed))
    check(" changed=0 " in run(EXAMPLES[0]).output, "the second run changed something")


def others() -> None:
    for example in EXAMPLES[1:]:
        run(example)
    say(f"README.md: {len(EXAMPLES)} examples run")


if __name__ == "__main__":
    main([seeded, older, first_promotion, others])
