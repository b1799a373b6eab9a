"""The rule language: what a rule may ask of customers, and how Python and SQL answer it. It knows no segments."""
