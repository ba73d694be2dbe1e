"""The lab: one emulated machine on which every power-saving knob is real. docs/lab.md says how to use it."""
