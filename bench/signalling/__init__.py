"""Registrations and calls: our call manager beside Kamailio, both driven by sipp."""
