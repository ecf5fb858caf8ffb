"""Carries the serving benchmark to a GPU machine that reaches no package registry."""
