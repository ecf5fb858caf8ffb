"""A closed loop of streams against a served model, and what it amounts to."""
