"""The client: a headless engine for one signed-in person, and the host that serves it to pages.

async with ringback.client.sign_in("anita@example.com", password="...") as me:
    await me.send("bruno@example.com", "Hello")
    async for message in me.messages():
        print(message.sender_name, message.body)
"""

from ringback.client.script import Me, sign_in

__all__ = ["Me", "sign_in"]
