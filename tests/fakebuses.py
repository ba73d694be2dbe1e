"""Fake USB, PCI and sound devices for the fake kernel: what their attributes do, and how a machine is given them."""
