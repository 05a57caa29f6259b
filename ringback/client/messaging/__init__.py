"""Messages, presence and group chats: the client's side of XMPP."""
