"""How far a judge can be trusted, and what its rates come to when its errors are taken into account.

`sample` draws answers to label, `sheet` lets people label them, and `figures` and `rates` compute.
"""
