"""Group chats (XEP-0045): the rooms of one conference domain."""
