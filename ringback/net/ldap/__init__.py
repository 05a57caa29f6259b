"""LDAP over TLS, the client's side (RFC 4511): connections, several servers with fail-over, and passwords by bind.

The protocol is spoken by sansldap, which touches no socket: so TLS is verified, and time is limited, as everywhere else
here, and nothing has to be compiled. ``connection`` is one connection, ``servers`` are the several of a directory, and
``passwords`` is one use of them.
"""
