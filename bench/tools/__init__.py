"""Tools for meters on the wired bus, used without a scenario: emulated meters on a port, and the two programs of the
SMARTY BZ-PLUS v2's maker, replaced ([BZ] 5.2, 6.2).
"""
