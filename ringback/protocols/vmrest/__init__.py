"""The voicemail interface (REST in XML and JSON) and its notifications: wire shapes for both sides."""
