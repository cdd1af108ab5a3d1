"""Where a call may go, address by address."""

import socket
from ipaddress import ip_address

import pytest

from pipeline.outbound.addresses import RefusedError, is_allowed, networks, reachable

NAMED = networks(["10.20.0.0/16", "127.0.0.1", "fd12::/16"])
WIDE = networks(["0.0.0.0/0", "::/0"])

TABLE = [
    # address, over TLS to anywhere, without TLS, with the operator's networks over TLS and without
    ("93.184.216.34", True, False, True, False),
    ("2606:2800:220:1:248:1893:25c8:1946", True, False, True, False),
    ("10.20.3.4", False, False, True, True),
    ("10.21.3.4", False, False, False, False),
    ("127.0.0.1", False, False, True, True),
    ("127.0.0.2", False, False, False, False),
    ("0.0.0.0", False, False, False, False),
    ("172.16.0.9", False, False, False, False),
    ("192.168.1.1", False, False, False, False),
    ("100.64.0.1", False, False, False, False),
    ("169.254.10.10", False, False, False, False),
    ("169.254.169.254", False, False, False, False),
    ("168.63.129.16", False, False, False, False),
    ("192.0.0.192", False, False, False, False),
    ("192.0.2.1", False, False, False, False),
    ("198.18.0.1", False, False, False, False),
    ("224.0.0.1", False, False, False, False),
    ("240.0.0.1", False, False, False, False),
    ("255.255.255.255", False, False, False, False),
    ("::1", False, False, False, False),
    ("::", False, False, False, False),
    ("fe80::1", False, False, False, False),
    ("fec0::1", False, False, False, False),
    ("fc00::1", False, False, False, False),
    ("fd12::1", False, False, True, True),
    ("fd00:ec2::254", False, False, False, False),
    ("ff02::1", False, False, False, False),
    ("::ffff:127.0.0.1", False, False, True, True),
    ("::ffff:169.254.169.254", False, False, False, False),
    ("::ffff:93.184.216.34", True, False, True, False),
    ("::127.0.0.2", False, False, False, False),
    ("64:ff9b::10.0.0.1", False, False, False, False),
    ("64:ff9b::93.184.216.34", True, False, True, False),
    ("2002:7f00:2::1", False, False, False, False),
    ("2001:0:4136:e378:8000:63bf:f5ff:fffd", False, False, False, False),  # Teredo of 10.0.0.2
]


@pytest.mark.parametrize(("address", "tls", "plain", "named_tls", "named_plain"), TABLE)
def test_an_address_may_be_called(address, tls, plain, named_tls, named_plain):
    at = ip_address(address)
    assert is_allowed(at, (), encrypted=True) is tls
    assert is_allowed(at, (), encrypted=False) is plain
    assert is_allowed(at, NAMED, encrypted=True) is named_tls
    assert is_allowed(at, NAMED, encrypted=False) is named_plain


def test_a_wide_network_does_not_open_the_way_to_a_machines_own_credentials():
    assert is_allowed(ip_address("10.0.0.1"), WIDE, encrypted=False)
    assert not is_allowed(ip_address("169.254.169.254"), WIDE, encrypted=True)
    assert is_allowed(ip_address("169.254.169.254"), networks(["169.254.169.254"]), encrypted=True)
    for hidden in ("::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::1", "169.254.170.23", "fd20:ce::254"):
        assert not is_allowed(ip_address(hidden), WIDE, encrypted=True), hidden
    assert is_allowed(ip_address("::ffff:169.254.169.254"), networks(["169.254.169.254"]), encrypted=True)


def resolving(monkeypatch, *addresses):
    def getaddrinfo(host, port, **_):
        family = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [(family[ip_address(a.partition("%")[0]).version], socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_one_forbidden_address_of_a_name_refuses_the_name(monkeypatch):
    resolving(monkeypatch, "93.184.216.34", "10.0.0.1")
    with pytest.raises(RefusedError, match=r"10\.0\.0\.1 may not be called"):
        reachable("ai.example", 443, (), encrypted=True)


def test_a_scope_does_not_hide_a_link_local_address(monkeypatch):
    resolving(monkeypatch, "fe80::1%eth0")
    with pytest.raises(RefusedError, match="may not be called"):
        reachable("ai.example", 443, (), encrypted=True)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost"])
def test_other_ways_to_write_loopback_are_judged_by_where_they_lead(host):
    with pytest.raises(RefusedError):
        reachable(host, 443, (), encrypted=True)


def test_a_name_without_address_is_refused_and_not_an_error():
    with pytest.raises(RefusedError, match="no address"):
        reachable("nowhere.invalid", 443, (), encrypted=True)
