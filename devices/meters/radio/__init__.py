"""Radio meters as the bench plays them: gas, water, heat and electricity meters that send wM-Bus telegrams."""
