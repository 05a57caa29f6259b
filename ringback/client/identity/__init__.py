"""Who the person is: accounts known here, their passwords, and the proof at the call manager."""
