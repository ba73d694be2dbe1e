"""The loop: sources into the core, effects out of it; the control socket."""
