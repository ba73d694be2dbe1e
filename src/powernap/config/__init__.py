"""TOML with the line of every key, typed options, every problem at once."""
