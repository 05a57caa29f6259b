"""The engine: one signed-in person, from the address to the conversation."""
