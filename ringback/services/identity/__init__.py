"""The identity provider: a small one, for laboratories and enterprises that have none.

People prove here who they are (by form, Basic, client certificate or Kerberos ticket, with a second factor where they
have one), once for all services.
"""
