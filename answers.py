"""The written answers to the ten questions, one plain string each."""
