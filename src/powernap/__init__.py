"""PowerNap lets a server sleep whenever nobody needs it, and be back the moment somebody does, exactly as it was."""

__version__ = "0.1.0"
