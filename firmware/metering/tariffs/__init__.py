"""The tariff engine: what the use cases TAF-1, 2, 6, 7, 9, 10 and 14 derive from readings (wan-core 7.6).

A pure core: no clock, no storage, no tasks. Readings go in one by one, derived entries and events come out; the state
is plain data. `engine.use_case` makes a use case from a profile, `rules.findings` says what is wrong with a profile.
"""
