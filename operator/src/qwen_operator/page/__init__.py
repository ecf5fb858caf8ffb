"""The fleet page: every model, what is wrong with it and what to do, and a box to try it.

Off unless the administrator gives it a port. It reads what the operator has seen anyway, writes
nothing to the cluster, and asks a model only where chat is switched on.
"""
