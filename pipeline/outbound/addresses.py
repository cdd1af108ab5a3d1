"""Where a call may go: public addresses, and of the others only those in networks that the operator has named.

A name is looked up once and the call is made to an address of that one answer, so that a second answer cannot lead
elsewhere. Loopback, private, link-local, metadata, multicast and reserved addresses are refused, also where they are
hidden in an IPv6 address. Plain HTTP goes to named networks only: a secret does not cross the open net unencrypted.
"""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Whoever asks here gets the machine's own credentials: only a network of this single address opens the way
METADATA = frozenset(
    map(
        ip_address,
        (
            *("169.254.169.254", "169.254.170.2", "169.254.170.23", "168.63.129.16", "100.100.100.200", "192.0.0.192"),
            *("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"),
        ),
    )
)
_NAT64 = ip_network("64:ff9b::/96")
_V4_COMPATIBLE = ip_network("::/96")
_SITE_LOCAL = ip_network("fec0::/10")  # retired, and still routed inside some sites; Python calls it global


class RefusedError(Exception):
    """The call may not go there, or the name leads nowhere; the message says why."""


def networks(listed: Sequence[str]) -> tuple[Network, ...]:
    """The operator's networks, such as `10.20.0.0/16` or `127.0.0.1`. Raises ValueError for one that is none."""
    return tuple(ip_network(item) for item in listed)


def look_up(host: str, port: int) -> list[Address]:
    """Every address of a host, in the system's order. Raises RefusedError when it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RefusedError("the name has no address") from error
    # a scope such as fe80::1%eth0 is cut: link-local ones are judged as such
    return list(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


def reachable(host: str, port: int, named: Sequence[Network], *, encrypted: bool) -> list[Address]:
    """The addresses that a call to this host may be made to. One that is not allowed refuses the whole name. Raises RefusedError."""
    found = look_up(host, port)
    for address in found:
        if not is_allowed(address, named, encrypted=encrypted):
            raise RefusedError(f"{address} may not be called" + ("" if encrypted else " without TLS"))
    return found


def is_allowed(address: Address, named: Sequence[Network], *, encrypted: bool) -> bool:
    """Whether a call may go to the address itself and to the one that it may carry inside."""
    inner = _inside(address)
    if inner not in METADATA and _is_named(address, named):
        return True
    if inner is not None:
        return is_allowed(inner, named, encrypted=encrypted)
    return encrypted and _is_public(address)


def _is_named(address: Address, named: Sequence[Network]) -> bool:
    return any(address in network and (address not in METADATA or network.num_addresses == 1) for network in named)


def _is_public(address: Address) -> bool:
    local = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
    return address.is_global and not local and not address.is_reserved and address not in METADATA and address not in _SITE_LOCAL


def _inside(address: Address) -> IPv4Address | None:
    """The IPv4 address to which a gateway would take this IPv6 one."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64 or (address in _V4_COMPATIBLE and int(address) > 0xFFFF):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
