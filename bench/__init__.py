"""Measure, then claim: what PowerNap costs and how quickly it reacts, by commands that anyone can run. See README.md."""
