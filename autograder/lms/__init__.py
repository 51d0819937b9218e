"""Learning platforms: what they export, and what they take back."""
