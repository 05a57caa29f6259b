"""Passwords by LDAP bind, against a real OpenLDAP and against servers that behave badly."""
