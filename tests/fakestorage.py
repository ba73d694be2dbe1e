"""Fake disks, links and drives for the fake kernel: what their attributes do, and how a machine is given them."""
