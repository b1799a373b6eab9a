"""What can change about a customer, as bits, so that only the segments that use it are looked at again."""

from enum import IntFlag


class Changed(IntFlag):
    """What changed since the customer's segments were last looked at: bits of Customer.stale.

    The bits are set in the low byte; while segments are being looked at they stand in the high byte, so that what
    changes meanwhile is not lost and what a killed process was doing is done again.
    """

    PROFILE = 1
    TAGS = 2
    METADATA = 4
    ACTIVITY = 8
    SEGMENTS = 16
