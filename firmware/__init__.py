"""The emulated gateway: one core for three products, known to the bench only through its cables.

Start at :mod:`firmware.gateway`; what the manuals say of a product is data in ``devices.gateway_types``.
"""
