"""The softphone of the client."""
