"""Fake graphics, network ports, SMT, idle states and platform profiles for the fake kernel."""
