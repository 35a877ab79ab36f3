"""Clients of the home interface, one for each product, real or emulated; `client.HanClient` is what they share.

They know a gateway by its address and its user's credentials only (han 1 to 4).
"""
