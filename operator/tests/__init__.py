"""Tests, as packages: without these files pytest would import them as parts of a package named
`operator`, in the place of the standard library's module of that name.
"""
