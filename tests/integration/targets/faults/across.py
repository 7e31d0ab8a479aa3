# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one run leaves to the next, and what two do at once."""

from __future__ import annotations

from typing import Any

from content import Side
from rows import KIB, RUN
from runs import REGISTRIES, Plain, call, check, connection, seed, task

from fault_control import FaultControl
from fault_proxy import FaultProxy

MIB = 1024 * KIB
RUN_NAME = f"faults-across-{RUN}"


def _copy(destination: str, images: list[Plain], prefix: str, **options: Any) -> Plain:
    items = [
        {
            "repository": image["repository"],
            "tag": image["tag"],
            "destination_repository": f"{prefix}/{image['repository']}",
        }
        for image in images
    ]
    return task(
        "image_copy",
        {**connection(destination), "source": connection("dev"), "images": items, **options},
        name="copy",
        ignore_errors=True,
    )


def _check_whole(destination: str, images: list[Plain], prefix: str) -> None:
    for image in images:
        side = Side(destination, f"{prefix}/{image['repository']}")
        check(side.manifest(image["tag"]) is not None, f"{side.name}:{image['tag']} is not there")
        expected = {image["digest"], *(blob["digest"] for blob in image["blobs"])}
        check(set(side.reachable(image["tag"])) >= expected, f"{side.name}:{image['tag']} is not whole")


def disk_full() -> None:
    """A full disk is named; once there is space, the next run sends the rest only."""
    images = seed("dev", "single", f"{RUN_NAME}-full", images=1, layers=2, layer_size=MIB)
    faults = FaultControl(REGISTRIES["faulty"]["faults_path"])
    prefix = "full"
    faults.switch({"": f"disk-full={3 * MIB // 2}"})
    try:
        failed = call([_copy("faulty", images, prefix, retries=1, jobs=1)]).of("copy")
    finally:
        faults.switch({"": ""})
    check(failed["failed"] and "The registry's storage is full" in failed["msg"], f"it says: {failed['msg']}")
    check(Side("faulty", f"{prefix}/{images[0]['repository']}").manifest(images[0]["tag"]) is None, "a tag is there")
    result = call([_copy("faulty", images, prefix)]).of("copy")
    check(0 < result["transfer"]["bytes_uploaded"] < 3 * MIB // 2, f"sent anew: {result['transfer']}")
    _check_whole("faulty", images, prefix)


def at_once() -> None:
    """Two promotions of the same images at the same time: both succeed, whichever of them comes first."""
    images = seed("dev", "multi,family", f"{RUN_NAME}-once", images=4, layers=2, layer_size=MIB)
    prefix = "once"
    copy = _copy("prod", images, prefix)
    run = call([copy, copy], at_a_time=2)
    check([entry["status"] for entry in run.results] == ["ok", "ok"], f"they say:\n{run.output}")
    _check_whole("prod", images, prefix)
    again = call([copy]).of("copy")
    check(not again["failed"] and not again["changed"], f"the next run fails, or changes something: {again}")


def continued() -> None:
    """An upload that was cut is continued by registries that know the session still; optional, as those are."""
    images = seed("dev", "single", f"{RUN_NAME}-on", images=1, layers=1, layer_size=8 * MIB)
    for name in ("distribution3", "olareg"):
        if name not in REGISTRIES:
            print(f"left out: {name} is not there (tests/registries/install-optional.sh)")
            continue
        entry = REGISTRIES[name]
        with FaultProxy(f"http://{entry['address']}", f"cut-upload={3 * MIB}") as proxy:
            at = {"registry": proxy.address, "plain_http": True}
            prefix = "on"
            copy = _copy(name, images, prefix)
            copy["imageops.registry.image_copy"].update(at)
            result = call([copy]).of("copy")
            check(not result["failed"], f"{name}: {result.get('msg')}")
            seen = [request for request in proxy.requests if request["method"] == "PATCH"]
            check(len(seen) == 1, f"{name}: continued {len(seen)} times")
        _check_whole(name, images, prefix)
