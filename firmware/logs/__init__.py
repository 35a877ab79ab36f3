"""The three log books: system, calibration, and one per consumer; chained, the calibration log signed as well.

``chain`` defines the octets, ``book`` and ``journal`` write, ``pages`` and ``access`` say who reads what, ``stored``,
``verifier`` and ``exchange`` look at the books from outside without trusting the writer.
"""
