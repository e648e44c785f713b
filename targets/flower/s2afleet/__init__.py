"""The server's side of a fleet: many boards learn one adapter, and no picture leaves its board."""
