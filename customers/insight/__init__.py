"""Numbers about customers: counts, samples, near misses, the catalogue of metadata keys, hints on rules."""
