"""What students hand in, read: hostile input becomes values."""
