"""The edge: an outer proxy that the world may reach and an inner one that opens the only links, outbound.

A client's TLS ends in the inner proxy. So the outer one, which stands where attackers come first, sees no password,
token, message or sound, holds no key that stands for anybody, and reads nothing of what strangers send.
"""
