"""Hosts and origins that are allowed, as headers have them."""

import pytest

from face_client.errors import InvalidInput
from face_gateway import Settings


@pytest.mark.parametrize("host", ["faces.example", "Faces.Example", "localhost", "10.0.0.7", "[fd00::7]", "my_host"])
def test_names_may_be_hosts(host):
    assert Settings(allowed_hosts=(host,)).allowed_hosts == (host,)


@pytest.mark.parametrize(
    "host", ["faces.example:8080", "http://faces.example", "faces.example/", "*", "", "fd00::7", "a b"]
)
def test_what_is_more_than_a_name_is_no_host(host):
    with pytest.raises(InvalidInput, match=r"--allow-host .*: it must be a name alone"):
        Settings(allowed_hosts=("faces.example", host))


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example",
        "http://localhost:3000",
        "http://[::1]:8080",
        "https://a.example:80",
        "moz-extension://1f-2",
    ],
)
def test_sites_may_be_origins(origin):
    assert Settings(allowed_origins=(origin,)).allowed_origins == (origin,)


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example/", "https://shop.example/page", "shop.example", "*", "null", "", "https://*.example",
        "https://Shop.example", "HTTPS://shop.example", "https://shop.example:443", "http://shop.example:80",
        "https://me@shop.example", "https://shop.example ",
    ],
)  # fmt: skip
def test_what_no_browser_sends_is_no_origin(origin):
    with pytest.raises(InvalidInput, match=r"--allow-origin .*: it must be as browsers send it"):
        Settings(allowed_origins=(origin,))
