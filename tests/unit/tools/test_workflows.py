# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files in .github, .pre-commit-config.yaml and the pages for contributors agree with the tools that they name."""

from __future__ import annotations

import pathlib
import re
import shlex
import sys
import typing as t

import pytest
import yaml

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(COLLECTION / "tools"))

import integration  # noqa: E402
import lint  # noqa: E402
import pythons  # noqa: E402

del sys.path[0]

WORKFLOWS = sorted((COLLECTION / ".github" / "workflows").glob("*.yml"))
PAGES = ("CONTRIBUTING.md", "SECURITY.md", "docs/develop.md", "docs/release.md", ".github/pull_request_template.md")


def loaded(name: str) -> t.Any:
    return yaml.safe_load((COLLECTION / name).read_text(encoding="utf-8"))


def jobs() -> dict[str, t.Any]:
    """The jobs of the workflow that runs the tests."""
    found: dict[str, t.Any] = loaded(".github/workflows/tests.yml")["jobs"]
    return found


def pinned(requirements: str) -> dict[str, str]:
    """The packages of a file of requirements, and their versions."""
    lines = (COLLECTION / "tests" / "requirements" / requirements).read_text(encoding="utf-8").splitlines()
    return dict(line.partition(" ")[0].split("==") for line in lines if "==" in line and not line.startswith("#"))


def test_unit_tests_run_on_all_supported_releases_each_with_all_of_its_pythons() -> None:
    rows = jobs()["unit"]["strategy"]["matrix"]["include"]
    assert [f"{row['release']}/{row['python']}" for row in rows] == pythons.matrix()


def test_sanity_tests_run_on_all_supported_releases() -> None:
    releases = jobs()["sanity"]["strategy"]["matrix"]["release"]
    newest = pythons.NEW_CORES[0].name
    assert sorted([*releases, newest]) == sorted(one.name for one in pythons.TESTED if one.name != pythons.TARGET.name)


def test_only_what_is_no_release_yet_may_fail() -> None:
    allowed = {name: job.get("continue-on-error") for name, job in jobs().items()}
    only_devel = "${{ matrix.release == 'devel' }}"
    assert {name: why for name, why in allowed.items() if why} == {"sanity": only_devel, "unit": only_devel}


def test_the_one_check_waits_for_all_jobs() -> None:
    assert set(jobs()["all"]["needs"]) == set(jobs()) - {"all", "weekly"}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_their_digest(workflow: pathlib.Path) -> None:
    for used in re.findall(r"uses: (.*)", workflow.read_text(encoding="utf-8")):
        assert used.startswith("./") or re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used), used


def test_the_programs_of_integration_targets_are_installed_before_them() -> None:
    for name, job in jobs().items():
        commands = [step.get("run", "") for step in job["steps"]]
        needed = any(re.match(r'make (test|integration|"\$COMMAND")', command) for command in commands)
        installed = [command.rpartition("--no-install-recommends ")[2] for command in commands if "apt-get" in command]
        weekly = ["postgresql redis-server"] if name == "weekly" else []
        assert installed == ([" ".join(integration.PROGRAMS.values())] if needed else []) + weekly, name


def test_the_weekly_run_installs_what_targets_leave_out_otherwise_and_names_them() -> None:
    optional: dict[str, set[str]] = {}
    for path in (COLLECTION / "tests" / "integration" / "targets").rglob("*.py"):
        for what in re.findall(r"install-optional\.sh (signing|gitea|pulp)", path.read_text(encoding="utf-8")):
            optional.setdefault(path.parent.name, set()).add(what)
    weekly = jobs()["weekly"]
    (named,) = [entry["arguments"] for entry in weekly["strategy"]["matrix"]["include"] if "arguments" in entry]
    assert set(named.split()) == set(optional) >= {"cosign", "notation", "other_registries"}
    steps = [step["run"] for step in weekly["steps"] if "optional" in step.get("run", "")]
    (installed,) = [re.search(r"for what in ([^;]*);", step) for step in steps]
    assert installed and set(installed[1].split()) == set().union(*optional.values())


def test_checks_that_workflows_name_are_checks() -> None:
    (command,) = [step["run"] for step in jobs()["sanity"]["steps"] if "run" in step]
    arguments = shlex.split(shlex.split(command)[2].partition("=")[2])
    assert arguments == list(lint.SANITY)


@pytest.mark.parametrize("page", [*PAGES, *(str(path.relative_to(COLLECTION)) for path in WORKFLOWS)])
def test_commands_of_make_that_are_named_exist(page: str) -> None:
    makefile = (COLLECTION / "Makefile").read_text(encoding="utf-8")
    (known,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    text = (COLLECTION / page).read_text(encoding="utf-8")
    named = re.findall(r"(?:^ {4}|`|run: |&& )make (\w+)", text, re.MULTILINE)
    assert named or page in ("SECURITY.md", ".github/workflows/release.yml")
    assert set(named) <= set(known.split())


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_make_gets_no_text_that_others_choose(workflow: pathlib.Path) -> None:
    """Recipes have their arguments as shell code, and a tag may have any."""
    assert not re.search(r"make .*(?:\$GITHUB|\$\{\{ *github)", workflow.read_text(encoding="utf-8"))


def test_pre_commit_has_the_versions_of_make_lint() -> None:
    versions = pinned("lint.txt")
    hooks = loaded(".pre-commit-config.yaml")["repos"][0]["hooks"]
    packages = [package for hook in hooks for package in hook.get("additional_dependencies", [])]
    assert packages == [f"{name}=={versions[name]}" for name in (package.partition("==")[0] for package in packages)]
    assert "ruff" in {package.partition("==")[0] for package in packages}


def test_dependabot_looks_where_requirements_are() -> None:
    python = loaded(".github/dependabot.yml")["updates"][1]
    for directory in python["directories"]:
        assert list((COLLECTION / directory.lstrip("/")).glob("*.txt"))
    for path in python["exclude-paths"]:
        assert (COLLECTION / path).is_file()


def test_forms_for_issues_have_what_github_wants() -> None:
    forms = sorted((COLLECTION / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
    assert len(forms) >= 2
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= set(form)
        asked = [part for part in form["body"] if part["type"] != "markdown"]
        assert any(part["validations"]["required"] for part in asked)
        ids = [part["id"] for part in asked]
        assert len(set(ids)) == len(ids) and all(part["attributes"]["label"] for part in asked)
