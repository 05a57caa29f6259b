"""SIP without socket, loop or clock: messages, transactions, dialogs, sessions."""
