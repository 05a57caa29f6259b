"""Voicemail by telephone: what is said, what keys mean, and the calls that carry it."""
