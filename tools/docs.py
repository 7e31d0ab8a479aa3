# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make docs: the documentation of the collection as a site: guides, modules, filters and roles.

A reference that leads nowhere fails, in the sources and in the pages that are made of them.
"""

from __future__ import annotations

import shutil

import common
import links
import making
import pythons
import running
from common import Failed, say

CONFIGURATION = """\
project = "imageops.registry"
extensions = ["sphinx_antsibull_ext"]
html_theme = "alabaster"
html_theme_options = {"page_width": "1240px", "sidebar_width": "290px", "body_max_width": "none"}
default_role = "any"
highlight_language = "YAML+Jinja"
nitpicky = False

# The pages of ansible-core are on another site, whose list of labels is not fetched.
ELSEWHERE = {"action_plugins", "ansible_configuration_settings", "common_return_values"}


def elsewhere(app, env, node, words):
    target = node["reftarget"]
    if target in ELSEWHERE or target.startswith(("ansible_collections.ansible.builtin.", "ANSIBLE_")):
        return words


def setup(app):
    app.connect("missing-reference", elsewhere)
"""


def main() -> int:
    with common.lock():
        making.sync()
        making.prepare_home()
        venv = making.venv(pythons.LINT)
        site, source = common.BUILD / "docs", common.BUILD / "docs-source"
        for directory in (site, source):
            shutil.rmtree(directory, ignore_errors=True)
        source.mkdir(parents=True)
        (source / "conf.py").write_text(CONFIGURATION, encoding="utf-8")
        env = running.environment_for(venv)
        python = venv / "bin" / "python"
        for command in (
            [python, venv / "bin" / "antsibull-docs", "collection", "--use-current", "--squash-hierarchy"]
            + ["--fail-on-error", "--dest-dir", source, "imageops.registry"],
            [python, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", source, site],
        ):
            status, output = running.run(command, "docs", cwd=common.BUILD, env=env)
            if status:
                raise Failed(f"{running.shorten(output)}\nThe documentation was not made.")
        broken = list(links.broken_in_site(site))
        if broken:
            raise Failed("\n".join(broken) + "\nThe documentation has links that lead nowhere.")
        say(f"docs: {common.shown(site / 'index.html')}")
        return 0


if __name__ == "__main__":
    running.command(main)
