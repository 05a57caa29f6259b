"""Drivers: the asyncio side of every wire. They move bytes and own tasks; decisions are made elsewhere."""
