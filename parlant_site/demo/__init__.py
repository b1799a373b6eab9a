"""The demo: Lanternstay, an invented company that sells booking software to small hotels, and its customers.

Everything follows from the number of a customer: the same names, ids, metadata and conversations on every machine. Only
the clock is free: times count back from an anchor, by default now, so that a demo always has somebody who waits.
"""
