"""Policy: what is announced (shocks) and the story around it (scenario). Data only, no computation."""
