"""Where calls go: dial plan, forwarding, rules of clients."""
