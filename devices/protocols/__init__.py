"""Sans-IO codecs: octets in, values out; no clock, no socket, nothing else of the project.

Each protocol has one family of errors, derived from ValueError, with the offset of what is wrong.
"""
