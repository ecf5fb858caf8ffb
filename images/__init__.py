"""Builds this repository's container images with buildah, on machines without a registry."""
