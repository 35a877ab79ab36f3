"""The wired metrological bus (LMN-1): one gateway, many meters, two wires, half duplex."""
