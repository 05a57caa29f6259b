"""What a voicemail service keeps: mailboxes, messages with their sound, greetings."""
