"""One file each: a source that says what power the machine draws, or what energy it has used."""
