"""A relay passes media between two legs without decoding them."""

from ringback.media.relay.relay import Relay, TypeMap

__all__ = ["Relay", "TypeMap"]
