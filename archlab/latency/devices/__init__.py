"""The devices: a folder for each kind, and the registry that knows them by name."""
