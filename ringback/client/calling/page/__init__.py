"""The way between the engine and a page that carries the sound of a call: WebRTC; ICE and DTLS are aiortc's."""
