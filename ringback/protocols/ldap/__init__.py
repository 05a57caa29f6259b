"""What is said to a directory over LDAP, without a socket: filters, questions about people, answers, addresses.

Messages themselves are those of sansldap. Filters are trees: what a person typed is a value in one and never read as a
filter (RFC 4515 is only read where an administrator wrote it).
"""
