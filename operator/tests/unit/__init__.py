"""Unit tests of the control plane: quick, no network, stand-ins only at the two protocols."""
