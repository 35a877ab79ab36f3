"""The scenario language: what a technician writes in YAML, checked before anything is switched on."""
