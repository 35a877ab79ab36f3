"""The wired metrological bus: who is on it, and how a meter is read."""
