"""Wired meters as the bench plays them: metrology, what they answer in SML, and their station on the bus."""
