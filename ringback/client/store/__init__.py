"""The encrypted local store: history, contacts, conversations, drafts and caches of one account."""
