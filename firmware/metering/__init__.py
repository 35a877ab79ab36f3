"""The metering core: readings on the registration grid, their status word, where they are kept."""
