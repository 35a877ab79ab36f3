"""The harness: scenarios, the bench that they run on, evidence, verdicts, reports and commands."""
