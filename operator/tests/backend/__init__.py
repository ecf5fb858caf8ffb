"""Tests of what runs inside Triton."""
