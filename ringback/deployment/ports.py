"""Ports that the user may not bind are moved up by a fixed offset."""

from __future__ import annotations

import errno
import ipaddress
import socket

OFFSET = 10_000
_FIRST_FREE = 1024


def bindable(address: str, port: int) -> int:
    """``port``, or ``port`` + 10,000 where it is a privileged one that this user may not bind.

    A port that is taken is returned as it is: that the bind fails later is the clearer error.
    """
    if not 0 < port < _FIRST_FREE:
        return port
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except PermissionError:
            return port + OFFSET
        except OSError as error:
            if error.errno == errno.EACCES:
                return port + OFFSET
    return port
