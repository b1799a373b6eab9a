"""Privacy of a customer: everything about her in one bundle, her erasure, and the proof of it."""
