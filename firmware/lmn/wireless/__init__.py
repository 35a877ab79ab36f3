"""The wireless metrological network: radio meters of the profiles, their counters, what of theirs is believed."""
