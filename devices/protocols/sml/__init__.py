"""SML 1.03/1.04, the language of the meters: files on the wire, messages in them, and the names of what they carry.

`transport` finds files in a stream, `messages` says what is in them, `tlv` is the coding below; `obis`, `units` and
`server_id` turn codes into what people write. Everything that goes wrong is an `SmlError`.
"""

from devices.protocols.sml.errors import SmlError

__all__ = ["SmlError"]
