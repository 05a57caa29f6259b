"""People: the contact list, their presence, the directory, and the search over both."""
