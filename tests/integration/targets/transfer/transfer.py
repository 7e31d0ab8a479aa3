# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role transfer: from a registry through an archive to another one, over two hosts, and by hand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from content import Side
from runs import (
    OUTPUT,
    TRANSFER,
    WRITING,
    Plain,
    Run,
    check,
    connection,
    inventory,
    main,
    mark,
    play,
    playbook,
    private_file,
    requests_since,
    seed,
)
from signed_images import push_signed, signed


def hosts() -> Path:
    """Two hosts, which are this machine, and an explicit localhost."""
    local = "ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'"
    return private_file("hosts", "".join(f"{name} {local}\n" for name in ("localhost", "connected", "isolated")))


def variables(name: str, images: list[Plain], **more: Any) -> Plain:
    (OUTPUT / name).mkdir(exist_ok=True)
    return {
        "transfer_source": connection("dev"),
        "transfer_destination": connection("prod"),
        "transfer_images": [{"repository": image["repository"], "tag": image["tag"]} for image in images],
        "transfer_archive": str(OUTPUT / name / "exported.tar"),
        **more,
    }


def result_of(done: Run) -> Plain:
    return dict(done.of("Keep what was done")["ansible_facts"]["transfer_result"])


def check_equal(images: list[Plain]) -> None:
    for image in images:
        there, here = (Side(name, image["repository"]).reachable(image["tag"]) for name in ("dev", "prod"))
        check(there == here, f"not all of {image['repository']} is there")


def over_two_hosts() -> None:
    """Predicted, done, and done again; the other hosts of the play know what was done."""
    images = seed("dev", "multi,artifact", "transfer/two")
    made = signed("transfer/two")
    push_signed("dev", made)
    images.append({"repository": made.repository, "tag": "1.0"})
    given = variables(
        "two",
        images,
        transfer_export_host="connected",
        transfer_import_host="isolated",
        transfer_import_archive=str(OUTPUT / "two" / "imported.tar"),
        transfer_notify=["Note"],
        transfer_compare_artifacts=True,
    )
    tell = [
        {"name": "Tell", "ansible.builtin.debug": {"msg": "{{ inventory_hostname }} {{ transfer_result.changed }}"}}
    ]
    note = [{"name": "Note", "ansible.builtin.debug": {"msg": "noted"}}]
    file = play(tell, hosts="connected:isolated", roles=[TRANSFER], handlers=note)
    predicted = playbook(file, given, "--check", hosts=hosts())
    result = result_of(predicted)
    check(result["changed"] and result["exported"]["changed"] and not result["imported"], f"{result}")
    check(list((OUTPUT / "two").iterdir()) == [], "check mode writes")
    done = playbook(file, given, hosts=hosts())
    result = result_of(done)
    check(result["changed"] and result["carried"] and result["imported"]["changed"], f"{result}")
    check("noted" in done.output, "the handler was not notified")
    check("connected True" in done.output and "isolated True" in done.output, "a host does not know the result")
    check_equal(images)
    moment = mark()
    for arguments in ([], ["--check"]):
        again = playbook(file, given, *arguments, hosts=hosts())
        result = result_of(again)
        check(not result["changed"] and not result["carried"], f"again: {result}")
        check("changed=0 " in again.output and "changed=1" not in again.output, again.output)
        check("noted" not in again.output, "a handler was notified")
    writes = [seen for name in ("dev", "prod") for seen in requests_since(moment, name) if seen["method"] in WRITING]
    check(not writes, f"the second time something is written: {writes}")


def by_hand() -> None:
    """Each side runs its own part, with what it knows."""
    images = seed("dev", "single", "transfer/hand")
    exported = variables("hand", images, transfer_parts=["export"])
    imported = {
        "transfer_parts": ["import"],
        "transfer_archive": str(OUTPUT / "hand" / "carried.tar"),
        "transfer_destination": exported.pop("transfer_destination"),
    }
    result = result_of(playbook(TRANSFER, exported))
    check(result["exported"]["changed"] and not result["imported"], f"{result}")
    shutil.copy(exported["transfer_archive"], imported["transfer_archive"])
    result = result_of(playbook(TRANSFER, imported))
    check(result["imported"]["changed"] and not result["exported"], f"{result}")
    check_equal(images)


def headings(done: Run) -> list[str]:
    return [line for line in done.output.splitlines() if line.startswith("TASK [")]


def costs_little() -> None:
    """Where nothing differs, and nothing is to be carried, there are few tasks, those that are skipped included."""
    given = variables("little", seed("dev", "single", "transfer/little"))
    playbook(play([], roles=[TRANSFER]), given, hosts=inventory())
    again = playbook(play([], roles=[TRANSFER]), given, hosts=inventory())
    check(not result_of(again)["changed"], again.output)
    check(len(headings(again)) == 6, again.output)


def on_one_host() -> None:
    """On one host with two paths, the archive is copied."""
    images = seed("dev", "single", "transfer/one")
    given = variables("one", images, transfer_import_archive=str(OUTPUT / "one" / "imported.tar"))
    result = result_of(playbook(TRANSFER, given, hosts=inventory()))
    check(result["carried"] and result["imported"]["changed"], f"{result}")
    check_equal(images)
    result = result_of(playbook(TRANSFER, given, hosts=inventory()))
    check(not result["changed"], f"{result}")


def mistakes() -> None:
    """What is missing, and what fails, in one sentence; the result says how far it came."""
    done = playbook(TRANSFER, {"transfer_archive": str(OUTPUT / "none.tar")}, expected=2, noise=True)
    message = done.of("Export what is missing in the archive")["msg"]
    words = "transfer_source, transfer_images and transfer_destination are missing."
    check(words in message and "transfer_parts is export, carry, import." in message, message)
    playbook(TRANSFER, {}, expected=2, noise=True).of("Fail without the needed variables")
    given = variables("wrong", [{"repository": "transfer/nowhere", "tag": "1.0"}])
    done = playbook(TRANSFER, given, expected=2, noise=True)
    check(
        "transfer/nowhere:1.0 is not at the source" in done.of("Export what is missing in the archive")["msg"],
        done.output,
    )
    result = result_of(done)
    check(result["exported"]["images"][0]["action"] == "missing" and not result["changed"], f"{result}")


def carrying_fails() -> None:
    """What can't be carried isn't said to be, on one host or between two."""
    images = seed("dev", "single", "transfer/failed")
    given = variables("failed", images, transfer_import_archive=str(OUTPUT / "nowhere" / "imported.tar"))
    apart = {"transfer_export_host": "connected", "transfer_import_host": "isolated"}
    for more, task, exported in (
        ({}, "Copy the archive on the host", True),
        (apart, "Put the archive in place", False),
    ):
        done = playbook(TRANSFER, {**given, **more}, expected=2, hosts=hosts(), noise=True)
        check(done.of(task)["failed"], f"{task} does not fail: {done.output}")
        result = result_of(done)
        check(result["carried"] is False and result["changed"] is exported, f"{task}: {result}")


def one_after_another() -> None:
    """A transfer that fails says nothing of an earlier one in the same play; hosts are checked for each part alone."""
    images = seed("dev", "single", "transfer/after")
    given = variables("after", images, transfer_import_archive=str(OUTPUT / "after" / "imported.tar"))
    archive = {"transfer_archive": str(OUTPUT / "after" / "nowhere" / "other.tar")}
    second: Plain = {"ansible.builtin.include_role": {"name": TRANSFER}, "name": "Second", "vars": archive}
    third: Plain = {**second, "name": "Third", "vars": {"transfer_parts": ["carry"], "transfer_import_host": "nobody"}}
    alike = {"transfer_export_host": "nobody", "transfer_import_archive": "{{ transfer_archive }}"}
    fourth: Plain = {**second, "name": "Fourth", "vars": {"transfer_parts": ["carry"], **alike}}
    told = []
    for failing, number in ((second, 1), (third, 2), (fourth, 3)):
        said = {"msg": "{{ [transfer_result, ansible_failed_result.msg] }}"}
        tell = {"name": f"Tell {number}", "ansible.builtin.debug": said}
        told.append({"name": "Fails", "block": [failing], "rescue": [tell]})
    done = playbook(play(told, roles=[TRANSFER], vars=given), {}, hosts=inventory(), noise=True)
    nothing = {"changed": False, "carried": False, "exported": {}, "imported": {}}
    after_second, *after_carrying = (done.of(f"Tell {number}")["msg"] for number in (1, 2, 3))
    check(after_second[0] == nothing, f"{after_second}")
    for result, why in after_carrying:
        check(result == nothing and why.startswith("nobody: not in the inventory"), f"{result} {why}")


if __name__ == "__main__":
    main([over_two_hosts, by_hand, costs_little, on_one_host, mistakes, carrying_fails, one_after_another])
