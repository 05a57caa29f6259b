"""Legs: where RTP enters and leaves. Ports, addresses that are learnt, protection, reports."""
