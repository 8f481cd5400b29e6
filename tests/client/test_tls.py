"""How connections are encrypted, by arguments, by the environment and by default."""

import argparse

import pytest

from face_client import FaceClient, InvalidInput, Tls
from face_client.tls import CA_VARIABLE, CERT_VARIABLE, KEY_VARIABLE, TLS_VARIABLE, tls_from_environment
from face_tools.connection import add_connection, tls_from


@pytest.mark.parametrize(
    ("environment", "tls"),
    [
        ({}, None),
        ({TLS_VARIABLE: "0", CA_VARIABLE: ""}, None),
        ({TLS_VARIABLE: "1"}, Tls()),
        ({CA_VARIABLE: "a"}, Tls("a")),
        ({CA_VARIABLE: "a", CERT_VARIABLE: "b", KEY_VARIABLE: "c"}, Tls("a", "c", "b")),
        ({KEY_VARIABLE: "c"}, None),
    ],
)
def test_by_the_environment(environment, tls):
    assert tls_from_environment(environment) == tls


@pytest.fixture
def pem(tmp_path):
    path = tmp_path / "some.pem"
    path.touch()
    return str(path)


def parsed(*arguments):
    parser = argparse.ArgumentParser()
    add_connection(parser)
    return tls_from(parser.parse_args(arguments))


def test_by_arguments(pem):
    assert parsed() is None
    assert parsed("--tls") == Tls()
    assert parsed("--tls-ca", pem) == Tls(pem)
    assert parsed("--tls-ca", pem, "--tls-cert", pem) == Tls(pem, None, pem)
    assert parsed("--tls-cert", pem, "--tls-key", pem) == Tls(None, pem, pem)


def test_an_argument_that_is_no_file(capsys):
    with pytest.raises(SystemExit):
        parsed("--tls-ca", "none.pem")
    assert "none.pem cannot be read: No such file or directory" in capsys.readouterr().err


def test_the_key_may_stand_in_the_certificates_file(pem):
    assert Tls(certificate_chain=pem).connection_arguments() == {
        "ssl": True,
        "root_certificates": None,
        "private_key": pem,
        "certificate_chain": pem,
    }


def test_what_cannot_be(tmp_path):
    with pytest.raises(InvalidInput, match="a private key and no certificate"):
        Tls(private_key="me.key")
    with pytest.raises(InvalidInput, match=r"tls file .*none\.pem cannot be read: No such file"):
        FaceClient(tls=Tls(str(tmp_path / "none.pem")))
