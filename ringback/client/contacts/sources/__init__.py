"""Contact sources: each file asks one kind of directory through the small interface of ``base``."""
