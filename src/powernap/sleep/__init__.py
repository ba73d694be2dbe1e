"""Putting the whole machine to sleep, and being sure that it comes back."""
