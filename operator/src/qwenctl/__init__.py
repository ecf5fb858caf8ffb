"""The command line for the person who writes the YAML: the operator's own pure code."""
