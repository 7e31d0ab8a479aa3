# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._http._endpoint import Endpoint, address_of
from ansible_collections.imageops.registry.plugins.module_utils._http._transport import Transport
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters


def test_docker_hub_is_asked_at_its_own_host() -> None:
    for name in ("docker.io", "index.docker.io", "registry-1.docker.io"):
        assert Transport(Endpoint(name), Counters()).base == "https://registry-1.docker.io"


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("https://r.example/v2/", True),
        ("https://r.example:443/v2/", True),
        ("https://R.Example/v2/", True),
        ("http://r.example/v2/", False),
        ("https://r.example:8443/v2/", False),
        ("https://r.example.evil/v2/", False),
        ("https://storage.example/v2/", False),
    ],
)
def test_a_url_is_the_registrys_own_where_its_origin_is(url: str, own: bool) -> None:
    assert address_of(Endpoint("r.example")).is_own(url) is own


def test_without_tls_the_address_says_so() -> None:
    address = address_of(Endpoint("r.example:5000", plain_http=True))
    assert address.base == "http://r.example:5000"
    assert address.origin == ("http", "r.example", 5000)
