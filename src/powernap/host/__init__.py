"""The only door to the machine: files, clocks, kernel event sources, the ledger. Nothing here decides anything."""
