"""Who a client is, as far as budgets go: the address of its connection, or the one that a trusted proxy tells."""

from __future__ import annotations

import ipaddress

from starlette.requests import Request

IPV6_PREFIX = 64
"""Bits of an address that a client is given; the rest it chooses itself, 2^64 of them (RFC 4291, section 2.5.4)."""


def client_of(request: Request) -> str:
    """The address that budgets are kept by: of IPv6 the network of 64 bits, as one client has all addresses in it."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:  # how a socket of both kinds names a client of IPv4
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
