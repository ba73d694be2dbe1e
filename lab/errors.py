"""What can go wrong with the lab."""


class LabError(Exception):
    """The lab cannot be built or the guest does not do what it must; the text says what follows."""


class NoLabError(LabError):
    """This machine cannot have a lab: something that it takes is missing. Tests skip."""
