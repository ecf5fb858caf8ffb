"""Tests of the control plane on a real API server, with the operator as a real process."""
