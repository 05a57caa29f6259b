"""Voicemail of a signed-in person: listed, heard, sent; told by the service within the moment, and kept offline."""
