"""How fast imgdiff is, and how much memory it takes, beside others that compare images."""
